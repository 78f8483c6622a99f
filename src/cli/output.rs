//! Printing that survives a closed pipe.

use std::borrow::Cow;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::data::columns::{self, Column};
use crate::data::write::Matrix;
use crate::error::{Error, Result};
use crate::run::write_atomic;

/// A text with what would steer the terminal spelt out: names come from files and folders of others. Spelt as JSON does
/// it, so that JSON stays what it is.
fn harmless(text: &str) -> Cow<'_, str> {
    // Characters that turn the direction of writing make a name look like another one.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || turns(c);
    if !text.contains(steers) {
        return text.into();
    }
    let spelt = |c: char| if steers(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() };
    text.chars().map(spelt).collect::<String>().into()
}

/// A name from the data as a part of a line: it cannot begin another one.
pub fn word(name: &str) -> String {
    name.replace('\n', "\\n").replace('\t', "\\t")
}

/// A number of things: `1 class`, `2 classes`.
pub fn many(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// The same where the word gets an s: `1 row`, `2 rows`.
pub fn plural(count: usize, thing: &str) -> String {
    many(count, thing, &format!("{thing}s"))
}

/// A number of data of a part: those of all parts have no further name.
pub fn counted(count: usize, part: &str) -> String {
    counted_of(count, part, if count == 1 { "datum" } else { "data" })
}

/// The same with another word for them.
pub fn counted_of(count: usize, part: &str, what: &str) -> String {
    if part == "all" { format!("{count} {what}") } else { format!("{count} {part} {what}") }
}

/// A number with so many decimals; with an exponent where it has too many digits to be read.
pub fn number(value: f64, decimals: usize) -> String {
    if value.abs() < 1e9 { format!("{value:.decimals$}") } else { format!("{value:.3e}") }
}

/// Whether another process says what this one would.
static MUTE: AtomicBool = AtomicBool::new(false);

/// Says nothing from here on: another process does.
pub fn mute() {
    MUTE.store(true, Ordering::Relaxed);
    log::set_max_level(log::LevelFilter::Off);
}

/// Speaks again.
pub fn unmute() {
    MUTE.store(false, Ordering::Relaxed);
}

/// Whether this process is to say nothing.
pub fn is_mute() -> bool {
    MUTE.load(Ordering::Relaxed)
}

/// A result, on stdout. When nobody reads any more (`vae-gpu .. | head`), the program ends quietly.
pub fn result(line: Arguments) {
    if is_mute() {
        return;
    }
    if let Err(error) = writeln!(io::stdout().lock(), "{}", harmless(&line.to_string())) {
        let closed = error.kind() == ErrorKind::BrokenPipe;
        process::exit(if closed { 0 } else { 1 });
    }
}

/// Talk, on stderr. There is nobody to tell when it fails.
pub fn talk(line: Arguments) {
    if is_mute() {
        return;
    }
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&line.to_string()));
}

/// Whether a file is asked for on stdout.
pub fn is_stdout(out: &Path) -> bool {
    out == Path::new("-")
}

/// What is read, and what is to be written over: by flag and path.
static READ: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static WRITTEN: Mutex<Vec<(String, PathBuf)>> = Mutex::new(Vec::new());

/// Whether two names are of one file or folder that exists.
pub fn is_same(a: &Path, b: &Path) -> bool {
    let is_kept = |path: &Path| path.is_file() || path.is_dir();
    is_kept(a) && matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Remembers that a file or folder is read.
///
/// # Errors
/// [`Error::Usage`] if it is also to be written.
pub fn reads(source: impl AsRef<Path>) -> Result<()> {
    let source = source.as_ref();
    let written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((flag, out)) = written.iter().find(|(_, out)| is_same(out, source)) {
        return Err(overwritten(flag, out));
    }
    READ.lock().unwrap_or_else(PoisonError::into_inner).push(source.to_owned());
    Ok(())
}

/// Remembers that a file is to be written: before the work, not behind it.
///
/// # Errors
/// [`Error::Usage`] if it is what is read.
pub fn writes(flag: &str, out: &Path) -> Result<()> {
    // A folder is refused as such, when it is to be written.
    if out.is_dir() { Ok(()) } else { writes_into(flag, out) }
}

/// The same for files in a folder.
pub fn writes_into(flag: &str, out: &Path) -> Result<()> {
    let read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if read.iter().any(|source| is_same(out, source)) {
        return Err(overwritten(flag, out));
    }
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).push((flag.to_owned(), out.to_owned()));
    Ok(())
}

fn overwritten(flag: &str, out: &Path) -> Error {
    Error::Usage(format!(
        "{flag} {}: it is what is read, or belongs to the run, and would be lost\n  name another one with {flag}",
        out.display()
    ))
}

/// Writes a file, or its content to stdout.
pub fn write(out: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if !is_stdout(out) {
        writes("--out", out)?;
        return write_atomic(out, write);
    }
    let mut stdout = io::stdout().lock();
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        // Nobody reads any more.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
        written => written.map_err(|error| Error::io("write", "stdout", error)),
    }
}

/// Says where something is: "32 images are" in `out`. Nothing where it is on stdout.
pub fn told(out: &Path, what: &str) {
    if !is_stdout(out) {
        result(format_args!("{what} in {}", out.display()));
    }
}

/// Writes a file that lies in memory, and says so.
pub fn file(out: &Path, bytes: &[u8], what: &str) -> Result<()> {
    write(out, |out| out.write_all(bytes))?;
    told(out, what);
    Ok(())
}

/// Refuses a name that promises another format than that of a picture; before the work, not behind it.
pub fn check_picture(flag: &str, out: &Path) -> Result<()> {
    writes(flag, out)?;
    match out.extension() {
        Some(extension) if !extension.eq_ignore_ascii_case("png") => {
            Err(Error::Usage(format!("{flag} {}: a picture is written as .png", out.display())))
        }
        _ => Ok(()),
    }
}

/// Whether a table goes to `out` as Parquet and not as CSV, by its name.
///
/// # Errors
/// [`Error::Usage`] if the name promises something else; `what` it holds, with its verb.
pub fn is_parquet(flag: &str, out: &Path, what: &str) -> Result<bool> {
    writes(flag, out)?;
    let extension = out.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("parquet") => Ok(true),
        Some("csv") => Ok(false),
        _ if is_stdout(out) => Ok(false),
        _ => Err(Error::Usage(format!("{flag} {}: {what} written as .csv or .parquet", out.display()))),
    }
}

/// Writes a table.
pub fn table<N: AsRef<str>>(out: &Path, parquet: bool, table: &[(N, Column)]) -> Result<()> {
    write(out, |out| match parquet {
        true => columns::write_parquet(out, table),
        false => columns::write_csv(out, table),
    })
}

/// The format in which numbers go to `out`.
pub fn matrix(out: &Path) -> Result<Matrix> {
    writes("--out", out)?;
    if is_stdout(out) { Ok(Matrix::Csv) } else { Matrix::of(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_and_json_stays_json() {
        assert_eq!(harmless("plain\n\tword é"), "plain\n\tword é");
        assert_eq!(harmless("a\x1b[31m\r\u{85}\u{202e}b"), "a\\u001b[31m\\u000d\\u0085\\u202eb");
        let json = serde_json::to_string("\u{9b}31m\u{7f}").unwrap();
        let text = harmless(&json);
        assert!(!text.contains('\u{9b}'));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "\u{9b}31m\u{7f}");
    }

    #[test]
    fn numbers_can_be_read() {
        assert_eq!([number(-12.345, 2), number(-3.38e28, 2)], ["-12.35", "-3.380e28"].map(str::to_owned));
        assert_eq!([plural(1, "row"), plural(2, "row")], ["1 row", "2 rows"]);
    }

    #[test]
    fn the_name_of_a_picture_promises_a_png() {
        for name in ["a.png", "a.PNG", "a", "-", "/dev/null"] {
            assert!(check_picture("--out", Path::new(name)).is_ok(), "{name}");
        }
        for name in ["a.jpg", "a.csv", "a.png.gz"] {
            assert!(matches!(check_picture("--out", Path::new(name)), Err(Error::Usage(_))), "{name}");
        }
    }
}
