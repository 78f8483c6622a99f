//! Cells separated by blanks: a run of blanks becomes one tab.

use std::io::{self, Read};

/// Passes on text with a tab for each run of blanks outside quotes, and none at the ends of a line.
pub(super) struct Blanks<R> {
    input: R,
    buffer: Vec<u8>,
    /// What is behind: within quotes, and whether a cell was found in the line, and a blank after it.
    quoted: bool,
    cell: bool,
    blank: bool,
    /// Text to pass on, and how much of it is.
    over: Vec<u8>,
    at: usize,
}

impl<R: Read> Blanks<R> {
    pub(super) fn new(input: R) -> Blanks<R> {
        Blanks {
            input,
            buffer: vec![0; 1 << 16],
            quoted: false,
            cell: false,
            blank: false,
            over: Vec::new(),
            at: 0,
        }
    }

    fn pass(&mut self, count: usize) {
        self.at = 0;
        self.over.clear();
        for byte in &self.buffer[..count] {
            match byte {
                b' ' | b'\t' if !self.quoted => self.blank = true,
                b'\n' | b'\r' if !self.quoted => {
                    (self.cell, self.blank) = (false, false);
                    self.over.push(*byte);
                }
                byte => {
                    if *byte == b'"' {
                        self.quoted = !self.quoted;
                    }
                    if self.blank && self.cell {
                        self.over.push(b'\t');
                    }
                    (self.cell, self.blank) = (true, false);
                    self.over.push(*byte);
                }
            }
        }
    }
}

impl<R: Read> Read for Blanks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.over.len() {
            let count = self.input.read(&mut self.buffer)?;
            if count == 0 || out.is_empty() {
                return Ok(0);
            }
            self.pass(count);
        }
        let rest = &self.over[self.at..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_blanks_outside_quotes_are_one_tab() {
        let text = b"  1   2\t3  \r\n\"a  b\" \"c\"\n\n \n4";
        let expected = b"1\t2\t3\r\n\"a  b\"\t\"c\"\n\n\n4";
        for room in [1, 2, 100] {
            let mut blanks = Blanks::new(&text[..]);
            let (mut got, mut out) = (Vec::new(), vec![0; room]);
            loop {
                let count = blanks.read(&mut out).unwrap();
                got.extend_from_slice(&out[..count]);
                if count == 0 {
                    break;
                }
            }
            assert_eq!(got, expected, "{}", String::from_utf8_lossy(&got));
        }
    }
}
