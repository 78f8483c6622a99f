//! A folder of pictures. Sub-folders are labels, or training, validation and test parts.

mod layout;
mod load;
mod search;
mod target;
mod tiff_pages;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::options::ReadOptions;
use super::origin::{Origins, Unread};
use super::progress::{Progress, Watch};
use super::reader::{Format, MAX_BYTES, MAX_ROWS, NAMED, Parts};
use super::shape::Shape;
use super::split::Split;
use crate::error::{Error, Result};

use layout::{Layout, layout};
use load::Picture;
use search::{EXTENSIONS, Found, Searched, extension, search};
use target::{Refusal, Target, none_of, refused};

pub(super) const FORMAT: Format = Format {
    name: "pictures",
    describe: "a folder of pictures, or one: png, jpeg, bmp, webp, gif, pgm, ppm, tiff with all its pages; sub-folders \
               are labels, or train, val and test",
    detect,
    open,
};

/// Pictures between two calls of progress.
const PACE: u64 = 64;
/// What to do about a picture that cannot be read.
const NEXT: &str = "name a png, jpeg, bmp, webp, gif, pgm, ppm or tiff file, or the number of a test image";

fn detect(source: &str) -> bool {
    let path = Path::new(source);
    if path.is_file() {
        return extension(path).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()));
    }
    // One picture is enough.
    !source.is_empty() && path.is_dir() && search(path, 1).is_ok_and(|found| !found.pictures.is_empty())
}

fn open(source: &str, options: &ReadOptions, progress: Watch) -> Result<Parts> {
    let folder = Path::new(source);
    let (Searched { pictures: found, others, runs, .. }, stacks) = search(folder, usize::MAX)?.with_pages();
    if found.is_empty() {
        let problem = format!("no picture in it: no file ends with {}", EXTENSIONS.join(", "));
        let next = strangers(&others).map_or("name a folder of pictures".into(), |(_, advice)| advice);
        return Err(Error::file(folder, problem, next));
    }
    if found.len() > MAX_ROWS {
        return Err(Error::file(folder, format!("more than {MAX_ROWS} pictures"), "split the data"));
    }
    let Decoded { target, all, refusals, readable } = decode_all(folder, &found, options, progress)?;
    let names: Vec<String> = found.iter().map(Found::name).collect();
    let all = all.with_origins(Origins::Files(names));
    let folders: Vec<&[String]> = found.iter().map(|found| &found.folders[..]).collect();
    let layout = layout(&folders, &|row| found[row].name(), &readable);
    if layout.train.is_empty() {
        let problem = "no picture of its training part can be read";
        return Err(Error::file(folder, problem, refused(&found, &refusals)));
    }
    let unread = found.iter().zip(&refusals).enumerate().filter_map(|(row, (found, refusal))| {
        let Some(Refusal::Unreadable(reason)) = refusal else { return None };
        Some(Unread { file: found.name(), reason: reason.clone(), part: layout.parts[row] })
    });
    let name = match folder.is_file() {
        true => super::reader::stem(folder),
        false => super::folder::name_of(folder),
    };
    let mut parts = Parts::new(name, target.shape, part(&all, &layout, &layout.train));
    parts.unread = unread.collect();
    parts.valid = layout.valid.as_ref().map(|rows| part(&all, &layout, rows));
    parts.test = layout.test.as_ref().map(|rows| part(&all, &layout, rows));
    parts.notes = notes(&found, &target, stacks);
    parts.notes.extend(layout.notes);
    parts.classes = layout.classes;
    parts.warnings.extend(folders_of_runs(&runs));
    parts.warnings.extend(unreadable(&found, &refusals));
    parts.warnings.extend(strangers(&others).map(|(what, advice)| format!("{what}; {advice}")));
    parts.warnings.extend(lost_colour(&target, options));
    parts.warnings.extend(target.fitted(options));
    parts.warnings.extend(layout.warnings);
    parts.cut = target.is_cut();
    Ok(parts)
}

/// Pictures that are no files: what their source calls each, and its content. The rows of those that can be read, with
/// their places among all.
#[cfg_attr(not(feature = "formats"), expect(dead_code, reason = "for Parquet"))]
pub(super) fn read_packed(
    source: &Path,
    packed: Vec<(String, Vec<u8>)>,
    options: &ReadOptions,
    progress: Watch,
) -> Result<(Parts, Vec<u32>)> {
    let found: Vec<Found> = packed
        .into_iter()
        .map(|(name, bytes)| Found {
            path: name.into(),
            folders: Vec::new(),
            page: None,
            bytes: Some(bytes.into()),
        })
        .collect();
    let Decoded { target, all, refusals, readable } = decode_all(source, &found, options, progress)?;
    let all = all.with_origins(Origins::Files(found.iter().map(Found::name).collect()));
    let mut parts = Parts::new(super::reader::stem(source), target.shape, all.select(&readable));
    parts.notes = notes(&found, &target, 0);
    parts.warnings.extend(unreadable(&found, &refusals));
    parts.warnings.extend(lost_colour(&target, options));
    parts.warnings.extend(target.fitted(options));
    parts.cut = target.is_cut();
    let unread = found.iter().zip(&refusals).filter_map(|(found, refusal)| match refusal {
        Some(Refusal::Unreadable(reason)) => {
            Some(Unread { file: found.name(), reason: reason.clone(), part: None })
        }
        _ => None,
    });
    parts.unread = unread.collect();
    Ok((parts, readable))
}

/// The pictures that were found.
struct Decoded {
    target: Target,
    /// The values of all of them; zeros for those that cannot be read.
    all: Split,
    refusals: Vec<Option<Refusal>>,
    /// Those that can be read.
    readable: Vec<u32>,
}

/// Decodes all pictures of a source.
fn decode_all(source: &Path, found: &[Found], options: &ReadOptions, progress: Watch) -> Result<Decoded> {
    let mut target = Target::of(source, found, options)?;
    let dim = target.shape.dim();
    let decoded = loop {
        let bytes = if target.deep { size_of::<f32>() } else { 1 };
        if (found.len() as u64).saturating_mul((dim * bytes) as u64) > MAX_BYTES {
            return Err(Error::Usage(format!(
                "{}: {} pictures of {} are more than {} GiB; give a smaller `source.image_size`",
                source.display(),
                found.len(),
                target.shape,
                MAX_BYTES >> 30
            )));
        }
        let decoded = decode(found, &target, progress);
        // One with more bits than the first one: all keep what they have.
        if target.deep || !target.found_deep.load(Ordering::Relaxed) {
            break decoded;
        }
        target = Target::new(target.shape, target.resize, target.first, true);
    };
    let (values, refusals) = decoded;
    if let Some(Refusal::Size(problem)) = refusals.iter().flatten().find(|r| matches!(r, Refusal::Size(_))) {
        return Err(Error::Usage(problem.clone()));
    }
    let readable: Vec<u32> = (0..found.len() as u32).filter(|i| refusals[*i as usize].is_none()).collect();
    if readable.is_empty() {
        let problem = none_of(found.len());
        return Err(Error::file(source, problem, refused(found, &refusals)));
    }
    let all = match values {
        Values::Bytes(values) => Split::new(values, dim, None),
        Values::Floats(values) => Split::from_floats(values, dim),
    };
    Ok(Decoded { target, all, refusals, readable })
}

/// The warning about folders of runs among the pictures.
fn folders_of_runs(runs: &[String]) -> Option<String> {
    let (first, more) = (runs.first()?, runs.len() - 1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("the pictures of runs are no data, left out: {first}{more}"))
}

/// The warning that names the pictures that cannot be read.
fn unreadable(found: &[Found], refusals: &[Option<Refusal>]) -> Option<String> {
    let count = refusals.iter().flatten().filter(|refusal| matches!(refusal, Refusal::Unreadable(_))).count();
    let total = found.len();
    (count > 0).then(|| format!("{count} of {total} pictures cannot be read: {}", refused(found, refusals)))
}

/// The warning about pictures in colour that are read as grey.
fn lost_colour(target: &Target, options: &ReadOptions) -> Option<String> {
    let coloured = target.coloured.load(Ordering::Relaxed);
    (coloured > 0 && options.colour.is_none()).then(|| {
        let are = if coloured == 1 { "picture in colour is" } else { "pictures in colour are" };
        format!("{coloured} {are} read as grey, as the first one is; `source.colour` = colour keeps it")
    })
}

/// The rows of a part, with labels if all have one.
fn part(all: &Split, layout: &Layout, rows: &[u32]) -> Split {
    let labels = rows.iter().map(|row| layout.labels[*row as usize]).collect();
    all.select(rows).with_labels(labels)
}

/// What does not go without saying.
fn notes(found: &[Found], target: &Target, stacks: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if stacks > 0 {
        let pages = found.iter().filter(|found| found.page.is_some()).count();
        let files = if stacks == 1 { "a file".to_owned() } else { format!("{stacks} files") };
        notes.push(format!("{files} of several pages: each of the {pages} pages is a picture"));
    }
    let gifs = found.iter().filter(|found| extension(&found.path).as_deref() == Some("gif")).count();
    if gifs > 0 {
        notes.push(format!("{gifs} GIF: of each, the first frame is read"));
    }
    if target.deep {
        notes.push(
            "more than 8 bits a value: read as floats, with whole numbers as shares of the largest"
                .to_owned(),
        );
    }
    if target.resize {
        notes.push(format!("cut to the shape of {}x{} and resized", target.shape.width, target.shape.height));
    }
    notes
}

/// What a folder without pictures holds instead, and what to do.
pub(super) fn strangers_in(folder: &Path) -> Option<(String, String)> {
    strangers(&search(folder, 1).ok()?.others)
}

/// Files that are not read, and what to do.
fn strangers(others: &[String]) -> Option<(String, String)> {
    /// Pictures that other programs can convert.
    const FOREIGN: [&str; 14] =
        ["heic", "heif", "avif", "jp2", "jxl", "svg", "ico", "tga", "psd", "exr", "hdr", "dng", "cr2", "nef"];
    if others.is_empty() {
        return None;
    }
    let is_foreign = |name: &&String| {
        extension(Path::new(name)).is_some_and(|extension| FOREIGN.contains(&extension.as_str()))
    };
    let foreign = others.iter().filter(is_foreign).count();
    let (count, more) = (others.len(), others.len().saturating_sub(NAMED));
    let names = others[..count.min(NAMED)].join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let files = if count == 1 { "1 file is".to_owned() } else { format!("{count} files are") };
    let what = format!("{files} in no format of pictures that is read: {names}{more}");
    let advice = match foreign {
        0 => "left out".to_owned(),
        _ => "convert pictures to png or jpeg".to_owned(),
    };
    Some((what, advice))
}

/// The values of one picture, 0 to 1, fitted to `shape`.
pub(super) fn read_one(path: &Path, shape: Shape) -> Result<Vec<f32>> {
    let target = Target::new(shape, true, path.display().to_string(), true);
    let one = Found { path: path.to_owned(), folders: Vec::new(), page: None, bytes: None };
    let mut values = vec![0.0; shape.dim()];
    match target.load(&one) {
        Ok(picture) => picture.floats(shape.channels, &mut values),
        Err(Refusal::Size(problem)) => return Err(Error::Usage(problem)),
        Err(Refusal::Unreadable(why)) => {
            return Err(Error::file(path, format!("not a readable picture: {why}"), NEXT));
        }
    }
    Ok(values)
}

/// The values of all pictures, N x D.
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

/// The values of all pictures, decoded on all cores, and the refusals by index.
fn decode(found: &[Found], target: &Target, progress: Watch) -> (Values, Vec<Option<Refusal>>) {
    let channels = target.shape.channels;
    match target.deep {
        true => {
            let (values, refusals) =
                decode_each(found, target, progress, &|picture, values| picture.floats(channels, values));
            (Values::Floats(values), refusals)
        }
        false => {
            let (values, refusals) =
                decode_each(found, target, progress, &|picture, values| picture.bytes(channels, values));
            (Values::Bytes(values), refusals)
        }
    }
}

fn decode_each<T: Copy + Default + Send>(
    found: &[Found],
    target: &Target,
    progress: Watch,
    fill: &(dyn Fn(Picture, &mut [T]) + Sync),
) -> (Vec<T>, Vec<Option<Refusal>>) {
    let dim = target.shape.dim();
    let mut values = vec![T::default(); found.len() * dim];
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
                    *refusal = target.load(one).map(|picture| fill(picture, values)).err();
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    // Values with more bits than are read: all are read again.
                    if !target.deep && target.found_deep.load(Ordering::Relaxed) {
                        break;
                    }
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
