//! `vae-gpu sample` and `vae-gpu reconstruct`.

use super::args::{Label, ReconstructArgs, SampleArgs};
use super::common_args::SplitArg;
use super::output::{self, talk};
use super::saved::{Chosen, Saved};
use super::saver::{COLUMNS, SAMPLES, row_label};
use crate::data;
use crate::data::columns::Column;
use crate::data::write::Matrix;
use crate::error::{Error, Result};
use crate::run::picture;
use crate::train::Config;

pub fn sample(args: &SampleArgs) -> Result<()> {
    args.out.as_ref().map(|out| output::writes("--out", out)).transpose()?;
    let wanted = args.out.as_ref().and_then(|out| Matrix::of(out).ok());
    if let Some(out) = &args.out
        && wanted.is_none()
        && out.extension().is_some_and(|found| !found.eq_ignore_ascii_case("png"))
    {
        return Err(Error::Usage(format!(
            "--out {}: samples are written as .png or, in numbers, as .csv, .npy or .parquet",
            out.display()
        )));
    }
    let temperature = args.temperature;
    if !(temperature.is_finite() && temperature >= 0.0) {
        return Err(Error::Usage(format!("--temperature {temperature}: use a number that is not negative")));
    }
    let saved = match (&args.out, wanted) {
        (Some(out), None) if !output::is_stdout(out) => Saved::open_pictures(&args.run, &args.device)?,
        _ => Saved::open(&args.run, &args.device)?,
    };
    if args.kind.round {
        saved.schema()?;
    }
    // Of what cannot be drawn, numbers.
    let plain = if saved.shape.is_picture() { "samples.png" } else { "samples.csv" };
    let out = args.out.clone().unwrap_or_else(|| plain.into());
    let rows_on_stdout = output::is_stdout(&out) && !saved.shape.is_picture();
    let format = wanted.or_else(|| if rows_on_stdout { Some(Matrix::Csv) } else { Matrix::of(&out).ok() });
    let classes = saved.model.classes;
    let label = match &args.label {
        Some(Label::One(label)) => saved.given_label(Some(label))?,
        Some(Label::All) if classes == 0 => saved.given_label(Some("all"))?,
        Some(Label::All) | None => None,
    };
    let count = match args.count {
        Some(count) => count as usize,
        None if label.is_none() && classes > 0 => COLUMNS * classes,
        None => SAMPLES,
    };
    let label_of = |i| label.map_or_else(|| row_label(i, classes), |label| label as usize);
    let mut inference = saved.inference()?;
    let mut images = match args.kind.draw || saved.shape.is_table() && !args.kind.mean {
        true => inference.sample_x(count, args.seed, temperature, label_of)?,
        false => inference.sample(count, args.seed, temperature, label_of)?,
    };
    let what = output::many(count, "sample is", "samples are");
    if let Some(format) = format {
        saved.in_own_units(&mut images, args.kind.round)?;
        let labelled = classes > 0 && saved.shape.is_table();
        if labelled && format != Matrix::Npy {
            let labels: Vec<u32> = (0..count).map(|i| label_of(i) as u32).collect();
            output::table(&out, format == Matrix::Parquet, &table(&saved, &images, &labels))?;
        } else {
            output::write(&out, |out| format.write(out, &saved.config.columns, saved.shape.dim(), &images))?;
            if labelled {
                talk(format_args!("the rows' labels have no place in .npy: .csv and .parquet have them"));
            }
        }
        output::told(&out, &what);
        return Ok(());
    }
    let png = picture::grid_png(&images, saved.shape, COLUMNS)?;
    output::file(&out, &png, &what)
}

/// Rows of a table with a column of their labels, called as that of the training data.
fn table(saved: &Saved, values: &[f32], labels: &[u32]) -> Vec<(String, Column)> {
    let Config { columns, class_names, source, .. } = &saved.config;
    let dim = saved.shape.dim();
    let name = |column: usize| columns.get(column).cloned().unwrap_or_else(|| (column + 1).to_string());
    let mut table: Vec<(String, Column)> = (0..dim)
        .map(|column| {
            let values = values.iter().skip(column).step_by(dim).map(|value| Some(*value));
            (name(column), Column::Single(values.collect()))
        })
        .collect();
    // A number would be taken for that of a column.
    let label = source.label_column.as_deref().filter(|name| name.parse::<u32>().is_err()).unwrap_or("label");
    let taken = |name: &str| columns.iter().any(|column| column == name);
    let mut label = label.to_owned();
    while taken(&label) {
        label.push('_');
    }
    let cells = match class_names.is_empty() {
        true => Column::Whole(labels.iter().map(|label| i64::from(*label)).collect()),
        false => Column::Text(labels.iter().map(|label| data::class_name(class_names, *label)).collect()),
    };
    table.push((label, cells));
    table
}

pub fn reconstruct(args: &ReconstructArgs) -> Result<()> {
    let named = output::check_picture("--out", &args.out);
    // A name for numbers says that the model has no pictures.
    let saved = Saved::open_pictures(&args.run, &args.device)?;
    named?;
    let Chosen { split, name, .. } = saved.read(&args.source, SplitArg::Test)?;
    let count = split.count.min(args.count as usize);
    let originals = split.x(0..count)?;
    let labels =
        split.labels.as_deref().filter(|_| saved.model.classes > 0).map_or(&[][..], |all| &all[..count]);
    let reconstructions = saved.inference()?.reconstruct((&originals[..], labels).into())?;
    let png = picture::reconstruction_grid_png(&originals, &reconstructions, saved.shape, COLUMNS)?;
    let what = output::counted_of(count, name, saved.shape.noun(count));
    let are = if count == 1 { "above its reconstruction is" } else { "above their reconstructions are" };
    output::file(&args.out, &png, &format!("{what} {are}"))
}
