//! Printing that survives a closed pipe.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process;

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
