//! What to do with a run that has just been made.

use std::path::Path;

use super::output::talk;
use crate::data::Shape;
use crate::model::ModelConfig;

/// Names three commands for the run.
pub fn tell(run: &Path, model: &ModelConfig, shape: Shape) {
    let commands = commands(run, model, shape);
    let width = commands.iter().map(|(command, _)| command.chars().count()).max();
    let width = width.unwrap_or_default();
    for (number, (command, what)) in commands.iter().enumerate() {
        let head = if number == 0 { "next" } else { "" };
        talk(format_args!("{head:<8} {command:<width$}   # {what}"));
    }
}

/// The commands, each with what it does.
fn commands(run: &Path, model: &ModelConfig, shape: Shape) -> [(String, &'static str); 3] {
    let run = quoted(run);
    let sample = ("sample {}", "what the model draws by itself, in samples.png");
    let sample_rows = ("sample {} --count 1000 --out rows.csv", "rows as the model draws them");
    let reconstruct = ("reconstruct {}", "test images above what the model makes of them");
    let traverse = ("traverse {}", "what each latent dimension does");
    // A conditional model wants a label: that of the image.
    let traverse_image = ("traverse {} --image 0", "what each latent dimension does to the first test image");
    let manifold = ("manifold {}", "the whole latent space in one picture");
    let encode = ("encode {} --out codes.csv", "a code for each datum");
    let score = ("score {} --out scores.csv", "the strangest data first");
    let chosen = match (shape.is_picture(), model.has_kl()) {
        (true, true) if model.classes > 0 => [sample, reconstruct, traverse_image],
        (true, true) if model.latent == 2 => [sample, reconstruct, manifold],
        (true, true) => [sample, reconstruct, traverse],
        (true, false) => [reconstruct, encode, score],
        (false, true) => [sample_rows, score, encode],
        // An autoencoder has no distribution to draw from.
        (false, false) => [score, encode, ("evaluate {}", "how well the model rebuilds test data")],
    };
    chosen.map(|(command, what)| (format!("vae-gpu {}", command.replace("{}", &run)), what))
}

/// A path as one word of a command line.
pub fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c) || cfg!(windows) && c == '\\';
    match path.chars().all(plain) && !path.is_empty() {
        true => path,
        false if cfg!(windows) => format!("\"{path}\""),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn every_command_is_one_that_the_program_takes() {
        let picture = Shape { width: 8, height: 8, channels: 1 };
        for shape in [picture, Shape::table(5), Shape { channels: 5, ..picture }] {
            for (kind, latent, classes) in [("vae", 20, 0), ("vae", 2, 0), ("vae", 2, 10), ("ae", 2, 0)] {
                let kind = kind.to_owned();
                let model = ModelConfig { kind, latent, classes, ..ModelConfig::default() };
                let told = commands(Path::new("runs/a run"), &model, shape);
                let quote = if cfg!(windows) { '"' } else { '\'' };
                let path = format!("{quote}runs/a run{quote}");
                for (command, _) in &told {
                    assert!(command.contains(&path), "{command}");
                    let words = command.replace(&path, "run");
                    Cli::command().try_get_matches_from(words.split(' ')).unwrap();
                }
                let names = told.each_ref().map(|(command, _)| command.split(' ').nth(1).unwrap().to_owned());
                let has = |name: &str| names.iter().any(|found| found == name);
                assert_eq!(has("sample"), model.kind == "vae");
                let whole = shape == picture && model.kind == "vae" && latent == 2 && classes == 0;
                assert_eq!(has("manifold"), whole);
            }
        }
    }
}
