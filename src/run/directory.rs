//! The folder of a run, and its files.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::{EVENT_FILE, TEMPORARY};
use crate::error::{Error, Result};

/// The parent of runs without a folder of their own.
const RUNS: &str = "runs";
const CONFIG: &str = "config.toml";
const MODEL: &str = "model.safetensors";
const CHECKPOINT: &str = "checkpoint.safetensors";
const PREVIOUS: &str = "checkpoint.previous.safetensors";
const METRICS: &str = "metrics.csv";
const METRICS_JSON: &str = "metrics.jsonl";
const REPORT: &str = "report.html";
const EVENTS: &str = "tensorboard";
const CURVES: &str = "curves.png";
const SAMPLES: &str = "samples";
const RECONSTRUCTIONS: &str = "reconstructions";

/// A folder with any of these holds a run. The configuration is last, so it is deleted last.
const FILES: [&str; 8] = [REPORT, CURVES, METRICS_JSON, METRICS, MODEL, PREVIOUS, CHECKPOINT, CONFIG];
/// The page of `vae-gpu explore`, which a run may have beside these.
const PAGE: &str = "explore.html";

/// The file that a training process keeps locked.
const LOCK: &str = ".lock";

/// The right to write into a run directory. The operating system releases it when the owner ends, even in a crash.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Locks the folder `root`.
    fn take(root: &Path) -> Result<RunLock> {
        let path = root.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| Error::io("write", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Usage(format!(
                "{} is in use: another process is training there\n  \
                 wait until it ends, or name another folder with `run.out`",
                root.display()
            ))),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path, error)),
        }
    }
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// Makes the folder of a new run: `out`, or `runs/DATA-MODEL-N` with a unique N, even if several programs ask at
    /// once. With `force`, deletes the run in `out` and nothing else there, so call this after everything that can fail
    /// cheaply.
    ///
    /// # Errors
    /// [`Error::Usage`] if `out` is a file, holds a run and `force` is not given, or is being written by another process;
    /// [`Error::Io`].
    pub fn create(out: Option<&Path>, data: &str, model: &str, force: bool) -> Result<(RunDir, RunLock)> {
        let (root, lock) = match out {
            Some(out) => claim(out, force)?,
            None => {
                let root = create_numbered(Path::new(RUNS), data, model)?;
                let lock = RunLock::take(&root)?;
                (root, lock)
            }
        };
        Ok((RunDir { root }, lock))
    }

    /// Makes the checks of [`RunDir::create`] before any work is done.
    ///
    /// # Errors
    /// [`Error::Usage`] if `out` is a file, or holds a run and `force` is not given.
    pub fn check(out: &Path, force: bool) -> Result<()> {
        held(out, force).map(|_| ())
    }

    /// Locks the folder, as is needed to resume a run.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process holds the lock; [`Error::Io`].
    pub fn lock(&self) -> Result<RunLock> {
        RunLock::take(&self.root)
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// [`Error::File`] if `path` is not a run; the message suggests runs inside or beside it.
    pub fn open(path: &Path) -> Result<RunDir> {
        if path.join(CONFIG).is_file() {
            return Ok(RunDir { root: path.to_owned() });
        }
        let problem = if path.is_dir() {
            format!("not a run directory: it has no {CONFIG}")
        } else if path.exists() {
            "not a run directory but a file".to_owned()
        } else {
            "no such run directory".to_owned()
        };
        Err(Error::file(path, problem, suggest(path)))
    }

    /// What the run is called: as its folder.
    pub fn name(&self) -> String {
        let root = std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
        root.file_name().map_or_else(|| root.display().to_string(), |name| name.display().to_string())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration: TOML.
    pub fn config(&self) -> PathBuf {
        self.root.join(CONFIG)
    }

    /// The last parameters or, if the configuration asks for it, the best so far: safetensors.
    pub fn model(&self) -> PathBuf {
        self.root.join(MODEL)
    }

    /// The checkpoint before the last one: safetensors.
    pub fn previous_checkpoint(&self) -> PathBuf {
        self.root.join(PREVIOUS)
    }

    /// The last parameters and optimiser state: safetensors.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join(CHECKPOINT)
    }

    /// One row per epoch: CSV.
    pub fn metrics(&self) -> PathBuf {
        self.root.join(METRICS)
    }

    /// The same rows, one JSON object per line: JSONL.
    pub fn metrics_json(&self) -> PathBuf {
        self.root.join(METRICS_JSON)
    }

    /// The whole run in one file: HTML.
    pub fn report(&self) -> PathBuf {
        self.root.join(REPORT)
    }

    /// Where `vae-gpu explore` puts its page: HTML.
    pub fn page(&self) -> PathBuf {
        self.root.join(PAGE)
    }

    /// The same, where it holds the weights that the run has now.
    pub fn fresh_page(&self) -> Option<PathBuf> {
        let written = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        let (page, model) = (written(&self.page())?, written(&self.model())?);
        (page >= model).then(|| self.page())
    }

    /// Folder of the event files for TensorBoard.
    pub fn events(&self) -> PathBuf {
        self.root.join(EVENTS)
    }

    /// The metrics as a picture: PNG.
    pub fn curves(&self) -> PathBuf {
        self.root.join(CURVES)
    }

    /// Samples from the prior after `epoch`: PNG.
    pub fn sample(&self, epoch: u32) -> PathBuf {
        self.root.join(SAMPLES).join(picture_name(epoch))
    }

    /// Test data and its reconstructions after `epoch`: PNG.
    pub fn reconstruction(&self, epoch: u32) -> PathBuf {
        self.root.join(RECONSTRUCTIONS).join(picture_name(epoch))
    }
}

/// `epoch-0001.png`; from 10,000 on the number has more digits.
fn picture_name(epoch: u32) -> String {
    format!("epoch-{epoch:04}.png")
}

fn is_picture_name(name: &str) -> bool {
    let number = name.strip_prefix("epoch-").and_then(|rest| rest.strip_suffix(".png"));
    number.and_then(|digits| digits.parse().ok()).is_some_and(|epoch| picture_name(epoch) == name)
}

fn is_temporary_name(name: &str) -> bool {
    name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1)
}

fn create_all(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))
}

/// Whether `out` holds a run; an error unless `force` is set.
fn held(out: &Path, force: bool) -> Result<bool> {
    let shown = out.display();
    if out.exists() && !out.is_dir() {
        return Err(Error::Usage(format!(
            "`run.out` = {shown} is a file\n  name a folder, which may be new"
        )));
    }
    match FILES.iter().find(|name| out.join(name).exists()) {
        Some(found) if !force => Err(Error::Usage(format!(
            "`run.out` = {shown} already holds a run: it has {found}\n  \
                 name another folder, go on with that run by `resume` = {shown}, or replace it with `run.force`"
        ))),
        found => Ok(found.is_some()),
    }
}

/// Prepares `out` for a run: creates it, or deletes the run that it holds.
fn claim(out: &Path, force: bool) -> Result<(PathBuf, RunLock)> {
    if held(out, force)? {
        let lock = RunLock::take(out)?;
        delete_run(out)?;
        return Ok((out.to_owned(), lock));
    }
    create_all(out)?;
    Ok((out.to_owned(), RunLock::take(out)?))
}

/// Deletes a run's files and leaves the rest, folders included.
fn delete_run(root: &Path) -> Result<()> {
    for folder in [SAMPLES, RECONSTRUCTIONS].map(|name| root.join(name)) {
        // Pictures behind a symbolic link belong to the owner of the target folder.
        if folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            delete_files(&folder, |name| is_picture_name(name) || is_temporary_name(name))?;
        }
    }
    let events = root.join(EVENTS);
    if events.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        delete_files(&events, |name| name.starts_with(EVENT_FILE))?;
    }
    delete_files(root, is_temporary_name)?;
    for path in [PAGE].iter().chain(&FILES).map(|name| root.join(name)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("delete", path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn delete_files(folder: &Path, ours: impl Fn(&str) -> bool) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))? {
        let entry = entry.map_err(|error| Error::io("read", folder, error))?;
        if entry.file_name().to_str().is_some_and(&ours) {
            fs::remove_file(entry.path()).map_err(|error| Error::io("delete", entry.path(), error))?;
        }
    }
    Ok(())
}

/// Makes `parent/DATA-MODEL-N`, where N follows the highest existing number. A gap left by a deleted run is not filled.
fn create_numbered(parent: &Path, data: &str, model: &str) -> Result<PathBuf> {
    create_all(parent)?;
    let stem = format!("{}-{}-", plain_word(data), plain_word(model));
    let highest = fs::read_dir(parent)
        .map_err(|error| Error::io("read", parent, error))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix(&stem)?.parse::<u32>().ok())
        .max();
    let mut number = highest.map_or(1, |highest| u64::from(highest) + 1);
    loop {
        let root = parent.join(format!("{stem}{number}"));
        // Only creation is atomic; another program could overtake any other test.
        match fs::create_dir(&root) {
            Ok(()) => return Ok(root),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Error::io("create", root, error)),
        }
    }
}

/// `word` as a safe part of a file name: everything but letters, digits, `_` and `.` becomes `-`.
fn plain_word(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_alphanumeric() || "_.".contains(c) { c } else { '-' }).collect()
}

/// The remedy for a `path` that is not a run: suggests a run inside it, or beside it.
fn suggest(path: &Path) -> String {
    // The parent of a bare name is the empty path: it means the current folder, but cannot be read.
    let beside = path.parent().map_or(path, |p| if p == Path::new("") { Path::new(".") } else { p });
    for folder in [path, beside, Path::new(RUNS)] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut runs: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.join(CONFIG).is_file())
            .collect();
        runs.sort();
        if let Some(last) = runs.last() {
            return format!("give the folder of a run, such as {}", last.display());
        }
    }
    "give a folder that `vae-gpu train` has made".to_owned()
}

#[cfg(test)]
mod tests;
