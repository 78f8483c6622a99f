//! The one error type of the crate. Each message says what went wrong, where, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// Everything that can go wrong for a user. Mistakes of this crate itself (a wrong shape while a
/// plan is built) are assertions instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag, a configuration key or a combination of them makes no sense.
    #[error("{0}")]
    Usage(String),

    /// The operating system refused to read or write a file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "write", "create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// A file was read but its content is not what it should be.
    #[error("{}: {problem}\n  {next}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What the user can do about it.
        next: String,
    },

    /// No adapter fits the request.
    #[error("{0}")]
    Adapter(String),

    /// The device failed, was lost, or ran out of memory.
    #[error("the GPU device failed while {doing}: {problem}\n  {next}")]
    Device {
        /// What the program was doing.
        doing: String,
        /// What the driver reported.
        problem: String,
        /// What the user can do about it.
        next: String,
    },

    /// The device is gone: unplugged, reset by the driver, or taken away.
    #[error("the GPU device was lost while {doing}: {problem}\n  {next}")]
    Lost {
        /// What the program was doing.
        doing: String,
        /// What the driver reported.
        problem: String,
        /// What the user can do about it.
        next: String,
    },

    /// The model or its data does not fit the limits of the adapter.
    #[error("{what} needs {needed}, but {allowed}\n  {next}")]
    Limit {
        /// The buffer, the binding or the dispatch.
        what: String,
        /// What it needs, with its unit.
        needed: String,
        /// Who allows what: "the adapter allows 128 MiB".
        allowed: String,
        /// What the user can do about it.
        next: String,
    },

    /// Training produced a NaN or an infinity.
    #[error("training diverged at step {step}: {what} is not finite\n  {next}")]
    Diverged {
        /// The first step (counted from 1) whose loss was not finite.
        step: u64,
        /// The term of the loss that went bad first.
        what: String,
        /// What the user can do about it.
        next: String,
    },

    /// A kernel disagrees with its CPU reference on this adapter.
    #[error(
        "{failed} of {checked} kernel checks failed on {adapter}\n  report the table above together with the output of `vae-gpu devices`"
    )]
    Check {
        /// Number of checks that failed.
        failed: usize,
        /// Number of checks that ran.
        checked: usize,
        /// The adapter's name.
        adapter: String,
    },
}

/// A result with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Error::Io { action, path: path.as_ref().to_owned(), source }
    }

    /// An [`Error::File`] for `path`.
    pub fn file(path: impl AsRef<Path>, problem: impl Into<String>, next: impl Into<String>) -> Self {
        Error::File { path: path.as_ref().to_owned(), problem: problem.into(), next: next.into() }
    }

    /// The exit code of the command: 2 for misuse, 1 for every other failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            _ => 1,
        }
    }
}
