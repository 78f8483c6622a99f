//! Plans as JSON: what `page/engine.js` replays. Shaders are composed here and kept once, however many plans use them.

use std::collections::HashMap;

use serde::Serialize;

use crate::gpu::shader::compose;
use crate::kernels::condition::Labels;
use crate::model::plans::{RowPorts, TrainPorts};
use crate::plan::{Access, Const, Form, Kernel, Needs, Plan, Role, Step, Tensor};

/// The shaders of some plans.
#[derive(Debug, Default, Serialize)]
pub struct Library {
    /// WGSL, complete.
    modules: Vec<String>,
    /// Entry points, each in one module.
    kernels: Vec<KernelText>,
    #[serde(skip)]
    known: HashMap<(&'static str, &'static str, Vec<Const>), usize>,
    #[serde(skip)]
    texts: HashMap<String, usize>,
}

#[derive(Debug, Serialize)]
struct KernelText {
    name: &'static str,
    entry: &'static str,
    /// Number of the module.
    module: usize,
    /// Whether it reads the Step.
    step: bool,
    slots: Vec<SlotText>,
}

#[derive(Debug, Serialize)]
struct SlotText {
    binding: u32,
    writes: bool,
}

/// A plan.
#[derive(Debug, Serialize)]
pub struct PlanText {
    buffers: Vec<BufferText>,
    dispatches: Vec<DispatchText>,
    ports: Ports,
}

#[derive(Debug, Serialize)]
struct BufferText {
    name: String,
    words: usize,
    /// Whether all plans have one buffer of this name.
    shared: bool,
    /// Number of the buffer in whose memory it lies.
    home: Option<usize>,
}

#[derive(Debug, Serialize)]
struct DispatchText {
    label: String,
    /// Number of the kernel.
    kernel: usize,
    /// The words of Params.
    params: Vec<u32>,
    /// Binding, number of the buffer, first word, words.
    bindings: Vec<[usize; 4]>,
    workgroups: [u32; 3],
}

/// The tensors that the page writes and reads, by name.
type Ports = std::collections::BTreeMap<&'static str, PortText>;

#[derive(Debug, Serialize)]
struct PortText {
    buffer: usize,
    offset: usize,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Library {
    /// The text of a plan. Its kernels must be such as every browser runs, which follows from the target it was made for.
    ///
    /// # Panics
    /// If a kernel needs subgroups, cooperative matrices or images.
    pub fn add(&mut self, plan: &Plan, ports: &[(&'static str, Tensor)]) -> PlanText {
        let buffers = plan.buffers().iter().map(|buffer| BufferText {
            name: buffer.name.clone(),
            words: buffer.words,
            shared: buffer.role == Role::Shared,
            home: buffer.home.map(|home| home.0),
        });
        let dispatches = plan.dispatches().iter().map(|dispatch| {
            let slots = dispatch.kernel.slots.iter().zip(&dispatch.tensors);
            let binding = |(slot, tensor): (&crate::plan::Slot, &Tensor)| {
                [slot.binding as usize, tensor.buffer.0, tensor.offset, plan.span(*tensor)]
            };
            DispatchText {
                label: dispatch.label.clone(),
                kernel: self.kernel(dispatch.kernel, &dispatch.consts),
                params: dispatch
                    .params
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|word| u32::from_le_bytes(*word))
                    .collect(),
                bindings: slots.map(binding).collect(),
                workgroups: dispatch.workgroups,
            }
        });
        let (buffers, dispatches) = (buffers.collect(), dispatches.collect());
        let port = |tensor: &Tensor| {
            let Tensor { buffer, offset, rows, cols, stride } = *tensor;
            PortText { buffer: buffer.0, offset, rows, cols, stride }
        };
        PlanText {
            buffers,
            dispatches,
            ports: ports.iter().map(|(name, tensor)| (*name, port(tensor))).collect(),
        }
    }

    fn kernel(&mut self, kernel: &'static Kernel, consts: &[Const]) -> usize {
        let key = (kernel.name, kernel.entry, consts.to_vec());
        if let Some(number) = self.known.get(&key) {
            return *number;
        }
        let label = kernel.label();
        assert!(kernel.needs == Needs::Nothing, "{label} needs more than a browser has");
        assert!(kernel.slots.iter().all(|slot| slot.form == Form::Buffer), "{label} reads images");
        let text = compose(kernel.source, consts).unwrap_or_else(|e| panic!("{label}: {e}"));
        let next = self.modules.len();
        let module = *self.texts.entry(text).or_insert_with_key(|text| {
            self.modules.push(text.clone());
            next
        });
        let slot = |slot: &crate::plan::Slot| SlotText {
            binding: slot.binding,
            writes: slot.access == Access::Write,
        };
        let slots = kernel.slots.iter().map(slot).collect();
        self.kernels.push(KernelText {
            name: kernel.name,
            entry: kernel.entry,
            module,
            step: kernel.step,
            slots,
        });
        self.known.insert(key, self.kernels.len() - 1);
        self.kernels.len() - 1
    }
}

/// The fields of a Step, in its order: name and type.
pub fn step_fields() -> Vec<(&'static str, &'static str)> {
    Step::FIELDS.iter().map(|field| (field.name, field.ty)).collect()
}

/// The ports of a plan that starts from rows of the page.
pub fn row_ports(ports: &RowPorts) -> Vec<(&'static str, Tensor)> {
    let RowPorts { x, labels, head, z, mean, values, terms, .. } = *ports;
    let (labels, order) = labels.map(|Labels { labels, order }| (labels, order)).unzip();
    let (log_p, kl) = terms.unzip();
    let named = [
        ("x", x),
        ("labels", labels),
        ("order", order),
        ("head", head),
        ("z", z),
        ("mean", mean),
        ("values", values),
        ("log_p", log_p),
        ("kl", kl),
    ];
    named.into_iter().filter_map(|(name, tensor)| Some((name, tensor?))).collect()
}

/// The ports of a training step.
pub fn train_ports(ports: &TrainPorts) -> Vec<(&'static str, Tensor)> {
    let TrainPorts { source, history, parameters, moment1, moment2, .. } = *ports;
    let mut named = vec![
        ("data", source.data),
        ("order", source.order),
        ("history", history),
        ("parameters", parameters),
        ("moment1", moment1),
        ("moment2", moment2),
    ];
    named.extend(source.labels.map(|labels| ("labels", labels)));
    named
}
