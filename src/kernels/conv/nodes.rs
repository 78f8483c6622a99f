//! A convolution in the operators of ONNX.

use super::operation::{Params, Way};
use crate::kernels::matmul::Epilogue;
use crate::plan::{Graph, Part, Unfit, pod};

/// Convolutions of the forward pass, one for each parameter that lies in the weights. A picture's value is [N, C H W].
pub(super) fn nodes(graph: &mut dyn Graph) -> Result<(), Unfit> {
    let [x, w, extra, c] = [0, 1, 2, 3];
    let p: Params = pod(graph.params());
    let taps = p.taps();
    let epilogue = Epilogue::from_constants(|name| graph.constant(name));
    let Epilogue::Forward(activation, ()) = epilogue else {
        return Err(format!("it is a convolution with {epilogue:?}, not one of the forward pass"));
    };
    let channels = graph.tensor(x).cols as i64;
    let [source_height, source_width, height, width] =
        [p.source_height, p.source_width, p.height, p.width].map(i64::from);
    let flat = graph.get(x)?;
    let shape = graph.shape(&[-1, channels, source_height, source_width]);
    let picture = graph.apply("Reshape", &[flat, shape]);
    let (weights, biases) = (graph.parts(w)?, graph.parts(extra)?);
    let places = |parts: &[Part]| parts.iter().map(|part| (part.first, part.width)).collect::<Vec<_>>();
    if places(&weights) != places(&biases) {
        return Err("its weights and biases do not go together".into());
    }
    let [kernel, stride, pad] = [taps.kernel, taps.stride, taps.pad].map(|size| size as i64);
    let way = Way::from_u32(graph.constant("WAY"));
    // What a transposed convolution's output has beyond the least that its taps reach.
    let beyond = |fine: i64, coarse: i64| fine + 2 * pad - kernel - (coarse - 1) * stride;
    let output_padding = [beyond(height, source_height), beyond(width, source_width)];
    let (kernels, strides, pads) = ([kernel; 2], [stride; 2], [pad; 4]);
    let mut attributes: Vec<(&'static str, &[i64])> =
        vec![("kernel_shape", &kernels), ("strides", &strides), ("pads", &pads)];
    let operator = match way {
        Way::Gather => "Conv",
        Way::Scatter => {
            attributes.push(("output_padding", &output_padding));
            "ConvTranspose"
        }
    };
    let mut sums = Vec::new();
    for (weight, bias) in weights.iter().zip(&biases) {
        let sum = graph.apply_lists(operator, &[picture, weight.value, bias.value], &attributes);
        let active = activation.nodes(graph, sum);
        let shape = graph.shape(&[-1, weight.width as i64 * height * width]);
        sums.push(Part { value: graph.apply("Reshape", &[active, shape]), ..*weight });
    }
    graph.put(c, sums);
    Ok(())
}
