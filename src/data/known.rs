//! Every source that is known: formats of files and folders, and data that the program has in itself.

use super::reader::Format;
use super::{csv, folder, mnist, npy, npz, parquet, pictures, shapes};

/// Every format that [`open`](super::open()) knows; the first whose `detect` returns true reads the source.
pub(super) const FORMATS: &[Format] = &[
    mnist::FORMAT,
    shapes::FORMAT,
    folder::FORMAT,
    pictures::FORMAT,
    npy::FORMAT,
    npz::FORMAT,
    csv::FORMAT,
    parquet::FORMAT,
];

/// The sources that are no path.
pub(super) const BUILT_IN: [&str; 2] = [mnist::NAME, shapes::NAME];

/// Whether a source is the name of data that the program has in itself.
pub fn is_built_in(source: &str) -> bool {
    BUILT_IN.contains(&source)
}

/// The formats as (name, description), for the help text.
pub fn sources() -> impl Iterator<Item = (&'static str, &'static str)> {
    FORMATS.iter().map(|format| (format.name, format.describe))
}
