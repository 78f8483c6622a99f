//! Reads the text of layers in flags and configuration files: `linear 400, residual(linear 200, linear 400), relu`.

use std::str::FromStr;

use super::LAYERS;
use super::kind::{LayerText, Layers};
use crate::kernels::activation::Activation;
use crate::settings::Named;

/// Most layers in one list, nested ones included: a hostile file could name a million.
const MAX_LAYERS: usize = 64;
/// Most levels of nested lists.
const MAX_DEPTH: usize = 4;

impl Layers {
    /// Linear layers of these widths, each with the default activation.
    pub fn of_widths(widths: &[usize]) -> Layers {
        let linear = LAYERS.iter().find(|kind| kind.name == "linear").expect("a line of the table");
        let layer = |width: &usize| LayerText {
            kind: linear,
            arguments: vec![width.to_string()],
            activation: None,
            inner: Layers::default(),
        };
        Layers(widths.iter().map(layer).collect())
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
            ("conv 4", "`conv` is not a layer: use `linear N [ACTIVATION]`"),
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

    #[test]
    fn groups_of_layers_are_mirrored() {
        for (encoder, decoder) in [
            ("linear 4, linear 2", "linear 2, linear 4"),
            (
                "linear 4, relu, residual(linear 3, linear 4), linear 2 tanh",
                "linear 2 tanh, linear 4, relu, residual(linear 3, linear 4)",
            ),
        ] {
            assert_eq!(parsed(encoder).mirrored().map(|layers| layers.to_string()).as_deref(), Ok(decoder));
        }
        assert!(parsed("relu, linear 4").mirrored().unwrap_err().contains("begins with `relu`"));
    }
}
