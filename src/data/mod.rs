//! Data sets: one reader per file, each producing a [`Dataset`].
//!
//! A new format is one file beside this one, whose `FORMAT` says how to recognise and read it, and one line in the
//! table of `known.rs`. The values of `data` and `source.format`, the error messages and the help text follow from the
//! table.
//!
//! A reader gives the values as they are. What all formats share is done here: the test split, the scaling, and the
//! warnings about either.

mod array;
mod classes;
#[cfg(feature = "formats")]
#[doc(hidden)]
pub mod columns;
mod csv;
mod dataset;
mod division;
mod file_rows;
mod fingerprint;
mod folder;
mod foreign;
mod idx;
mod joining;
mod judge;
mod known;
mod missing;
mod mnist;
mod natural;
mod npy;
mod npy_header;
mod npz;
mod number;
mod oddities;
mod open;
mod options;
mod order;
mod origin;
#[cfg_attr(not(feature = "formats"), path = "parquet/absent.rs")]
mod parquet;
mod part;
mod pictures;
mod prepare;
mod progress;
mod raw;
mod reader;
mod scaling;
mod schema;
mod shades;
mod shape;
pub mod shapes;
mod split;
mod summarise;
mod summary;
mod table;
mod units;
mod unpack;
#[doc(hidden)]
pub mod write;

pub use classes::{class_name, class_number};
pub use dataset::Dataset;
pub use division::Division;
#[doc(hidden)]
pub use fingerprint::{Change, Fingerprint};
#[doc(hidden)]
pub use known::is_built_in;
pub use known::sources;
pub use open::{Rows, open, open_with, picture, rows};
#[doc(hidden)]
pub use open::{anywhere, has_columns, is_folder_of_pictures};
pub use options::{Colour, Decimal, Delimiter, Header, Index, Missing, ReadOptions, TEST_FRACTION};
#[doc(hidden)]
pub use options::{FILE, KEYS, REASON, ROW};
pub use order::epoch_order;
pub use origin::{Origin, Part, Unread};
pub use prepare::column_stats;
pub use progress::{Progress, Watch};
pub use raw::Raw;
#[doc(hidden)]
pub use reader::GUARDED_THREAD;
pub use scaling::{Scale, Scaling};
pub use schema::Schema;
pub use shape::{Shape, Size};
pub use split::{Element, Row, Split};
pub use summary::Summary;
pub use table::NO_LABEL;
