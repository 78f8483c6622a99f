//! A folder of pictures. Sub-folders are labels; `train` and `test` are the two parts.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::natural;
use super::options::{Colour, ReadOptions};
use super::origin::{Origins, Part, Unread};
use super::progress::{Progress, Watch};
use super::reader::{Format, MAX_BYTES, MAX_ROWS, NAMED, Parts, most_unpacked};
use super::shape::{Shape, Size};
use super::split::Split;
use crate::error::{Error, Result};

pub(super) const FORMAT: Format = Format {
    name: "pictures",
    describe: "a folder of pictures: png, jpeg, bmp, webp, tiff; its sub-folders are labels, or train and test",
    detect,
    open,
};

const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "jfif"];
/// Most pixels per side of a picture before it is resized.
const MAX_SIDE: u32 = 1 << 15;
/// Most bytes of one decoded picture: 16 bits of four channels of 8192 x 8192.
const MAX_ALLOC: u64 = 512 << 20;
/// Most bytes of a picture file.
const MAX_FILE: u64 = 1 << 30;
/// Most levels of folders searched.
const MAX_DEPTH: usize = 32;
/// Pictures between two calls of progress.
const PACE: u64 = 64;
/// What to do about a picture that cannot be read.
const NEXT: &str = "name a png, jpeg, bmp, webp or tiff file, or the number of a test image";
/// The sub-folders that are parts.
const TRAIN: &str = "train";
const TEST: &str = "test";

/// A picture file, and the sub-folders that lead to it.
#[derive(Debug, PartialEq)]
struct Found {
    path: PathBuf,
    folders: Vec<String>,
}

impl Found {
    /// Its path below the source's folder, with `/` on every system.
    fn name(&self) -> String {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.folders.iter().map(|folder| format!("{folder}/")).collect::<String>() + &file
    }
}

fn detect(source: &str) -> bool {
    let folder = Path::new(source);
    // One picture is enough.
    !source.is_empty() && folder.is_dir() && search(folder, 1).is_ok_and(|found| !found.is_empty())
}

fn open(source: &str, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let folder = Path::new(source);
    let found = search(folder, usize::MAX)?;
    if found.is_empty() {
        let problem = format!("no picture in it: no file ends with {}", EXTENSIONS.join(", "));
        return Err(Error::file(folder, problem, "name a folder of pictures"));
    }
    if found.len() > MAX_ROWS {
        return Err(Error::file(folder, format!("more than {MAX_ROWS} pictures"), "split the data"));
    }
    let target = Target::of(&found, options)?;
    let dim = target.shape.dim();
    if (found.len() as u64).saturating_mul(dim as u64) > MAX_BYTES {
        return Err(Error::Usage(format!(
            "{source}: {} pictures of {} are more than {} GiB; give a smaller `source.image_size`",
            found.len(),
            target.shape,
            MAX_BYTES >> 30
        )));
    }
    let (values, refusals) = decode(&found, &target, progress);
    if let Some(Refusal::Size(problem)) = refusals.iter().flatten().find(|r| matches!(r, Refusal::Size(_))) {
        return Err(Error::Usage(problem.clone()));
    }
    let readable: Vec<u32> = (0..found.len() as u32).filter(|i| refusals[*i as usize].is_none()).collect();
    if readable.is_empty() {
        let problem = format!("none of its {} pictures can be read", found.len());
        return Err(Error::file(folder, problem, refused(&found, &refusals)));
    }
    let mut warnings = Vec::new();
    let unreadable = found.len() - readable.len();
    if unreadable > 0 {
        let total = found.len();
        warnings
            .push(format!("{unreadable} of {total} pictures cannot be read: {}", refused(&found, &refusals)));
    }
    let coloured = target.coloured.load(Ordering::Relaxed);
    if coloured > 0 && options.colour.is_none() {
        warnings.push(format!(
            "{coloured} pictures in colour are read as grey, as the first one is; `source.colour` = colour keeps it"
        ));
    }
    let names = found.iter().map(Found::name).collect();
    let all = Split::new(values, dim, None).with_origins(Origins::Files(names));
    let (classes, train, test) = parts(&found, &all, &readable);
    let part = |found: &Found| test.as_ref().and_then(|_| part(found));
    let unread = found.iter().zip(&refusals).filter_map(|(found, refusal)| match refusal {
        Some(Refusal::Unreadable(reason)) => {
            Some(Unread { file: found.name(), reason: reason.clone(), part: part(found) })
        }
        _ => None,
    });
    let unread = unread.collect();
    let parts = Parts::new(super::folder::name_of(folder), target.shape, train);
    Ok(Parts { classes, test, unread, warnings, ..parts })
}

/// The part that a picture's first folder names.
fn part(found: &Found) -> Option<Part> {
    match found.folders.first()?.as_str() {
        TRAIN => Some(Part::Train),
        TEST => Some(Part::Test),
        _ => None,
    }
}

/// Classes, training part and, if there is one, test part of the readable pictures.
fn parts(found: &[Found], all: &Split, readable: &[u32]) -> (Vec<String>, Split, Option<Split>) {
    let top = |row: &u32| found[*row as usize].folders.first().map_or("", String::as_str);
    let tops: BTreeSet<&str> = readable.iter().map(top).collect();
    let split = tops.iter().copied().eq([TEST, TRAIN]);
    let depth = usize::from(split);
    // Labels only if every picture has one.
    let class = |row: &u32| found[*row as usize].folders.get(depth);
    let mut classes: Vec<String> = match readable.iter().all(|row| class(row).is_some()) {
        true => readable.iter().filter_map(class).cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        false => Vec::new(),
    };
    classes.sort_by(|a, b| natural::compare(a, b));
    let of = |rows: &[u32]| {
        let label = |row: &u32| {
            let name = class(row)?;
            classes.binary_search_by(|one| natural::compare(one, name)).ok().map(|label| label as u32)
        };
        let labels: Option<Vec<u32>> = rows.iter().map(label).collect();
        all.select(rows).with_labels(labels)
    };
    if !split {
        return (classes.clone(), of(readable), None);
    }
    let (train, test): (Vec<u32>, Vec<u32>) = readable.iter().partition(|row| top(row) == TRAIN);
    (classes.clone(), of(&train), Some(of(&test)))
}

/// The first unreadable files, and why.
fn refused(found: &[Found], refusals: &[Option<Refusal>]) -> String {
    let mut names = found.iter().zip(refusals).filter_map(|(found, refusal)| match refusal {
        Some(Refusal::Unreadable(why)) => Some(format!("{} ({why})", found.path.display())),
        _ => None,
    });
    let first: Vec<String> = names.by_ref().take(NAMED).collect();
    let more = names.count();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// At most `most` pictures below `folder`, in the natural order of names. A folder reached by several links is searched once.
fn search(folder: &Path, most: usize) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    descend(folder, &mut Vec::new(), most, &mut seen, &mut found)?;
    Ok(found)
}

fn descend(
    folder: &Path,
    folders: &mut Vec<String>,
    most: usize,
    seen: &mut BTreeSet<PathBuf>,
    found: &mut Vec<Found>,
) -> Result<()> {
    let unreadable = |error| Error::io("read", folder, error);
    // A link back up, or a second link to the same folder.
    if folders.len() > MAX_DEPTH || !seen.insert(folder.canonicalize().map_err(unreadable)?) {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let shown = name.to_string_lossy().into_owned();
        if !shown.starts_with('.') {
            entries.push((shown, name, entry.path()));
        }
    }
    entries.sort_by(|a, b| natural::compare(&a.0, &b.0).then_with(|| a.1.cmp(&b.1)));
    for (name, _, path) in entries {
        if found.len() >= most {
            break;
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) && !path.is_dir() {
            found.push(Found { path, folders: folders.clone() });
        } else if path.is_dir() {
            folders.push(name);
            descend(&path, folders, most, seen, found)?;
            folders.pop();
        }
    }
    Ok(())
}

/// The common shape of all pictures.
struct Target {
    shape: Shape,
    /// Whether pictures may be resized; otherwise all must have this shape.
    resize: bool,
    /// The first picture, which sets the shape.
    first: PathBuf,
    /// Pictures that lost their colour.
    coloured: AtomicU64,
}

/// Why a picture is left out of the data.
enum Refusal {
    /// It cannot be decoded.
    Unreadable(String),
    /// Its size differs from the first, and the user gave none.
    Size(String),
}

impl Target {
    /// From the options and, where they leave it open, the first readable picture.
    fn of(found: &[Found], options: &ReadOptions) -> Result<Target> {
        let mut refusals = Vec::new();
        for one in found {
            let picture = match load(&one.path) {
                Ok(picture) => picture,
                Err(why) => {
                    refusals.push(Some(Refusal::Unreadable(why)));
                    continue;
                }
            };
            let own = Size { width: picture.width() as usize, height: picture.height() as usize };
            let Size { width, height } = options.image_size.unwrap_or(own);
            let colour = match picture.color().has_color() {
                true => Colour::Colour,
                false => Colour::Grey,
            };
            let channels = if options.colour.unwrap_or(colour) == Colour::Colour { 3 } else { 1 };
            return Ok(Target {
                shape: Shape { width, height, channels },
                resize: options.image_size.is_some(),
                first: one.path.clone(),
                coloured: AtomicU64::new(0),
            });
        }
        let folder = found[0].path.parent().unwrap_or(&found[0].path);
        let problem = format!("none of {} pictures can be read", found.len());
        Err(Error::file(folder, problem, refused(found, &refusals)))
    }

    /// Decodes the picture into `values`.
    fn fill(&self, path: &Path, values: &mut [u8]) -> Result<(), Refusal> {
        let mut picture = load(path).map_err(Refusal::Unreadable)?;
        let (width, height) = (self.shape.width as u32, self.shape.height as u32);
        let own = (picture.width(), picture.height());
        if own != (width, height) {
            if !self.resize {
                return Err(Refusal::Size(format!(
                    "{} is {}x{}, but {} is {width}x{height}: give all one size with `source.image_size`, such as `source.image_size` = {width}x{height}",
                    path.display(),
                    own.0,
                    own.1,
                    self.first.display()
                )));
            }
            picture = resized(picture, width, height);
        }
        if self.shape.channels == 1 {
            if picture.color().has_color() {
                self.coloured.fetch_add(1, Ordering::Relaxed);
            }
            values.copy_from_slice(picture.into_luma8().as_raw());
        } else {
            values.copy_from_slice(picture.into_rgb8().as_raw());
        }
        Ok(())
    }
}

/// The values of one picture, 0 to 1, fitted to `shape`.
pub(super) fn read_one(path: &Path, shape: Shape) -> Result<Vec<f32>> {
    let target = Target { shape, resize: true, first: path.to_owned(), coloured: AtomicU64::new(0) };
    let mut values = vec![0; shape.dim()];
    target.fill(path, &mut values).map_err(|refusal| match refusal {
        Refusal::Size(problem) => Error::Usage(problem),
        Refusal::Unreadable(why) => Error::file(path, format!("not a readable picture: {why}"), NEXT),
    })?;
    Ok(values.into_iter().map(|v| f32::from(v) / 255.0).collect())
}

/// The largest central part with the target's aspect ratio, resized: Lanczos to shrink, linear to enlarge.
fn resized(picture: DynamicImage, width: u32, height: u32) -> DynamicImage {
    let shrinks = picture.width() >= width && picture.height() >= height;
    let filter = if shrinks { FilterType::Lanczos3 } else { FilterType::Triangle };
    picture.resize_to_fill(width, height, filter)
}

/// Decodes a picture, rotated as its camera recorded, on black where it is transparent.
fn load(path: &Path) -> Result<DynamicImage, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?;
    if !size.is_file() {
        return Err(if size.is_dir() { "it is a folder" } else { "it is not a file" }.into());
    }
    if size.len() > MAX_FILE {
        return Err(format!("a file of more than {} MiB", MAX_FILE >> 20));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let told = |error: image::ImageError| error.to_string();
    // Content decides the format, not the name.
    let mut reader = ImageReader::new(Cursor::new(bytes));
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    reader.limits(limits);
    let reader = reader.with_guessed_format().map_err(|error| error.to_string())?;
    let mut decoder = reader.into_decoder().map_err(told)?;
    // Those limits cover the decoder's own memory; the pixels come on top, and a header may lie.
    let pixels = decoder.total_bytes();
    let most = MAX_ALLOC.min(most_unpacked(size.len()));
    if pixels > most {
        let (width, height) = decoder.dimensions();
        return Err(format!(
            "its {} bytes claim to be {width}x{height} pixels, {} MiB, more than {} MiB",
            size.len(),
            pixels >> 20,
            most >> 20
        ));
    }
    let orientation = decoder.orientation().map_err(told)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(told)?;
    if picture.width() == 0 || picture.height() == 0 {
        return Err("no pixels".into());
    }
    picture.apply_orientation(orientation);
    Ok(if picture.color().has_alpha() { on_black(picture) } else { picture })
}

/// Blends the picture with black, in the number of channels that its colours need.
fn on_black(picture: DynamicImage) -> DynamicImage {
    let colour = picture.color().has_color();
    let mut pixels = picture.into_rgba8();
    for pixel in pixels.pixels_mut() {
        let [r, g, b, a] = pixel.0;
        let shade = |v: u8| ((u32::from(v) * u32::from(a) + 127) / 255) as u8;
        pixel.0 = [shade(r), shade(g), shade(b), 255];
    }
    let picture = DynamicImage::ImageRgba8(pixels);
    if colour { picture.into_rgb8().into() } else { picture.into_luma8().into() }
}

/// The values of all pictures, N x D, decoded on all cores, and the refusals by index.
fn decode(found: &[Found], target: &Target, progress: Watch) -> (Vec<u8>, Vec<Option<Refusal>>) {
    let dim = target.shape.dim();
    let mut values = vec![0; found.len() * dim];
    let mut refusals: Vec<Option<Refusal>> = found.iter().map(|_| None).collect();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(found.len());
    let jobs = found.iter().zip(values.chunks_exact_mut(dim)).zip(&mut refusals);
    let (jobs, done) = (Mutex::new(jobs), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(((one, values), refusal)) = job else {
                        break;
                    };
                    *refusal = target.fill(&one.path, values).err();
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(PACE) {
                        progress(Progress { what: "reading pictures", done, total: found.len() as u64 });
                    }
                }
            });
        }
    });
    (values, refusals)
}

#[cfg(test)]
mod tests;
