//! The README and the guide, tested: their commands run on small data, in the order of the text; their links resolve;
//! their figures agree.

#[path = "common/commands.rs"]
mod commands;
mod common;
#[path = "common/foreign.rs"]
mod foreign;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use scratch::Scratch;
use vae_gpu::data::write::Matrix;

/// Subcommands that measure for long, and flags that not every adapter supports: `src/cli/examples.rs` only parses
/// them.
const LEFT_OUT: [&str; 5] = ["check", "bench", "tune", "--precision", "--device"];

/// The README, and the chapters by name.
fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = fs::read_dir(root.join("src/guide")).unwrap().map(|entry| entry.unwrap().path());
    let mut chapters: Vec<PathBuf> = chapters.collect();
    chapters.sort();
    [vec![root.join("README.md")], chapters].concat()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A text without its code blocks.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

/// The data that the texts mention, as small as possible. MNIST is a folder here.
fn with_data() -> Scratch {
    let scratch = Scratch::new();
    for name in ["mnist", "fashion"] {
        tiny::write_folder(&scratch.path(name), 256, 64);
    }
    let pixels = tiny::images(48);
    for name in ["big.npy", "new.npy"] {
        scratch.write(name, foreign::npy("|u1", "48, 8, 8", &pixels));
    }
    let (imgs, names) = (foreign::npy("|u1", "48, 8, 8", &pixels), foreign::npy("|u1", "48", &pixels[..48]));
    scratch.write("digits.npz", foreign::npz(&[("imgs", imgs), ("other", names)]));
    let row = |i: usize| format!("{},{},{},{}", i % 7, i * i % 11, i as f32 / 10.0, 3 + i % 4);
    let rows: Vec<String> = (0..100).map(row).collect();
    fs::create_dir(scratch.path("backup")).unwrap();
    for name in ["wine.csv", "backup/wine.csv", "new.csv"] {
        scratch.write(name, format!("acidity,sugar,alcohol,quality\n{}\n", rows.join("\n")));
    }
    let names = ["a", "b", "c"].map(str::to_owned);
    for (name, count) in [("a.parquet", 90), ("b.parquet", 30)] {
        let values: Vec<f32> = (0..3 * count).map(|i| (i * 7 % 13) as f32).collect();
        let mut bytes = Vec::new();
        Matrix::Parquet.write(&mut bytes, &names, 3, &values).unwrap();
        scratch.write(name, bytes);
    }
    for (i, label) in ["cats", "dogs"].iter().cycle().take(24).enumerate() {
        let folder = scratch.path("photos").join(label);
        fs::create_dir_all(&folder).unwrap();
        let side = 8 + i as u32;
        image::RgbImage::from_fn(side, 10, |x, y| image::Rgb([(x * 9) as u8, (y * 20) as u8, 10 * i as u8]))
            .save(folder.join(format!("{i}.png")))
            .unwrap();
    }
    scratch
}

/// A `train` command that does the same with little work.
fn in_little(mut words: Vec<String>) -> Vec<String> {
    let has = |flag: &str, words: &[String]| words.iter().any(|word| word == flag);
    for (flag, small) in [("--epochs", "2"), ("--scale", "0.001"), ("--image-size", "8x8")] {
        if let Some(at) = words.iter().position(|word| *word == flag) {
            words[at + 1] = small.into();
        }
    }
    // 10,000 pictures are many.
    if let Some(at) = words.iter().position(|word| word == "shapes") {
        words[at] = "photos".into();
        words.extend(["--image-size", "8x8"].map(String::from));
    }
    let told = ["--preset", "--config", "--resume"].iter().any(|flag| has(flag, &words));
    if !has("--data", &words) && !has("--config", &words) && !has("--resume", &words) {
        words.extend(["--data", "./mnist"].map(String::from));
    }
    for (flag, small) in [("--epochs", "1"), ("--hidden", "8"), ("--batch-size", "16")] {
        let layers = ["--encoder", "--net", "--latent-size"].iter().any(|flag| has(flag, &words));
        let named = has(flag, &words) || flag == "--hidden" && layers;
        if !told && !named {
            words.extend([flag, small].map(String::from));
        }
    }
    words
}

#[test]
fn every_command_works() {
    let scratch = with_data();
    let mut ran = BTreeSet::new();
    for text in texts() {
        for command in commands::of_markdown(&read(&text)) {
            let words = commands::words(&command);
            if LEFT_OUT.iter().any(|left| words.iter().any(|word| word == left))
                || !ran.insert(command.clone())
            {
                continue;
            }
            // A text begins anew.
            if let (true, Some(at)) = (words[1] == "train", words.iter().position(|word| word == "--out")) {
                let _ = fs::remove_dir_all(scratch.path(&words[at + 1]));
            }
            let words = if words[1] == "train" { in_little(words) } else { words };
            let output = scratch.std_command("").args(&words[1..]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {command}\n{words:?}\n{said}", text.display());
        }
    }
    assert!(ran.len() > 50, "{} commands", ran.len());
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for text in texts().into_iter().filter(|text| !text.ends_with("links.md")) {
        let content = prose(&read(&text));
        let inline = content.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined =
            content.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ")).map(|d| d.1);
        for link in inline.chain(defined) {
            if link.starts_with("https://") || link.starts_with("crate::") || link.starts_with('#') {
                continue;
            }
            count += 1;
            assert!(text.parent().unwrap().join(link).exists(), "{}: {link}", text.display());
        }
    }
    assert!(count > 30, "{count} links");
}

/// In the Markdown source, a chapter's name links to its file; in the documentation `links.md` links it to its module.
#[test]
fn every_chapter_that_is_named_is_linked() {
    let links = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/links.md"));
    let names: Vec<&str> =
        links.lines().filter_map(|line| line.strip_prefix('[')?.split("]: ").next()).collect();
    let modules = links.lines().filter_map(|line| line.split("]: crate::guide::").nth(1));
    let mut modules: Vec<String> = modules.map(|module| format!("{module}.md")).collect();
    modules.push("links.md".into());
    modules.sort();
    let texts = texts();
    let files = texts[1..].iter().map(|text| text.file_name().unwrap().to_string_lossy().into_owned());
    assert_eq!(files.collect::<Vec<_>>(), modules);
    for text in texts[1..].iter().filter(|text| !text.ends_with("links.md")) {
        let content = prose(&read(text));
        for name in &names {
            let uses = content.matches(&format!("[{name}]")).count();
            let defined = usize::from(content.contains(&format!("\n[{name}]: ")));
            assert!(uses == 0 || defined == 1 && uses > 1, "{}: [{name}]", text.display());
        }
    }
}

#[test]
fn the_readme_is_short() {
    let size = read(&texts()[0]).len();
    assert!(size <= 12 << 10, "README.md has {size} bytes, and may have 12 KiB");
}

/// The first listing ends with the ELBO that the results tables give for the defaults.
#[test]
fn the_listing_is_the_run_of_the_results() {
    let readme = read(&texts()[0]);
    let best = readme.split("best test ELBO ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let last = readme.lines().find(|line| line.starts_with("epoch  10/10")).unwrap();
    assert!(last.contains(&format!("test {best} ")), "{last}");
    let rounded = format!("| ELBO {:.1}", best.parse::<f64>().unwrap());
    let results = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/results.md"));
    for text in [&readme, &results] {
        let row = text.lines().find(|line| line.starts_with("| (") && line.contains("defaults")).unwrap();
        assert!(row.contains(&rounded), "{row} has not {rounded}");
    }
}
