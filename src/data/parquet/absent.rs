//! Parquet in a build that cannot read it: the format is known, and refused with what to do.

use super::{Format, has_extension};
use crate::error::Error;

pub(super) const FORMAT: Format = Format {
    name: "parquet",
    describe: "a table as .parquet, in a build with the feature `formats`",
    detect: |source| has_extension(source, &["parquet", "pq"]),
    open: |source, _, _| {
        Err(Error::file(
            source,
            "this build cannot read Parquet",
            "build vae-gpu with the feature `formats`, or give the table as .csv or .npy",
        ))
    },
};
