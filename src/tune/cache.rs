//! Tunings on disk: one JSON file per adapter in the user's cache folder. An unusable file is ignored with a warning,
//! since it costs only time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::AdapterReport;
use crate::kernels::matmul::{self, Layout};
use crate::kernels::tuning::{F16, Tuning};
use crate::run::write_atomic;

/// A cache file is a few kilobytes; anything larger is not one.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Adapter, driver, backend and crate version: everything that a measurement depends on.
    key: String,
    choices: BTreeMap<String, String>,
}

fn key(report: &AdapterReport) -> String {
    let AdapterReport { name, backend, driver, driver_info, .. } = report;
    format!("{name} | {backend} | {driver} | {driver_info} | vae-gpu {}", env!("CARGO_PKG_VERSION"))
}

/// The folder of tunings: `vae-gpu` in the user's cache folder, if there is one.
pub fn default_folder() -> Option<PathBuf> {
    dirs::cache_dir().map(|folder| folder.join("vae-gpu"))
}

/// The file of an adapter. Its name has only letters and digits: an adapter's name must not form a path.
fn file(folder: &Path, report: &AdapterReport) -> PathBuf {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
    };
    let mut name = plain(&report.name);
    name.truncate(80);
    folder.join(format!("tuning-{name}-{}.json", plain(&report.backend)))
}

/// The adapter's tuning; empty if the file is missing, damaged, or for another driver or version.
pub fn load(folder: &Path, report: &AdapterReport) -> Tuning {
    let path = file(folder, report);
    match read(&path) {
        Ok(None) => Tuning::default(),
        Ok(Some(found)) if found.key == key(report) => {
            let choices = found.choices.into_iter().filter(|(product, name)| fits(product, name, report));
            Tuning::from_choices(choices)
        }
        Ok(Some(_)) => {
            log::warn!(
                "{} is for another driver or version and is ignored; `vae-gpu tune` renews it",
                path.display()
            );
            Tuning::default()
        }
        Err(problem) => {
            log::warn!("{} is ignored: {problem}; `vae-gpu tune` renews it", path.display());
            Tuning::default()
        }
    }
}

/// Whether the variant supports the product on this adapter: a file must not make a wrong kernel run.
fn fits(product: &str, name: &str, report: &AdapterReport) -> bool {
    let layouts = [("NN", Layout::NN), ("NT", Layout::NT), ("TN", Layout::TN)];
    let layout = layouts.iter().find(|(text, _)| product.starts_with(text));
    match (layout, matmul::named(name)) {
        (Some((_, layout)), Some(variant)) => {
            let target = if product.ends_with(F16) { report.target_f16() } else { report.target() };
            variant.fits(&target, *layout) && variant.is_f16() == target.f16
        }
        _ => false,
    }
}

fn read(path: &Path) -> Result<Option<File>, String> {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(metadata) if metadata.len() > MAX_BYTES => return Err("it is too large".into()),
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map(Some).map_err(|e| e.to_string())
}

/// Adds a tuning to the adapter's file.
pub fn save(folder: &Path, report: &AdapterReport, tuning: &Tuning) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    let mut all = load(folder, report);
    all.extend(tuning.clone());
    let file_content = File { key: key(report), choices: all.choices().clone() };
    let path = file(folder, report);
    write_atomic(&path, |out| Ok(serde_json::to_writer_pretty(out, &file_content)?))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Gpu;

    fn tuning(name: &str) -> Tuning {
        Tuning::from_choices([("NT 128x784x400".to_owned(), name.to_owned())])
    }

    #[test]
    fn a_tuning_comes_back_and_others_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let report = Gpu::noop().report().clone();
        save(folder.path(), &report, &tuning("tiled-64")).unwrap();
        let other = Tuning::from_choices([("NN 1x1x1".to_owned(), "tiled-32".to_owned())]);
        save(folder.path(), &report, &other).unwrap();
        let mut expected = tuning("tiled-64");
        expected.extend(other);
        assert_eq!(load(folder.path(), &report), expected);
    }

    #[test]
    fn what_does_not_fit_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let report = Gpu::noop().report().clone();
        assert!(load(folder.path(), &report).choices().is_empty());
        let path = save(folder.path(), &report, &tuning("tiled-64")).unwrap();
        // Another driver; damage; a variant that no longer exists; one that this adapter cannot run.
        let newer = AdapterReport { driver_info: "2.0".into(), ..report.clone() };
        assert!(load(folder.path(), &newer).choices().is_empty());
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(load(folder.path(), &report).choices().is_empty());
        for name in ["no-such", "subgroup8-32x1"] {
            fs::write(&path, whole.replace("tiled-64", name)).unwrap();
            assert!(load(folder.path(), &report).choices().is_empty(), "{name}");
        }
        // The next measurement replaces it.
        save(folder.path(), &report, &tuning("tiled-64")).unwrap();
        assert_eq!(load(folder.path(), &report), tuning("tiled-64"));
    }

    #[test]
    fn an_adapters_name_stays_in_the_folder() {
        let report = AdapterReport { name: "../../etc/passwd\0".into(), ..Gpu::noop().report().clone() };
        assert_eq!(file(Path::new("cache"), &report).parent(), Some(Path::new("cache")));
    }
}
