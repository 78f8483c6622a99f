//! Finds the pictures of a folder, each page of a file of several by itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::natural;
use super::tiff_pages;
use crate::error::{Error, Result};

/// The endings of pictures, in small letters.
pub(in super::super) const EXTENSIONS: [&str; 15] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "webp", "tif", "tiff", "gif", "pgm", "ppm", "pbm",
    "pnm",
];
/// Files that systems leave behind in folders; nobody takes them for data.
const LITTER: [&str; 3] = ["thumbs.db", "desktop.ini", "__macosx"];
/// Files of a run beside its configuration: any of them, and the folder is one.
const RUN_FILES: [&str; 4] =
    ["model.safetensors", "checkpoint.safetensors", "checkpoint.previous.safetensors", "metrics.csv"];
/// Most levels of folders searched.
const MAX_DEPTH: usize = 32;

/// A picture, and the sub-folders that lead to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub path: PathBuf,
    pub folders: Vec<String>,
    /// The page of a file of several: its number from 1, and where it stands in the file.
    pub page: Option<(usize, u64)>,
    /// The picture itself, where it is no file: its path is then what its source calls it.
    pub bytes: Option<Arc<[u8]>>,
}

impl Found {
    /// Its path below the source's folder, with `/` on every system; page 2 of a file of several is `file.tif#2`.
    pub(super) fn name(&self) -> String {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        let folders: String = self.folders.iter().map(|folder| format!("{folder}/")).collect();
        folders + &file + &self.number()
    }

    /// Where it is, for messages.
    pub(super) fn shown(&self) -> String {
        format!("{}{}", self.path.display(), self.number())
    }

    fn number(&self) -> String {
        self.page.map(|(number, _)| format!("#{number}")).unwrap_or_default()
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Searched {
    /// In the natural order of names.
    pub pictures: Vec<Found>,
    /// Files that are no pictures of a known format.
    pub others: Vec<String>,
    /// Folders of runs, whose pictures are no data.
    pub runs: Vec<String>,
    /// Folders that were searched: one that several links lead to is searched once.
    seen: BTreeSet<PathBuf>,
}

/// What is below a folder, up to `most` pictures; or the one file.
pub(super) fn search(source: &Path, most: usize) -> Result<Searched> {
    let mut searched = Searched::default();
    if source.is_file() {
        searched.pictures.push(Found {
            path: source.to_owned(),
            folders: Vec::new(),
            page: None,
            bytes: None,
        });
        return Ok(searched);
    }
    searched.descend(source, &mut Vec::new(), most)?;
    Ok(searched)
}

impl Searched {
    fn descend(&mut self, folder: &Path, folders: &mut Vec<String>, most: usize) -> Result<()> {
        let unreadable = |error| Error::io("read", folder, error);
        // A link back up, or a second link to the same folder.
        if folders.len() > MAX_DEPTH || !self.seen.insert(folder.canonicalize().map_err(unreadable)?) {
            return Ok(());
        }
        let mut entries: Vec<(String, OsString, PathBuf)> = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let shown = name.to_string_lossy().into_owned();
            if !shown.starts_with('.') && !LITTER.contains(&shown.to_lowercase().as_str()) {
                entries.push((shown, name, entry.path()));
            }
        }
        entries.sort_by(|a, b| natural::compare(&a.0, &b.0).then_with(|| a.1.cmp(&b.1)));
        for (name, _, path) in entries {
            if self.pictures.len() >= most {
                break;
            }
            if path.is_dir() {
                folders.push(name);
                if is_run(&path) {
                    self.runs.push(folders.join("/"));
                    folders.pop();
                    continue;
                }
                self.descend(&path, folders, most)?;
                folders.pop();
                continue;
            }
            let found = Found { path, folders: folders.clone(), page: None, bytes: None };
            if is_picture(&found.path) {
                self.pictures.push(found);
            } else {
                self.others.push(found.name());
            }
        }
        Ok(())
    }

    /// The same, with each page of a file of several pages as a picture of its own; and how many such files there are.
    pub(super) fn with_pages(mut self) -> (Searched, usize) {
        let mut files = 0;
        let pages = |found: Found| {
            let pages = match extension(&found.path).as_deref() {
                Some("tif" | "tiff") => tiff_pages::offsets(&found.path),
                _ => Vec::new(),
            };
            if pages.len() < 2 {
                return vec![found];
            }
            files += 1;
            let page = |(i, at): (usize, u64)| Found { page: Some((i + 1, at)), ..found.clone() };
            pages.into_iter().enumerate().map(page).collect()
        };
        self.pictures = self.pictures.into_iter().flat_map(pages).collect();
        (self, files)
    }
}

pub(super) fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase())
}

/// Whether a folder is one of a run: its pictures show what a model has learnt.
fn is_run(folder: &Path) -> bool {
    folder.join("config.toml").is_file() && RUN_FILES.iter().any(|name| folder.join(name).exists())
}

/// By the ending of the name or, where there is none, by the first bytes.
fn is_picture(path: &Path) -> bool {
    if let Some(extension) = extension(path) {
        return EXTENSIONS.contains(&extension.as_str());
    }
    let mut start = [0; 16];
    // What is no file, such as a pipe, would wait for somebody to write.
    if !path.is_file() {
        return false;
    }
    let read = File::open(path).and_then(|mut file| file.read(&mut start));
    read.is_ok_and(|read| image::guess_format(&start[..read]).is_ok_and(|format| format.reading_enabled()))
}
