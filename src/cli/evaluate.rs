//! `vae-gpu evaluate`.

use std::ops::ControlFlow;

use twox_hash::XxHash3_64;

use super::args::EvaluateArgs;
use super::common_args::SplitArg;
use super::flags::message;
use super::output::{self, many, result, talk};
use super::progress;
use super::rows;
use super::saved::{Chosen, Saved};
use super::team::Team;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::evaluate::{
    CodeStatistics, Encoder, Estimate, EvaluationReport, Evaluator, Importance, LabelReport, Measured,
    Outliers, Terms,
};
use crate::ranks::{agree, share};
use crate::run::bars;

/// Dimensions that carry less KL than this many nats are summed up in one line.
const IDLE: f64 = 0.01;

pub fn run(args: &EvaluateArgs, team: &Team) -> Result<()> {
    let (saved, chosen) = team.settle(open(args, team))?;
    let weights = XxHash3_64::oneshot(bytemuck::cast_slice(&saved.parameters));
    agree(&*team.ranks, weights, "the weights", "give all of them the same run")?;
    team.fail_alone(evaluate(args, team, &saved, &chosen))
}

/// The model and the data.
fn open(args: &EvaluateArgs, team: &Team) -> Result<(Saved, Chosen)> {
    if let Some(picture) = &args.picture {
        output::check_picture("--picture", picture)?;
    }
    let saved = Saved::open_in_turn(&args.run, &args.device, team.local())?;
    let chosen = chosen(&saved, args)?;
    Ok((saved, chosen))
}

fn evaluate(args: &EvaluateArgs, team: &Team, saved: &Saved, chosen: &Chosen) -> Result<()> {
    let Chosen { split, name, classes, .. } = chosen;
    let Some(report) = measure(team, saved, (split, name), classes, args.nll_samples)? else { return Ok(()) };
    if !report.kl_per_dimension.is_empty() {
        let picture = args.picture.clone().unwrap_or_else(|| args.run.join("kl.png"));
        match bars::draw(&picture, &report.kl_per_dimension) {
            Ok(()) => talk(format_args!("the KL of each latent dimension is in {}", picture.display())),
            // Nobody asked for it: a run that others own can be evaluated too.
            Err(error) if args.picture.is_none() => talk(format_args!("warning: {}", message(&error))),
            Err(error) => return Err(error),
        }
    }
    if args.json {
        let json = serde_json::to_string_pretty(&report).expect("plain numbers");
        result(format_args!("{json}"));
    } else {
        print(&report, saved.shape.noun(report.count));
    }
    Ok(())
}

/// The data that the flags name.
fn chosen(saved: &Saved, args: &EvaluateArgs) -> Result<Chosen> {
    let chosen = saved.read(&args.source, SplitArg::Test)?;
    match args.limit {
        Some(0) => Err(Error::Usage("--limit 0: evaluate at least one image".into())),
        Some(limit) if limit < chosen.split.count => {
            let split = chosen.split.select(&(0..limit as u32).collect::<Vec<_>>());
            Ok(Chosen { split, ..chosen })
        }
        _ => Ok(chosen),
    }
}

/// Measures; the process that leads has the report.
fn measure(
    team: &Team,
    saved: &Saved,
    (split, name): (&Split, &str),
    classes: &[String],
    nll_samples: Option<usize>,
) -> Result<Option<EvaluationReport>> {
    let Saved { model, config, .. } = saved;
    let (seed, binarize) = (config.train.seed, config.train.binarize(model));
    let mut runner = saved.runner()?;
    // First, because it may refuse.
    let importance = nll_samples.map(|samples| {
        let importance = Importance::new(&mut runner, (split, name), binarize, samples)?;
        Ok::<_, Error>((samples, importance))
    });
    let importance = importance.transpose()?;

    let mut evaluator = Evaluator::new(&mut runner, split, name, binarize)?;
    let terms = evaluator.terms_among(&*team.ranks, seed)?;
    rows::warn_of(Outliers::of(&terms.iter().map(Terms::score).collect::<Vec<_>>()), split, name);
    let nll = importance
        .map(|(samples, importance)| Ok::<_, Error>((samples, estimate(team, importance, split, seed)?)));
    let nll = nll.transpose()?;
    if !team.leads() {
        return Ok(None);
    }
    let mut statistics = CodeStatistics::new(model.latent);
    let mut encoder = Encoder::new(&mut runner, (split, name), binarize)?;
    encoder.run(seed, &mut |codes| {
        statistics.add_but(codes, |row| !terms[row].is_measured());
        Ok(())
    })?;
    let nll = nll.as_ref().map(|(samples, values)| (*samples, &values[..]));
    let labels = split.labels.as_deref().map(|labels| (labels, classes));
    let measured = Measured { split: name, terms: &terms, nll, labels };
    Ok(Some(EvaluationReport::new(model, measured, &statistics)))
}

/// -log p(x) of each datum, with a progress bar where somebody watches.
fn estimate(team: &Team, mut importance: Importance, split: &Split, seed: u64) -> Result<Vec<f64>> {
    let bar = progress::bar("log p(x)", share(split.count, &*team.ranks).len());
    let values = importance.run_among(&*team.ranks, seed, &mut |done| {
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    Ok(values.unwrap_or_default())
}

fn print(report: &EvaluationReport, data: &str) {
    let EvaluationReport { count, split, model, .. } = report;
    let one = data.trim_end_matches('s');
    let what = output::counted_of(*count, split, data);
    result(format_args!("{what}, {model}, nats per {one}"));
    let line = |name: &str, estimate: Estimate, more: String| {
        let [mean, error] = [estimate.mean, estimate.standard_error].map(|value| output::number(value, 3));
        result(format_args!("{name:<15}{mean:>9} +- {error}{more}"));
    };
    if let (Some(elbo), Some(bits)) = (report.elbo, report.bits_per_dim) {
        line("ELBO", elbo, format!("  ({bits:.4} bits per dimension)"));
    }
    line("reconstruction", report.recon, String::new());
    if let Some(kl) = report.kl {
        line("KL", kl, String::new());
    }
    if let Some(nll) = report.nll {
        let more = format!("  ({:.4} bits per dimension; {} samples)", nll.bits_per_dim, nll.samples);
        line("NLL", nll.estimate, more);
    }
    result(format_args!("{:<15}{:>9.5}", "MSE at z = mu", report.mean_squared_error));
    result(format_args!("{:<15}{:>9}", "active units", report.active_units));
    print_dimensions(&report.kl_per_dimension);
    print_labels(report, data);
}

/// The KL of each dimension, the largest first.
fn print_dimensions(kl_per_dimension: &[f64]) {
    let mut sorted: Vec<(usize, f64)> = kl_per_dimension.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (busy, idle): (Vec<_>, Vec<_>) = sorted.into_iter().partition(|(_, kl)| *kl >= IDLE);
    if !busy.is_empty() {
        let list: Vec<String> = busy.iter().map(|(j, kl)| format!("{j}: {kl:.2}")).collect();
        result(format_args!("KL by dimension  {}", list.join("  ")));
    }
    if !idle.is_empty() {
        let idle = many(idle.len(), "dimension", "dimensions");
        result(format_args!("below {IDLE} nats: {idle}"));
    }
}

/// The terms of each class, in as many columns as the model has terms.
fn print_labels(report: &EvaluationReport, data: &str) {
    let Some(first) = report.labels.first() else { return };
    let terms = |row: &LabelReport| {
        let all = [("ELBO", row.elbo), ("recon", Some(row.recon)), ("KL", row.kl), ("NLL", row.nll)];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>()
    };
    let names: String = terms(first).iter().map(|(name, _)| format!(" {name:>9}")).collect();
    let width =
        report.labels.iter().map(|row| row.label.chars().count()).max().unwrap_or(0).max("label".len());
    result(format_args!("{:>width$} {:>7}{names}", "label", data));
    for row in &report.labels {
        let values: String =
            terms(row).iter().map(|(_, value)| format!(" {:>9}", output::number(*value, 2))).collect();
        result(format_args!("{:>width$} {:>7}{values}", output::word(&row.label), row.count));
    }
}
