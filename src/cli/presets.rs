//! `vae-gpu presets`.

use super::args::PresetsArgs;
use super::output::result;
use crate::error::Result;
use crate::train::presets::{Preset, TABLE};

/// Columns of a line of text.
const WIDTH: usize = 110;

pub fn run(args: &PresetsArgs) -> Result<()> {
    if args.json {
        let list: Vec<_> = TABLE.iter().map(json).collect();
        let text = serde_json::to_string_pretty(&list).expect("plain text");
        result(format_args!("{text}"));
        return Ok(());
    }
    for preset in TABLE {
        result(format_args!("{}", preset.name));
        for (what, text) in [
            ("trains", preset.about),
            ("source", preset.source),
            ("published", preset.published),
            ("differs", preset.differs),
        ] {
            print(what, text);
        }
    }
    Ok(())
}

fn json(preset: &Preset) -> serde_json::Value {
    serde_json::json!({
        "name": preset.name,
        "about": preset.about,
        "source": preset.source,
        "published": preset.published,
        "differs": preset.differs,
        "config": (preset.config)().to_toml(),
    })
}

/// A word, and a text beside it in as many lines as it needs.
fn print(what: &str, text: &str) {
    let mut line = format!("  {what:<10}");
    let indent = line.len();
    for word in text.split_whitespace() {
        if line.len() + word.len() > WIDTH && line.len() > indent {
            result(format_args!("{}", line.trim_end()));
            line = " ".repeat(indent);
        }
        line += word;
        line.push(' ');
    }
    result(format_args!("{}", line.trim_end()));
}
