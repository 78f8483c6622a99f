//! The run directory: everything that a training run leaves behind, and how it is written.
//!
//! ```text
//! runs/mnist-vae-1/
//!     config.toml                        the configuration
//!     model.safetensors                  the parameters: the last or, with `--keep best`, the best so far
//!     checkpoint.safetensors             the whole state of training, for resuming
//!     checkpoint.previous.safetensors    the one before, in case a disk spoils the last
//!     metrics.csv, metrics.jsonl         one row per epoch
//!     curves.png, report.html            the same as a picture; everything in one page
//!     explore.html                       a page that runs the model, by `vae-gpu explore`
//!     tensorboard/                       the same for TensorBoard, on request
//!     samples/epoch-0001.png ...         drawn from the prior
//!     reconstructions/epoch-0001.png ... test data above its reconstructions
//! ```
//!
//! Files are whole or absent: [`write_atomic`] writes beside the destination and renames. The metrics and TensorBoard's
//! events are appended to, so a crash may cut off their last row, which readers skip.

#[cfg(feature = "cli")]
pub mod animation;
#[cfg(feature = "cli")]
pub mod bars;
#[cfg(feature = "cli")]
mod chart;
#[cfg(feature = "cli")]
pub mod comparison;
#[cfg(feature = "cli")]
pub mod curves;
mod directory;
pub mod metrics;
pub mod picture;
#[cfg(feature = "cli")]
pub mod report;
#[cfg(feature = "cli")]
pub mod scatter;
pub mod store;
#[cfg(feature = "export")]
pub mod tensorboard;
pub mod time;

pub use directory::{RunDir, RunLock};
pub use metrics::EpochMetrics;
pub use store::NamedTensor;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};

/// How the temporary files of [`write_atomic`] start and end; a crash may leave one behind.
const TEMPORARY: (&str, &str) = (".vae-gpu-", ".tmp");

/// The start of an event file's name, by which TensorBoard recognises it.
const EVENT_FILE: &str = "events.out.tfevents.";

/// Writes the file at `path` through `write`, so that a reader, a crash or a full disk never sees half of it: the bytes
/// go to a temporary file in the same folder, are synced to disk, and only then take the name. Of a link, that is the file
/// that it names. A device or a pipe is no file to be replaced: the bytes go into it.
///
/// # Errors
/// [`Error::Io`]; a file at `path` is then unchanged. A device or a pipe may have got a part.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let written = match std::fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => write_into(path, write),
        Ok(_) if path.is_symlink() => {
            path.canonicalize().and_then(|file| write_and_rename(&file, None, write))
        }
        _ => write_and_rename(path, None, write),
    };
    written.map_err(|error| Error::io("write", path, error))
}

fn write_into(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(1 << 16, File::options().write(true).open(path)?);
    write(&mut buffered)?;
    buffered.flush()
}

/// As [`write_atomic`], but the old file at `path` becomes `previous`, after the new one is whole on the disk. `path` has a
/// whole file at every moment; where the file system knows no hard links, one of the two names has.
///
/// # Errors
/// [`Error::Io`]; both files are then unchanged or, if the last renaming fails, the old file is at `previous`.
pub fn write_keeping(
    path: &Path,
    previous: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    write_and_rename(path, Some(previous), write).map_err(|error| Error::io("write", path, error))
}

fn write_and_rename(
    path: &Path,
    previous: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY.0).suffix(TEMPORARY.1);
    // By default only the owner may read a temporary file. This one becomes an ordinary file, so it asks for the
    // default permissions, which the umask then reduces.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder).map_err(unnamed)?;

    let mut buffered = BufWriter::with_capacity(1 << 16, temporary.as_file());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    // Before the rename: otherwise a power cut could leave an empty file with the name.
    temporary.as_file().sync_all()?;
    if let Some(previous) = previous.filter(|_| path.exists()) {
        keep(path, previous, folder)?;
    }
    patiently(temporary, |file| file.persist(path).map(|_| ()).map_err(|error| (error.error, error.file)))?;
    // The rename itself is stored in the folder. Windows cannot open a folder, and some file systems cannot sync one;
    // the content is safe by then, so that is not an error.
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// Gives the file at `path` the name `previous` as well; where a file can have one name alone, that one instead.
fn keep(path: &Path, previous: &Path, folder: &Path) -> io::Result<()> {
    let rename =
        |from: &Path| patiently((), |()| std::fs::rename(from, previous).map_err(|error| (error, ())));
    let second = tempfile::Builder::new()
        .prefix(TEMPORARY.0)
        .suffix(TEMPORARY.1)
        .make_in(folder, |name| std::fs::hard_link(path, name));
    // A link cannot take a name that exists, a renamed one can. Of two names of one file, which a crash between this and
    // the next renaming leaves, nothing is renamed: then the second one goes with the guard.
    match second {
        Ok(second) => rename(second.path()),
        Err(_) => rename(path),
    }
}

/// How often, and after how long at first, a renaming that Windows refuses is tried again: in all, 0.6 seconds.
const AGAIN: (u32, Duration) = (6, Duration::from_millis(10));

/// Renames, and tries again on Windows, which refuses it for as long as a virus scanner or an index has one of the files
/// open: they look at whatever was just written.
fn patiently<T>(mut what: T, mut rename: impl FnMut(T) -> Result<(), (io::Error, T)>) -> io::Result<()> {
    let (mut left, mut pause) = AGAIN;
    loop {
        match rename(what) {
            Ok(()) => return Ok(()),
            Err((error, again))
                if cfg!(windows) && left > 0 && error.kind() == io::ErrorKind::PermissionDenied =>
            {
                what = again;
            }
            Err((error, _)) => return Err(error),
        }
        std::thread::sleep(pause);
        (left, pause) = (left - 1, pause * 2);
    }
}

/// The error without the name of the temporary file, which would mean nothing to the user.
fn unnamed(error: io::Error) -> io::Error {
    match error.to_string().rsplit_once(" at path ") {
        Some((what, _)) => io::Error::new(error.kind(), what.to_owned()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay_what_they_are() {
        use std::os::unix::fs::{FileTypeExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), b"old").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("/dev/null", path("null")).unwrap();
        for name in ["link", "null"] {
            write_atomic(&path(name), |out| out.write_all(b"new")).unwrap();
            assert!(path(name).is_symlink(), "{name} was replaced");
        }
        assert_eq!(fs::read(path("file")).unwrap(), b"new");
        assert!(fs::metadata(path("null")).unwrap().file_type().is_char_device());
        // A link to nothing becomes the file.
        symlink("nothing", path("dangling")).unwrap();
        write_atomic(&path("dangling"), |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(path("dangling")).unwrap(), b"new");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomic(&path, |out| out.write_all(b"old")).unwrap();
        let error = write_atomic(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(error.unwrap_err().to_string().contains("disk full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let message = write_atomic(Path::new("/no/such/folder/file"), |_| Ok(())).unwrap_err().to_string();
        assert!(message.starts_with("cannot write /no/such/folder/file"), "{message}");
        assert!(!message.contains(TEMPORARY.0), "{message}");
    }

    #[test]
    fn the_file_before_is_kept_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let [path, previous] = ["file", "previous"].map(|name| folder.path().join(name));
        for text in ["one", "two", "three"] {
            write_keeping(&path, &previous, |out| out.write_all(text.as_bytes())).unwrap();
        }
        let error = write_keeping(&path, &previous, |_| Err(io::Error::other("disk full")));
        assert!(error.is_err());
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&path), read(&previous)), ("three".into(), "two".into()));

        // Killed between the two renamings: one file with two names.
        fs::remove_file(&previous).unwrap();
        fs::hard_link(&path, &previous).unwrap();
        write_keeping(&path, &previous, |out| out.write_all(b"four")).unwrap();
        assert_eq!((read(&path), read(&previous)), ("four".into(), "three".into()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_kept_is_never_missing() {
        let folder = tempfile::tempdir().unwrap();
        let [path, previous] = ["file", "previous"].map(|name| folder.path().join(name));
        fs::write(&path, b"whole").unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for _ in 0..200 {
                    write_keeping(&path, &previous, |out| out.write_all(b"whole")).unwrap();
                }
            });
            while !writer.is_finished() {
                assert_eq!(fs::read(&path).unwrap(), b"whole");
            }
        });
    }

    #[cfg(unix)]
    #[test]
    fn the_file_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomic(&ours, |out| out.write_all(b"x")).unwrap();
        fs::write(&plain, b"x").unwrap();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
