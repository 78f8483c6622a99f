//! `vae-gpu score`.

use std::ops::ControlFlow;

use super::common_args::SplitArg;
use super::latent_args::ScoreArgs;
use super::output::{self, talk};
use super::progress;
use super::rows;
use super::saved::{Chosen, Saved};
use super::saver::COLUMNS;
use crate::data::columns::Column;
use crate::data::{self, Split, Unread};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluator, Importance, MOST, Rows, Terms, score};
use crate::run::picture;

pub fn run(args: &ScoreArgs) -> Result<()> {
    let parquet = output::is_parquet("--out", &args.out, "scores are")?;
    if let Some(picture) = &args.picture {
        output::check_picture("--picture", picture)?;
    }
    if output::is_stdout(&args.out) && args.picture.as_deref().is_some_and(output::is_stdout) {
        return Err(Error::Usage("--out and --picture cannot both go to stdout".into()));
    }
    let saved = Saved::open(&args.run, &args.device)?;
    if args.picture.is_some() && !saved.shape.is_picture() {
        let problem =
            format!("--picture: the model is of data of {}, which is no picture; leave it out", saved.shape);
        return Err(Error::Usage(problem));
    }
    let Chosen { split, name, classes, unread } = saved.read(&args.source, SplitArg::All)?;
    let scores = scores(&saved, &split, name, args.nll_samples)?;
    let mut order: Vec<u32> = (0..split.count as u32).collect();
    order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]));
    let beyond: Vec<usize> = (0..scores.len()).filter(|i| scores[*i] >= MOST).collect();
    if !beyond.is_empty() {
        talk(format_args!(
            "warning: beyond measure, so with the largest score {MOST:e}: {}",
            rows::named(&split, &beyond)
        ));
    }

    let unread: Vec<&Unread> = unread.iter().collect();
    let scored = order.iter().map(|i| Some(scores[*i as usize])).chain(unread.iter().map(|_| None));
    let mut table = vec![rows::column(&split, &order, &unread), ("score", Column::Maybe(scored.collect()))];
    if let Some(labels) = &split.labels {
        let of_each = order.iter().map(|i| labels[*i as usize]);
        let name = |label: u32| data::class_name(&classes, label);
        table.push((
            "label",
            match classes.is_empty() && unread.is_empty() {
                true => Column::Whole(of_each.map(i64::from).collect()),
                false => {
                    Column::Text(of_each.map(name).chain(unread.iter().map(|_| String::new())).collect())
                }
            },
        ));
    }
    table.extend(rows::reasons(order.len(), &unread, "score"));
    output::table(&args.out, parquet, &table)?;
    if !args.picture.as_deref().is_some_and(output::is_stdout) {
        output::told(
            &args.out,
            &format!("the scores of {}, highest first, are", output::counted(split.count, name)),
        );
    }
    if let Some(path) = &args.picture {
        let top: Vec<usize> = order.iter().take(args.top as usize).map(|i| *i as usize).collect();
        let x = split.x(top.iter().copied())?;
        let told = split.labels.as_deref().filter(|_| saved.model.classes > 0);
        let labels: Vec<u32> = told.map_or_else(Vec::new, |labels| top.iter().map(|i| labels[*i]).collect());
        let rows = Rows { values: &x, labels: &labels };
        let (means, nats) = saved.inference()?.strangeness(rows)?;
        let png = picture::strangeness_grid_png(&x, &means, &nats, saved.shape, COLUMNS)?;
        let count = split.count.min(args.top as usize);
        output::write(path, |out| out.write_all(&png))?;
        // A line of talk has no place behind the scores.
        if !output::is_stdout(&args.out) {
            let highest =
                if count == 1 { "the highest is".to_owned() } else { format!("the {count} highest are") };
            output::told(path, &highest);
        }
    }
    Ok(())
}

/// What each datum is worth to the model, in nats: the higher, the stranger.
fn scores(saved: &Saved, split: &Split, name: &str, samples: Option<usize>) -> Result<Vec<f64>> {
    let train = &saved.config.train;
    let (mut runner, binarize) = (saved.runner()?, train.binarize(&saved.model));
    let bar = progress::bar("scoring", split.count);
    let scores = match samples {
        Some(samples) => {
            let mut importance = Importance::new(&mut runner, (split, name), binarize, samples)?;
            let watch = &mut |done| {
                bar.set_position(done as u64);
                ControlFlow::Continue(())
            };
            let nll = importance.run(train.seed, watch)?.unwrap_or_default();
            nll.into_iter().map(score).collect()
        }
        None => {
            let mut evaluator = Evaluator::new(&mut runner, split, name, binarize)?;
            let terms = evaluator.terms_watched(train.seed, &mut |done| bar.set_position(done as u64))?;
            terms.iter().map(Terms::score).collect()
        }
    };
    bar.finish_and_clear();
    Ok(scores)
}
