//! `vae-gpu bench`.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::BenchArgs;
use super::output::{result, talk};
use super::profile;
use super::saved::announce;
use super::source;
use super::tune;
use crate::bench::{self, BenchReport, Effort, MatmulTime, Profile, StepTime};
use crate::error::{Error, Result};
use crate::settings::Named;
use crate::train::config::TrainSection;

pub fn run(args: &BenchArgs) -> Result<()> {
    if args.step {
        return step(args);
    }
    if args.model.any() {
        return Err(Error::Usage(
            "bench measures fixed models: flags that describe a model or its data go with --step".into(),
        ));
    }
    let gpu = args.device.open()?;
    if !args.json {
        announce(&gpu);
    }
    let effort = if args.quick { Effort::Quick } else { Effort::Full };
    let bar = bar("measuring");
    let precision = args.model.resolve()?.train.precision;
    let report = bench::measure(&gpu, precision, &tune::known(&gpu), effort, &|done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    if args.json {
        result(format_args!("{}", serde_json::to_string_pretty(&report).expect("plain numbers and names")));
    } else {
        print(&report);
    }
    match report.wrong.len() {
        0 => Ok(()),
        failed => Err(Error::Check { failed, checked: report.checked, adapter: gpu.report().title() }),
    }
}

/// Trains for some steps, and says how fast.
fn step(args: &BenchArgs) -> Result<()> {
    let mut config = args.model.resolve()?;
    config.validate()?;
    let dataset = source::open(&config.data, &config.source, args.json)?;
    config.choose_net(dataset.shape)?;
    let model = config.model_config(dataset.shape);
    model.validate()?;
    let gpu = args.device.open()?;
    if !args.json {
        announce(&gpu);
    }
    let (warmup, steps) = (u64::from(args.warmup), u64::from(args.steps));
    let bar = bar("training");
    bar.set_length(warmup + steps);
    let (data, lengths) = (&dataset.train, (warmup, steps));
    let tuning = tune::known(&gpu);
    let done = bench::train_steps(&gpu, &model, &config.train, &tuning, data, lengths, &|done| {
        bar.set_position(done)
    })?;
    bar.finish_and_clear();
    if args.json {
        result(format_args!("{}", serde_json::to_string(&done).expect("plain numbers and names")));
    } else {
        result(format_args!(
            "{} {}, batch {}: {:.3} ms a step, {:.0} {}/s, -ELBO {:.2} to {:.2} nats per {}",
            model.widths(),
            model.activation.name(),
            config.train.batch_size,
            done.ms_per_step,
            done.images_per_second,
            dataset.shape.plural(),
            done.loss_first,
            done.loss_last,
            dataset.shape.singular()
        ));
    }
    Ok(())
}

fn bar(what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {elapsed}")
        .expect("the template is well-formed");
    ProgressBar::new(0).with_style(style).with_prefix(what.to_owned())
}

fn print(report: &BenchReport) {
    result(format_args!("limits   {}", profile::limits(&report.ceilings)));
    result(format_args!(""));
    if !report.kernels.is_empty() {
        result(format_args!(
            "a training step of {} at batch {}, each dispatch by itself, by {}:",
            bench::default_model().widths(),
            TrainSection::default().batch_size,
            report.clock
        ));
        let step = Profile { kernels: report.kernels.clone() };
        profile::print(&step, result);
        result(format_args!(""));
    }
    matmul(&report.matmul);
    if !report.steps.is_empty() {
        result(format_args!(""));
        steps(&report.steps);
    }
    if report.adapter.is_software() {
        talk(format_args!("whatever else runs on this machine's cores makes these numbers smaller"));
    }
}

/// The best variant of each shape beside the one that a plan would take.
fn matmul(times: &[MatmulTime]) {
    result(format_args!(
        "{:<26} {:<18} {:>9} {:>8}   {:<18} {:>9}",
        "matmul, M x K x N", "best variant", "GFLOP/s", "of limit", "chosen", "GFLOP/s"
    ));
    // The cells of a shape stand together.
    for shape in times.chunk_by(|a, b| (&a.layout, a.m, a.k, a.n) == (&b.layout, b.m, b.k, b.n)) {
        let Some(best) = shape.iter().max_by(|a, b| a.gflops.total_cmp(&b.gflops)) else { continue };
        let (variant, gflops) =
            shape.iter().find(|t| t.chosen).map_or(("none", 0.0), |t| (t.variant, t.gflops));
        result(format_args!(
            "{:<26} {:<18} {:>9.2} {:>7.0}%   {variant:<18} {gflops:>9.2}",
            format!("{} {}x{}x{}", best.layout, best.m, best.k, best.n),
            best.variant,
            best.gflops,
            100.0 * best.share
        ));
    }
}

fn steps(times: &[StepTime]) {
    result(format_args!(
        "{:<26} {:>6} {:>10} {:>10} {:>8} {:>14}",
        "a training step of", "batch", "ms", "images/s", "matmul", "host us a step"
    ));
    for t in times {
        let widths: Vec<_> = t.hidden.iter().chain([&t.latent]).map(usize::to_string).collect();
        result(format_args!(
            "{:<26} {:>6} {:>10.3} {:>10.0} {:>7.0}% {:>14.1}",
            format!("784-{} {}", widths.join("-"), t.activation.name()),
            t.batch,
            t.ms_per_step,
            t.images_per_second,
            100.0 * t.matmul_share,
            t.host_us_per_step
        ));
    }
}
