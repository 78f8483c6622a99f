//! `vae-gpu encode` and `vae-gpu decode`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::common_args::SplitArg;
use super::flags;
use super::latent_args::{DecodeArgs, EncodeArgs, What};
use super::output::{self, talk};
use super::progress;
use super::rows;
use super::saved::{Chosen, Saved};
use crate::data::columns::Column;
use crate::data::write::Matrix;
use crate::data::{self, Element, ReadOptions, Rows, Unread};
use crate::error::{Error, Result};
use crate::evaluate::{Codes, Encoder};
use crate::run::{picture, write_atomic};

/// Codes that are decoded between two steps of the progress bar.
const DECODED: usize = 4096;

pub fn encode(args: &EncodeArgs) -> Result<()> {
    let format = output::matrix(&args.out)?;
    let saved = Saved::open(&args.run, &args.device)?;
    if !saved.model.has_kl() && args.what != What::Mu {
        return Err(Error::Usage(
            "--what: an autoencoder gives one z and no distribution; leave it out".into(),
        ));
    }
    let Chosen { split, name, unread, .. } = saved.read(&args.source, SplitArg::All)?;
    let draw = args.what == What::Sample;
    let mut encoder = Encoder::of_codes(&mut saved.runner()?, (&split, name), saved.still(), draw)?;
    let (part, prefix): (fn(&Codes) -> &[f32], _) = match args.what {
        What::Mu => (|codes| &codes.mu, "mu"),
        What::LogVar => (|codes| &codes.log_var, "log_var"),
        What::Sample => (|codes| &codes.z, "z"),
    };
    let latent = saved.model.latent;
    let mut values = Vec::with_capacity(split.count * latent);
    let bar = progress::bar("encoding", split.count);
    encoder.run(saved.config.train.seed, &mut |codes| {
        values.extend_from_slice(part(codes));
        bar.set_position(codes.first as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    let names: Vec<String> = (0..latent).map(|j| format!("{prefix}_{j}")).collect();
    match format {
        Matrix::Npy => output::write(&args.out, |out| format.write(out, &names, latent, &values))?,
        Matrix::Csv | Matrix::Parquet => {
            let unread: Vec<&Unread> = unread.iter().collect();
            let order: Vec<u32> = (0..split.count as u32).collect();
            let column = |(j, name): (usize, &String)| {
                let codes = values.iter().skip(j).step_by(latent).map(|value| Some(*value));
                (name.clone(), Column::Single(codes.chain(unread.iter().map(|_| None)).collect()))
            };
            let (key, cells) = rows::column(&split, &order, &unread);
            let mut table = vec![(key.to_owned(), cells)];
            table.extend(names.iter().enumerate().map(column));
            table.extend(
                rows::reasons(split.count, &unread, "code").map(|(name, cells)| (name.to_owned(), cells)),
            );
            output::table(&args.out, format == Matrix::Parquet, &table)?;
        }
    }
    output::told(
        &args.out,
        &format!(
            "{prefix} of {}, {} each, is",
            output::counted(split.count, name),
            output::many(latent, "number", "numbers")
        ),
    );
    Ok(())
}

pub fn decode(args: &DecodeArgs) -> Result<()> {
    let folder = args.out.is_dir() || args.out.to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
    output::writes_into("--out", &args.out)?;
    // Before the work, what could refuse its result.
    let numbers = |out: &Path| {
        output::matrix(out).map_err(|error| match error {
            Error::Usage(problem) => {
                Error::Usage(format!("{problem}; pictures go into a folder: --out DIR/"))
            }
            other => other,
        })
    };
    let format = if folder { None } else { Some(numbers(&args.out)?) };
    let saved = match folder {
        true => Saved::open_pictures(&args.run, &args.device)?,
        false => Saved::open(&args.run, &args.device)?,
    };
    if args.kind.round {
        saved.schema()?;
    }
    let (z, labels) = codes(&saved, args)?;
    let count = z.len() / saved.model.latent;
    let mut inference = saved.inference()?;
    let bar = progress::bar("decoding", count);
    let mut x = Vec::with_capacity(count * saved.model.input);
    for (number, z) in z.chunks(DECODED * saved.model.latent).enumerate() {
        let first = number * DECODED;
        let labels = labels.get(first..labels.len().min(first + DECODED)).unwrap_or(&[]);
        let rows = (z, labels).into();
        x.extend(match args.kind.draw {
            true => inference.draw(rows, args.seed, first as u64)?,
            false => inference.decode(rows)?,
        });
        bar.set_position(first as u64);
    }
    bar.finish_and_clear();
    match format {
        None => pictures(&args.out, &x, &saved)?,
        Some(format) => {
            // Pictures are drawn as the model sees them; numbers have the units of their columns again.
            saved.in_own_units(&mut x, args.kind.round)?;
            output::write(&args.out, |out| format.write(out, &saved.config.columns, saved.model.input, &x))?;
        }
    }
    output::told(
        &args.out,
        &output::many(
            count,
            &format!("datum of {} is", saved.shape),
            &format!("data of {} are", saved.shape),
        ),
    );
    Ok(())
}

/// The codes of the file, and in a conditional model their labels.
fn codes(saved: &Saved, args: &DecodeArgs) -> Result<(Vec<f32>, Vec<u32>)> {
    let (latent, classes) = (saved.model.latent, saved.model.classes);
    let label_column = args.label_column.clone();
    let options = ReadOptions { label_column, codes: Some(latent), ..ReadOptions::default() };
    output::reads(&args.latents)?;
    let Rows { split, classes: names, warnings } = data::rows(&args.latents, &options)?;
    for warning in &warnings {
        talk(format_args!("warning: {}", flags::spelled(warning)));
    }
    let wrong = |problem: String, next: &str| Err(Error::file(&args.latents, problem, next));
    if split.dim() != latent {
        let next = "write them with `vae-gpu encode`, or name a column of labels with --label-column";
        return wrong(format!("rows of {} numbers, but the model's codes have {latent}", split.dim()), next);
    }
    if split.element() == Element::Bytes {
        return wrong("its numbers are bytes, but codes are floats".into(), "write them as float32");
    }
    // `encode` writes rows without numbers of what it cannot read.
    let all = split.x(0..split.count)?;
    let has_code = |row: &u32| !all[*row as usize * latent..][..latent].iter().all(|v| v.is_nan());
    let kept: Vec<u32> = (0..split.count as u32).filter(has_code).collect();
    let split = match split.count - kept.len() {
        0 => split,
        _ if kept.is_empty() => {
            return wrong("no row has a code".into(), "write codes of data with `vae-gpu encode`");
        }
        skipped => {
            let rows = output::plural(skipped, "row");
            talk(format_args!("{rows} of {} without a code, left out", args.latents));
            split.select(&kept)
        }
    };
    let z = split.x(0..split.count)?;
    if let Some(at) = z.iter().position(|v| !v.is_finite()) {
        let place = format!("{}, column {}: no finite number", split.origin(at / latent), at % latent + 1);
        return wrong(place, "leave out the rows without a value");
    }
    if classes == 0 && args.label_column.is_some() {
        return Err(Error::Usage("--label-column: the model was not trained with --condition labels".into()));
    }
    let labels = match &split.labels {
        Some(labels) if classes > 0 && args.label.is_none() => {
            if let Some(row) = labels.iter().position(|label| *label == data::NO_LABEL) {
                return wrong(
                    format!("{}: no label", split.origin(row)),
                    "give it one, or leave that row out",
                );
            }
            // Of few classes there may be very many rows.
            let used: BTreeSet<u32> = labels.iter().copied().collect();
            let number = |label: u32| saved.config.class_number(&data::class_name(&names, label));
            let numbers: BTreeMap<u32, u32> =
                used.into_iter().map(|label| Ok((label, number(label)?))).collect::<Result<_>>()?;
            labels.iter().map(|label| numbers[label]).collect()
        }
        _ => saved
            .given_label(args.label.as_deref())?
            .into_iter()
            .flat_map(|l| std::iter::repeat_n(l, split.count))
            .collect(),
    };
    Ok((z, labels))
}

/// A picture for each datum, called by its number.
fn pictures(folder: &Path, x: &[f32], saved: &Saved) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    let count = x.len() / saved.model.input;
    let digits = count.saturating_sub(1).to_string().len();
    let bar = progress::bar("writing pictures", count);
    for (number, image) in x.chunks_exact(saved.model.input).enumerate() {
        let png = picture::image_png(image, saved.shape)?;
        write_atomic(&folder.join(format!("{number:0digits$}.png")), |out| out.write_all(&png))?;
        bar.set_position(number as u64);
    }
    bar.finish_and_clear();
    Ok(())
}
