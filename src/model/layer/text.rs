//! Reads the text of layers in flags and configuration files: `linear 400, residual(linear 200, linear 400), relu`.

use std::str::FromStr;

use super::LAYERS;
use super::kind::{Back, Extent, LayerText, Layers, Mirror, Shapes, unled};
use crate::kernels::activation::Activation;
use crate::settings::Named;

/// Most layers in one list, nested ones included: a hostile file could name a million.
const MAX_LAYERS: usize = 64;
/// Most levels of nested lists.
const MAX_DEPTH: usize = 4;

impl Layers {
    /// Linear layers of these widths, each with the default activation.
    pub fn of_widths(widths: &[usize]) -> Layers {
        let text = |width: &usize| layer(&format!("linear {width}"), 0).expect("a text of ours");
        Layers(widths.iter().map(text).collect())
    }

    /// The decoder that mirrors this encoder of data of the shape `input`, whose layers give `outputs` and have the activation
    /// `default` where they name none: each layer that has a mirror is grouped with those after it that have none, or that
    /// are residual blocks that keep their shape, and the groups are reversed. A group begins with the layer that leads back
    /// from the group behind it, or from the latent: a convolution if that is a picture.
    ///
    /// # Errors
    /// If the first layer keeps the shape of what it reads, or no layer leads back from another.
    #[doc(hidden)]
    pub fn mirrored(
        &self,
        input: Extent,
        outputs: &[Extent],
        latent: Option<Extent>,
        default: Activation,
    ) -> Result<Layers, String> {
        let inputs = std::iter::once(&input).chain(outputs);
        let shapes = inputs.zip(outputs).map(|(&from, &to)| Shapes { from, to });
        let mut groups: Vec<(Mirror, Shapes, Vec<LayerText>)> = Vec::new();
        for (text, shapes) in self.iter().zip(shapes) {
            // A residual block that keeps the shape goes with the layer before it.
            let keeps = shapes.from == shapes.to && !text.inner.is_empty();
            match (text.kind.mirror.filter(|_| !keeps), groups.last_mut()) {
                (Some(mirror), _) => groups.push((mirror, shapes, vec![text.clone()])),
                (None, Some((.., group))) => group.push(text.clone()),
                (None, None) => return Err(unled(text)),
            }
        }
        let mut layers = Vec::new();
        let mut back: Option<String> = None;
        for (number, (mirror, shapes, group)) in groups.iter().enumerate().rev() {
            let [lead, followers @ ..] = &group[..] else { unreachable!("a group has a layer") };
            let first = || match latent {
                Some(_) => format!("conv {}x3", shapes.to.channels),
                None => format!("linear {}", shapes.to),
            };
            let begin = layer(&back.unwrap_or_else(first), 0)?;
            // A sum has no activation, so neither has what stands in its place; and what a sum stands for may have one.
            let own = if lead.inner.is_empty() { lead.activation } else { Some(Activation::Identity) };
            let after = lead.activation.or(lead.kind.activates.then_some(default));
            let after = after.filter(|f| !begin.inner.is_empty() && *f != Activation::Identity);
            layers.push(LayerText { activation: own.filter(|_| begin.kind.activates), ..begin });
            if let Some(function) = after {
                layers.push(layer(function.name(), 0)?);
            }
            layers.extend(followers.iter().cloned());
            back = mirror(lead, *shapes, if number == 0 { Back::Output } else { Back::Layer });
            if back.is_none() && number > 0 {
                return Err(format!(
                    "no decoder mirrors `{lead}`: name the decoder's layers with `model.decoder`"
                ));
            }
        }
        if let Some(back) = back {
            layers.push(layer(&back, 0)?);
        }
        Ok(Layers(layers))
    }
}

impl TryFrom<String> for Layers {
    type Error = String;

    fn try_from(text: String) -> Result<Layers, String> {
        text.parse()
    }
}

impl FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Layers, String> {
        let layers = parse(text, 0)?;
        let count = layers.count();
        if count > MAX_LAYERS {
            return Err(format!("{count} layers: use {MAX_LAYERS} or fewer"));
        }
        layers.validate()?;
        Ok(layers)
    }
}

fn parse(text: &str, depth: usize) -> Result<Layers, String> {
    if depth > MAX_DEPTH {
        return Err(format!("layers are nested too deep: use {MAX_DEPTH} levels or fewer"));
    }
    split(text)?.into_iter().map(|text| layer(text.trim(), depth)).collect::<Result<_, _>>().map(Layers)
}

/// The parts between commas outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut begin, mut open) = (Vec::new(), 0, 0usize);
    for (at, character) in text.char_indices() {
        match character {
            '(' => open += 1,
            ')' => open = open.checked_sub(1).ok_or("a `)` without a `(`")?,
            ',' if open == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if open > 0 {
        return Err("a `(` without its `)`".into());
    }
    parts.push(&text[begin..]);
    Ok(parts)
}

fn layer(text: &str, depth: usize) -> Result<LayerText, String> {
    let (head, inner) = match text.split_once('(') {
        Some((head, rest)) => {
            let inner = rest.strip_suffix(')').ok_or_else(|| format!("`{text}`: nothing follows a `)`"))?;
            (head, parse(inner, depth + 1)?)
        }
        None => (text, Layers::default()),
    };
    let mut words: Vec<&str> = head.split_whitespace().collect();
    let activation =
        words.last().and_then(|word| Activation::ALL.iter().copied().find(|a| a.name() == *word));
    if activation.is_some() {
        words.pop();
    }
    let name = match (words.is_empty(), activation) {
        (true, Some(_)) => "activation",
        (true, None) => return Err("a layer is missing: write layers with commas between them".into()),
        _ => words.remove(0),
    };
    let kind = LAYERS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let known: Vec<_> = LAYERS.iter().map(|kind| format!("`{}`", kind.grammar)).collect();
        format!("`{name}` is not a layer: use {}", known.join(", "))
    })?;
    let arguments = words.into_iter().map(str::to_owned).collect();
    Ok(LayerText { kind, arguments, activation, inner })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelConfig;

    fn parsed(text: &str) -> Layers {
        text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn a_text_is_read_and_written() {
        for text in [
            "linear 400",
            "linear 400, linear 200 tanh",
            "linear 9, residual(linear 4, residual(linear 4), linear 9 identity), relu",
        ] {
            assert_eq!(parsed(text).to_string(), text);
            assert_eq!(String::from(parsed(text)), text);
        }
        for (a, b) in
            [("linear 4", "linear 5"), ("linear 4", "linear 4 relu"), ("relu", "tanh"), ("relu", "linear 4")]
        {
            assert_ne!(parsed(a), parsed(b));
            assert_ne!(parsed(&format!("residual({a})")), parsed(&format!("residual({b})")));
        }
        assert_eq!(parsed("  linear   4 ,relu").to_string(), "linear 4, relu");
        assert_eq!(parsed("linear 4, linear 2"), Layers::of_widths(&[4, 2]));
        for sample in LAYERS.iter().flat_map(|kind| kind.samples) {
            assert_eq!(parsed(sample).to_string(), *sample);
        }
    }

    #[test]
    fn a_bad_text_names_its_fault() {
        for (text, problem) in [
            ("", "a layer is missing"),
            ("linear 4,", "a layer is missing"),
            ("linear", "`linear`: write `linear N`"),
            ("linear 0", "a width N from 1"),
            ("linear 4 5", "`linear 4 5`"),
            ("linear 70000", "`linear 70000`"),
            ("linear(linear 4)", "`linear(linear 4)`"),
            ("convolve 4", "`convolve` is not a layer: use `linear N [ACTIVATION]`"),
            ("conv", "write `conv CxK/S`"),
            ("conv 4x8", "K to 7"),
            ("conv 4x3/5", "S to 4"),
            ("conv 4x3 pad 3", "`pad P` below K"),
            ("conv 4x3 to 7x7", "write `conv CxK/S`"),
            ("deconv 4x3 to 7", "`to HxW`"),
            ("deconv 4x3 to 7x7 pad 1", "`to HxW`"),
            ("linear 7x7", "a picture such as 7x7x64"),
            ("linear 300x300x3", "a picture such as 7x7x64"),
            ("norm group 4611686018427387905", "write `norm layer`"),
            ("residual", "write `residual(LAYERS)`"),
            ("residual()", "a layer is missing"),
            ("residual(linear 4", "a `(` without its `)`"),
            ("linear 4)", "a `)` without a `(`"),
            ("residual(linear 4) 7", "nothing follows"),
            ("identity", "`identity`"),
            ("relu 4", "`relu` is not a layer"),
            ("residual(residual(residual(residual(residual(residual(linear 4))))))", "nested too deep"),
        ] {
            let found = text.parse::<Layers>().unwrap_err();
            assert!(found.contains(problem), "{text:?}: {found}");
        }
        let many = vec!["linear 4"; 65].join(", ");
        assert!(many.parse::<Layers>().unwrap_err().starts_with("65 layers"));
    }

    /// The decoder of an encoder of pictures.
    fn mirrored(picture: Extent, encoder: &str) -> Result<String, String> {
        let config = ModelConfig {
            input: picture.len(),
            picture: Some(picture),
            encoder: Some(parsed(encoder)),
            ..ModelConfig::default()
        };
        config.decoder_layers().map(|layers| layers.to_string())
    }

    #[test]
    fn groups_of_layers_are_mirrored() {
        for (encoder, decoder) in [
            ("linear 4, linear 2", "linear 2, linear 4"),
            (
                "linear 4, relu, residual(linear 3, linear 4), linear 2 tanh",
                "linear 2 tanh, linear 4, relu, residual(linear 3, linear 4)",
            ),
        ] {
            assert_eq!(mirrored(Extent::row(9), encoder).as_deref(), Ok(decoder));
        }
        assert!(parsed("relu, linear 4").check_mirror().unwrap_err().contains("begins with `relu`"));
        let keeps = mirrored(Extent::row(9), "residual(linear 9), linear 4").unwrap_err();
        assert!(keeps.contains("begins with `residual(linear 9)`"), "{keeps}");
    }

    #[test]
    fn convolutions_are_mirrored_by_what_leads_back() {
        let square = |side, channels| Extent { height: side, width: side, channels };
        for (picture, encoder, decoder) in [
            (
                square(28, 1),
                "conv 32x4/2, conv 64x4/2, linear 256",
                "linear 256, linear 7x7x64, deconv 32x4/2, deconv 4/2",
            ),
            (
                square(32, 3),
                "conv 8x3, relu, conv 16x4/2 tanh, residual(conv 16x3)",
                "linear 16x16x16 tanh, residual(conv 16x3), deconv 8x4/2, relu, deconv 3",
            ),
            // Seven is no multiple of two.
            (square(14, 1), "conv 4x4/2, conv 6x4/2", "linear 3x3x6, deconv 4x4/2 to 7x7, deconv 4/2"),
            (square(4, 5), "conv 7x4/1 pad 0 silu", "linear 7 silu, deconv 4 pad 0"),
            (square(4, 1), "deconv 3x4/2, conv 2x4/2", "linear 4x4x2, deconv 3x4/2, conv 4/2"),
            (
                square(8, 1),
                "conv 4x3, residual(conv 6x3/2, conv 6x3 identity), elu, linear 9",
                "linear 9, linear 4x4x6 identity, elu, residual(deconv 6x3, deconv 4x3/2 identity), relu, deconv 3",
            ),
            // What begins a block without a mirror begins its mirror too; a pool has no activation to give.
            (
                square(8, 1),
                "conv 12x3, residual(norm layer, relu, conv 16x3/2), relu, linear 9",
                "linear 9, linear 4x4x16 identity, relu, residual(norm layer, relu, deconv 12x3/2), relu, deconv 3",
            ),
            (
                square(8, 1),
                "conv 12x3 tanh, residual(pool 2, conv 16x3, conv 16x3 identity), linear 9",
                "linear 9, linear 4x4x16 identity, residual(deconv 16x3, deconv 12x3, upsample 2), tanh, deconv 3",
            ),
            (
                square(8, 1),
                "residual(conv 6x4/2 identity, norm batch, tanh, conv 7x3 identity, norm batch), relu",
                "linear 4x4x7 identity, relu, deconv 4/2",
            ),
        ] {
            assert_eq!(mirrored(picture, encoder).as_deref(), Ok(decoder), "{encoder}");
        }
        let cut = mirrored(square(128, 3), "conv 8x3, residual(pool 3, conv 16x3), linear 9").unwrap_err();
        assert!(cut.contains("mirrors `residual(pool 3, conv 16x3)`") && !cut.contains("begins"), "{cut}");
        let unfit = mirrored(square(3, 1), "conv 4x7/1 pad 0").unwrap_err();
        assert!(unfit.contains("does not fit a picture of 3x3x1"), "{unfit}");
        let long = mirrored(square(8, 1), "conv 5000x7/4, linear 9").unwrap_err();
        assert!(long.contains("sums 7x7 positions of 5000 channels, more than 200000 numbers"), "{long}");
    }
}
