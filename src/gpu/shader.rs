//! Composes a shader: resolves `#import shared/NAME` and sets the value of `const NAME: u32 = ..;` lines.
//!
//! Nothing else happens to the text: readers, editors and naga understand the files in `shaders/` as they are.

use std::collections::BTreeSet;

use crate::plan::Const;

macro_rules! shared {
    ($($name:literal)+) => {
        &[$((concat!("shared/", $name), include_str!(concat!("../../shaders/shared/", $name, ".wgsl")))),+]
    };
}

/// The files that others import.
const SHARED: &[(&str, &str)] = shared![
    "activation"
    "adam"
    "conv"
    "conv_operand_images"
    "conv_operands"
    "conv_subgroup"
    "conv_tiled"
    "conv_weights"
    "conv_weights_subgroup"
    "conv_weights_tiled"
    "cooperative"
    "epilogue"
    "fetch"
    "gaussian"
    "image"
    "index"
    "kl"
    "likelihood"
    "logistic"
    "mask"
    "matmul"
    "multiply"
    "operand_images"
    "operands"
    "pair"
    "philox"
    "place"
    "pointwise"
    "portable"
    "row_sum"
    "step"
    "tile"
    "tree_sum"
    "values"
    "weights_operand_images"
    "weights_operands"
];

/// Why a shader could not be composed: always a mistake in the crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// `#import` of a file that is not among the shared ones.
    #[error("unknown import {0}")]
    UnknownImport(String),
    /// A line that starts with `#` and is not an import.
    #[error("unknown directive {0}")]
    UnknownDirective(String),
    /// A constant to set that has no `const NAME: u32 = ..;` line.
    #[error("no line `const {0}: u32 = ..;`")]
    UnknownConst(String),
}

/// The complete WGSL of `source` with the values of `consts`. Each import is included once, before its first use.
pub fn compose(source: &str, consts: &[Const]) -> Result<String, ComposeError> {
    let mut text = String::new();
    let mut unset: BTreeSet<&str> = consts.iter().map(|(name, _)| *name).collect();
    expand(source, consts, &mut unset, &mut BTreeSet::new(), &mut text)?;
    match unset.first() {
        Some(name) => Err(ComposeError::UnknownConst((*name).to_owned())),
        None => Ok(text),
    }
}

fn expand(
    source: &str,
    consts: &[Const],
    unset: &mut BTreeSet<&str>,
    included: &mut BTreeSet<String>,
    text: &mut String,
) -> Result<(), ComposeError> {
    for line in source.lines() {
        if let Some(directive) = line.strip_prefix('#') {
            let name = directive
                .strip_prefix("import ")
                .ok_or_else(|| ComposeError::UnknownDirective(line.to_owned()))?
                .trim();
            let (_, module) = SHARED
                .iter()
                .find(|(shared, _)| *shared == name)
                .ok_or_else(|| ComposeError::UnknownImport(name.to_owned()))?;
            if included.insert(name.to_owned()) {
                expand(module, consts, unset, included, text)?;
            }
        } else if let Some((name, value)) = const_line(line).and_then(|name| find(consts, name)) {
            unset.remove(name);
            text.push_str(&format!("const {name}: u32 = {value}u;\n"));
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(())
}

/// The name in a line `const NAME: u32 = ..;`.
fn const_line(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix("const ")?.split_once(':')?;
    rest.trim_start().starts_with("u32 =").then_some(name)
}

fn find<'a>(consts: &[(&'a str, u32)], name: &str) -> Option<(&'a str, u32)> {
    consts.iter().copied().find(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_a_const_line_and_nothing_else() {
        let text = compose("const ROWS: u32 = 8u; // tile\nlet x = ROWS;\n", &[("ROWS", 32)]).unwrap();
        assert_eq!(text, "const ROWS: u32 = 32u;\nlet x = ROWS;\n");
    }

    #[test]
    fn includes_an_import_once() {
        let text = compose("#import shared/index\n#import shared/index\n", &[]).unwrap();
        assert_eq!(text.matches("fn linear_index").count(), 1);
    }

    #[test]
    fn unknown_names_are_errors() {
        assert_eq!(
            compose("#import shared/no_such\n", &[]),
            Err(ComposeError::UnknownImport("shared/no_such".into()))
        );
        assert_eq!(compose("#define X\n", &[]), Err(ComposeError::UnknownDirective("#define X".into())));
        assert_eq!(compose("let x = 1;\n", &[("ROWS", 1)]), Err(ComposeError::UnknownConst("ROWS".into())));
    }
}
