//! Printing that survives a closed pipe.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process;

use crate::data::write::Matrix;
use crate::error::{Error, Result};
use crate::run::write_atomic;

/// A result, on stdout. When nobody reads any more (`vae-gpu .. | head`), the program ends quietly.
pub fn result(line: Arguments) {
    if let Err(error) = writeln!(io::stdout().lock(), "{line}") {
        let closed = error.kind() == ErrorKind::BrokenPipe;
        process::exit(if closed { 0 } else { 1 });
    }
}

/// Talk, on stderr. There is nobody to tell when it fails.
pub fn talk(line: Arguments) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Whether a file is asked for on stdout.
pub fn is_stdout(out: &Path) -> bool {
    out == Path::new("-")
}

/// Writes a file, or its content to stdout.
pub fn write(out: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if !is_stdout(out) {
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

/// The format in which numbers go to `out`.
pub fn matrix(out: &Path) -> Result<Matrix> {
    if is_stdout(out) { Ok(Matrix::Csv) } else { Matrix::of(out) }
}
