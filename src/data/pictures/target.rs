//! The size and kind that all pictures of a source are brought to, and those that cannot be.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::super::options::{Colour, ReadOptions};
use super::super::reader::NAMED;
use super::super::shape::{Shape, Size};
use super::load::{Picture, load, load_bytes};
use super::search::Found;
use crate::error::{Error, Result};

/// Values of a picture that a message proposes a size for.
const PROPOSED: usize = 1 << 14;

/// The common shape of all pictures.
pub(super) struct Target {
    pub(super) shape: Shape,
    /// Whether pictures may be resized; otherwise all must have this shape.
    pub(super) resize: bool,
    /// The first picture, which sets the shape.
    pub(super) first: String,
    /// Whether values are read as floats, because eight bits do not hold them.
    pub(super) deep: bool,
    /// Whether a picture was found that eight bits do not hold.
    pub(super) found_deep: AtomicBool,
    /// Pictures that lost their colour, and grey ones that are read in colour.
    pub(super) coloured: AtomicU64,
    grey: AtomicU64,
    /// How many pictures had which other size.
    sizes: Mutex<BTreeMap<(u32, u32), u64>>,
}

/// Why a picture is left out of the data.
pub(super) enum Refusal {
    /// It cannot be decoded.
    Unreadable(String),
    /// Its size differs from the first, and the user gave none.
    Size(String),
}

impl Target {
    pub(super) fn new(shape: Shape, resize: bool, first: String, deep: bool) -> Target {
        let [coloured, grey] = [const { AtomicU64::new(0) }; 2];
        let (found_deep, sizes) = (AtomicBool::new(false), Mutex::default());
        Target { shape, resize, first, deep, found_deep, coloured, grey, sizes }
    }

    /// Whether a picture had another size.
    pub(super) fn is_cut(&self) -> bool {
        !self.sizes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How pictures that a trained model did not learn from were made such as it takes.
    pub(super) fn fitted(&self, options: &ReadOptions) -> Option<String> {
        if !options.foreign {
            return None;
        }
        let pictures = |count: u64, of: &str, kind: &str, done: &str| match count {
            1 => format!("1 {kind}picture{of} is {done}"),
            count => format!("{count} {kind}pictures{of} are {done}"),
        };
        let Shape { width, height, channels } = self.shape;
        let mut ways = Vec::new();
        let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(((w, h), _)) = sizes.first_key_value() {
            let of = match sizes.len() {
                1 => format!(" of {w}x{h}"),
                _ => format!(" of other sizes, such as {w}x{h},"),
            };
            let is_cut = |(w, h): &(u32, u32)| *w as usize * height != *h as usize * width;
            let how = if sizes.keys().any(is_cut) { "cut and resized" } else { "resized" };
            ways.push(pictures(sizes.values().sum(), &of, "", &format!("{how} to {width}x{height}")));
        }
        drop(sizes);
        let (count, kind, done) = match channels {
            1 => (self.coloured.load(Ordering::Relaxed), "", "read as grey"),
            _ => (self.grey.load(Ordering::Relaxed), "grey ", "read in colour"),
        };
        if count > 0 {
            let of = if channels == 1 { " in colour" } else { "" };
            ways.push(pictures(count, of, kind, done));
        }
        (!ways.is_empty()).then(|| format!("{}, as the model is", ways.join(", ")))
    }

    /// From the options and, where they leave it open, the first readable picture.
    pub(super) fn of(folder: &Path, found: &[Found], options: &ReadOptions) -> Result<Target> {
        let mut refusals = Vec::new();
        for one in found {
            let picture = match load_found(one) {
                Ok(picture) => picture,
                Err(why) => {
                    refusals.push(Some(Refusal::Unreadable(why)));
                    continue;
                }
            };
            let (width, height) = picture.size();
            let own = Size { width: width as usize, height: height as usize };
            let Size { width, height } = options.image_size.unwrap_or(own);
            let colour = if picture.coloured { Colour::Colour } else { Colour::Grey };
            let channels = if options.colour.unwrap_or(colour) == Colour::Colour { 3 } else { 1 };
            let shape = Shape { width, height, channels };
            return Ok(Target::new(shape, options.image_size.is_some(), one.shown(), picture.is_deep()));
        }
        Err(Error::file(folder, none_of(found.len()), refused(found, &refusals)))
    }

    /// Decodes a picture, and brings it to the common size.
    pub(super) fn load(&self, one: &Found) -> Result<Picture, Refusal> {
        let mut picture = load_found(one).map_err(Refusal::Unreadable)?;
        let (width, height) = (self.shape.width as u32, self.shape.height as u32);
        let own = picture.size();
        if own != (width, height) {
            if !self.resize {
                return Err(Refusal::Size(format!(
                    "{} is {}x{}, but {} is {width}x{height}: give all one size with `source.image_size`, such as \
                     `source.image_size` = {}",
                    one.shown(),
                    own.0,
                    own.1,
                    self.first,
                    proposed(self.shape)
                )));
            }
            let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            *sizes.entry(own).or_default() += 1;
            drop(sizes);
            picture = picture.resized(width, height);
        }
        if self.shape.channels == 1 && picture.coloured {
            self.coloured.fetch_add(1, Ordering::Relaxed);
        }
        if self.shape.channels > 1 && !picture.coloured {
            self.grey.fetch_add(1, Ordering::Relaxed);
        }
        if picture.is_deep() {
            self.found_deep.store(true, Ordering::Relaxed);
        }
        Ok(picture)
    }
}

/// A size of the same aspect that a small model takes.
fn proposed(Shape { width, height, channels }: Shape) -> Size {
    let mut size = Size { width, height };
    while size.width * size.height * channels > PROPOSED && size.width > 1 && size.height > 1 {
        size = Size { width: size.width / 2, height: size.height / 2 };
    }
    size
}

/// The problem of a source without a picture that can be read.
pub(super) fn none_of(count: usize) -> String {
    match count {
        1 => "its one picture cannot be read".to_owned(),
        count => format!("none of {count} pictures can be read"),
    }
}

/// The first unreadable files, and why.
pub(super) fn refused(found: &[Found], refusals: &[Option<Refusal>]) -> String {
    let mut names = found.iter().zip(refusals).filter_map(|(found, refusal)| match refusal {
        Some(Refusal::Unreadable(why)) => Some(format!("{} ({why})", found.shown())),
        _ => None,
    });
    let first: Vec<String> = names.by_ref().take(NAMED).collect();
    let more = names.count();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

fn load_found(one: &Found) -> Result<Picture, String> {
    match &one.bytes {
        Some(bytes) => load_bytes(bytes),
        None => load(&one.path, one.page.map(|(_, at)| at)),
    }
}
