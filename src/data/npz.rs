//! NumPy's `.npz`: a zip of `.npy` files: one with the data, or one for each of its parts, and their labels.

use std::fmt::Write;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;

use super::foreign;
use super::npy_header::Header;
use super::number::Number;
use super::options::ReadOptions;
use super::progress::Watch;
use super::reader::{Format, NAMED, Parts, has_extension, stem};
use super::table::odd_classes;
use crate::error::{Error, Result};

mod archive;

use archive::{Archive, Chosen, Entry, broken, describe};

/// How an archive begins.
const ZIP: &[u8] = b"PK";

pub(super) const FORMAT: Format = Format {
    name: "npz",
    describe: "a .npz file: x, data, images or the only array, labels y; or x_train, y_train, x_val, x_test and so on",
    detect: |source| has_extension(source, &["npz"]),
    open,
};

fn open(source: &str, options: &ReadOptions, _: Watch) -> Result<Parts> {
    let path = Path::new(source);
    let file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    foreign::check(path, ZIP)?;
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(path, &error))?;
    let mut archive = Archive::new(path, zip);
    let chosen = archive.choose(options)?;
    let mut all: Vec<Parts> = Vec::new();
    for Chosen { data, labels, .. } in &chosen {
        let (shape, split, kind) = archive.data(data, options)?;
        let bits = (kind.number == Number::Bool).then_some(true);
        let mut read = Parts { bits, ..Parts::new(stem(path), shape, split) };
        let mut note = describe(data);
        if let Some(labels) = labels {
            match archive.labels(labels, data, options)? {
                Ok((numbers, classes)) => {
                    let _ = write!(note, " with labels {}", labels.name);
                    read.train = read.train.with_labels(Some(numbers));
                    read.warnings.extend(odd_classes(&classes, "save '' in their place"));
                    read.classes = classes;
                }
                Err(why) => {
                    let name = &labels.name;
                    read.warnings.push(format!("{name} is not read as labels: {why}"));
                }
            }
        }
        read.notes.push(note);
        if let Some(note) = data.header.as_ref().and_then(|header| header.note(kind)) {
            read.notes.push(format!("{}: {note}", data.name));
        }
        read.warnings.extend(data.header.as_ref().and_then(Header::single));
        if let Some(first) = all.first().filter(|first| first.shape != shape) {
            let (name, other) = (&data.name, &chosen[0].data.name);
            let problem = format!("{name} holds data of {shape}, but {other} of {}", first.shape);
            return Err(Error::file(path, problem, "all parts must come from the same data set"));
        }
        all.push(read);
    }
    let mut all = all.into_iter();
    let mut parts = all.next().expect("an array was chosen");
    for (Chosen { part, .. }, mut other) in chosen[1..].iter().zip(all) {
        parts.notes.append(&mut other.notes);
        parts.join(other, *part);
    }
    let is_used = |entry: &&Entry| {
        chosen.iter().any(|one| {
            one.data.name == entry.name || one.labels.as_ref().is_some_and(|l| l.name == entry.name)
        })
    };
    let unused: Vec<_> =
        archive.arrays.iter().filter(|entry| !is_used(entry)).map(|e| e.name.as_str()).collect();
    if !unused.is_empty() {
        let more = if unused.len() > NAMED { ", .." } else { "" };
        let first = unused[..unused.len().min(NAMED)].join(", ");
        parts.notes.push(format!("arrays that are not used: {first}{more}; `source.array` names another"));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
