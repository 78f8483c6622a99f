//! The one error type of the crate. Each message says what went wrong, where, and what to do next.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

/// Everything that can go wrong for a user. Mistakes of this crate itself (a wrong shape while a
/// plan is built) are assertions instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),

    /// A setting has a value that it cannot have, or that does not go with others. Messages name a setting by its key in a
    /// configuration file, in backticks, and a value behind ` = `.
    #[error("`{key}`{problem}")]
    Setting {
        /// The setting, such as `train.batch_size`.
        key: &'static str,
        /// What is wrong and what to do, to be read behind the key.
        problem: String,
    },

    /// The operating system refused to read or write a file.
    #[error("cannot {action} {}: {source}{}", Shown(path), remedy(action, path, source))]
    Io {
        /// What was tried, as a verb: "read", "write", "create".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// A file was read but its content is not what it should be.
    #[error("{}: {problem}\n  {next}", Shown(path))]
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

    /// A part of a model has no counterpart in a format that it was to be exported to.
    #[error("ONNX: {kernel} ({label}): {problem}\n  use model.safetensors, which holds every model")]
    Export {
        /// The kernel, or `output`.
        kernel: String,
        /// Its purpose in the plan.
        label: String,
        /// Why it cannot be exported.
        problem: String,
    },

    /// The ranks that train together have parted, or cannot reach each other.
    #[error("{problem}\n  {next}")]
    Ranks {
        /// What went wrong, and on which rank.
        problem: String,
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

/// A path as messages show it: on one line, whatever is in its name.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let path = self.0.to_string_lossy();
        path.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => write!(f, "{c}"),
        })
    }
}

/// What to do about a refusal of the operating system, on a line of its own; nothing where that depends.
fn remedy(action: &str, path: &Path, source: &io::Error) -> &'static str {
    use io::ErrorKind::*;
    match source.kind() {
        NotFound if action == "read" && path.is_absolute() => {
            "\n  put it back there, or name where it is now"
        }
        NotFound if action == "read" => "\n  check the name; a relative one counts from the current folder",
        NotFound => "\n  make the folder that it is to be in, or name another one",
        PermissionDenied => "\n  it belongs to someone else: name another one, or change its permissions",
        NotADirectory if action == "write" && path.to_string_lossy().ends_with(['/', MAIN_SEPARATOR]) => {
            "\n  its name ends as a folder's does: name a file"
        }
        AlreadyExists | NotADirectory => "\n  a file stands where a folder is meant: name another place",
        IsADirectory => "\n  it is a folder: name a file",
        ReadOnlyFilesystem => "\n  nothing can be written there: name another place",
        StorageFull => "\n  make room there, or name another place",
        InvalidData => "\n  it is no text: name another file",
        _ => "",
    }
}

/// Most characters of a message that quotes a file: those at its beginning, and those at its end.
const QUOTED: (usize, usize) = (600, 200);

/// The text without control characters but the ends of its lines, and without its middle if it is long.
fn presentable(text: &str) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.into() };
    // A control character becomes up to six others.
    let plain: String = without_middle(text).chars().map(plain).collect();
    without_middle(&plain).into_owned()
}

fn without_middle(text: &str) -> Cow<'_, str> {
    let (start, end) = QUOTED;
    if text.char_indices().nth(start + end).is_none() {
        return text.into();
    }
    let first: String = text.chars().take(start).collect();
    let behind = text.char_indices().nth_back(end - 1).map_or(0, |(at, _)| at);
    format!("{first} .. {}", &text[behind..]).into()
}

impl Error {
    /// An [`Error::Setting`]; the problem is read behind the key, with no space between them.
    pub fn setting(key: &'static str, problem: impl Into<String>) -> Self {
        Error::Setting { key, problem: problem.into() }
    }

    /// An [`Error::Setting`] whose value cannot be, and what to do about it.
    pub fn value(key: &'static str, value: impl fmt::Display, next: impl fmt::Display) -> Self {
        Error::setting(key, format!(" = {value}: {next}"))
    }

    /// An [`Error::Io`] for `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Error::Io { action, path: path.as_ref().to_owned(), source }
    }

    /// An [`Error::File`] for `path`. The problem may quote what is in the file: it is made fit for a screen.
    pub fn file(path: impl AsRef<Path>, problem: impl AsRef<str>, next: impl Into<String>) -> Self {
        Error::File {
            path: path.as_ref().to_owned(),
            problem: presentable(problem.as_ref()),
            next: next.into(),
        }
    }

    /// An [`Error::File`] whose problem is a list, each line of which may quote what is in the file.
    pub fn listing(
        path: impl AsRef<Path>,
        head: &str,
        lines: impl Iterator<Item = String>,
        next: impl Into<String>,
    ) -> Self {
        let list: String = lines.map(|line| format!("\n    {}", presentable(&line))).collect();
        Error::File { path: path.as_ref().to_owned(), problem: format!("{head}{list}"), next: next.into() }
    }

    /// The exit code of the command: 2 for misuse, 1 for every other failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Setting { .. } => 2,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_on_one_line_and_a_refusal_with_a_remedy() {
        let message = Error::io("read", "a\n\x1b[2Jb", io::ErrorKind::NotFound.into()).to_string();
        assert!(message.starts_with("cannot read a\\n\\u{1b}[2Jb: "), "{message}");
        assert!(
            message.ends_with("\n  check the name; a relative one counts from the current folder"),
            "{message}"
        );
        assert!(!Error::io("read", "a", io::Error::other("?")).to_string().contains('\n'));
        assert!(Error::file("a\nb", "?", "!").to_string().starts_with("a\\nb: ?"));
    }

    #[test]
    fn what_a_file_says_is_made_fit_for_a_screen() {
        assert_eq!(presentable("a\x1b[31m\nb\0é"), "a\\u{1b}[31m\nb\\u{0}é");
        let long = presentable(&format!("{}{}", "é".repeat(100_000), "end"));
        assert!(long.starts_with("éé") && long.ends_with("end") && long.chars().count() == 804);
        let escaped = presentable(&"\0".repeat(800));
        assert!(escaped.starts_with("\\u{0}\\u{0}") && escaped.chars().count() == 804, "{escaped}");
        assert_eq!(presentable(&"x".repeat(800)), "x".repeat(800));
    }
}
