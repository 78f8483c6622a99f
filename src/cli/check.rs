//! `vae-gpu check`.

use std::collections::{BTreeMap, BTreeSet};

use indicatif::ProgressBar;

use super::args::CheckArgs;
use super::output::result;
use super::saved::announce;
use crate::check::{self, Outcome};
use crate::error::{Error, Result};

pub fn run(args: &CheckArgs) -> Result<()> {
    let gpu = args.device.open()?;
    if !args.json {
        announce(&gpu);
    }
    if !args.kernels.is_empty() {
        refuse_unknown(&args.kernels, &check::kernels(&gpu))?;
    }
    let bar = ProgressBar::new(0);
    let progress = |total: usize| {
        bar.set_length(total as u64);
        bar.inc(1);
    };
    let chosen =
        |kernel: &str| args.kernels.is_empty() || args.kernels.iter().any(|wanted| kernel.contains(wanted));
    let outcomes = check::run_of(&gpu, chosen, &progress)?;
    bar.finish_and_clear();
    let failed = outcomes.iter().filter(|o| !o.passed).count();
    if args.json {
        let json = serde_json::json!({ "adapter": gpu.report(), "cases": outcomes, "failed": failed });
        result(format_args!("{json:#}"));
    } else {
        print(&outcomes);
    }
    if failed > 0 {
        return Err(Error::Check { failed, checked: outcomes.len(), adapter: gpu.report().title() });
    }
    if !args.json {
        result(format_args!("all {} checks passed on {}", outcomes.len(), gpu.report().title()));
    }
    Ok(())
}

/// Refuses a part of a name that no kernel has, and says what kernels are called.
fn refuse_unknown(wanted: &[String], kernels: &BTreeSet<String>) -> Result<()> {
    let Some(unknown) = wanted.iter().find(|part| !kernels.iter().any(|kernel| kernel.contains(*part)))
    else {
        return Ok(());
    };
    let begin = |kernel: &String| kernel.split([' ', ':', '/']).next().map(str::to_owned);
    let families = BTreeSet::from_iter(kernels.iter().filter_map(begin));
    let names = Vec::from_iter(families).join(", ");
    Err(Error::Usage(format!("no kernel has {unknown:?} in its name\n  names begin with {names}")))
}

/// One line for each kernel and variant with the worst error of its shapes, and one for each failure.
fn print(outcomes: &[Outcome]) {
    let mut groups: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        groups.entry(&outcome.kernel).or_default().push(outcome);
    }
    result(format_args!("{:<42} {:>6} {:>12}", "kernel", "cases", "worst error"));
    for (name, group) in groups {
        let worst = group.iter().map(|o| o.error).fold(0.0, f64::max);
        let failed = group.iter().filter(|o| !o.passed).count();
        let verdict = if failed == 0 { String::new() } else { format!("  {failed} FAILED") };
        result(format_args!("{name:<42} {:>6} {worst:>12.1e}{verdict}", group.len()));
    }
    for outcome in outcomes {
        if let Some(problem) = &outcome.problem {
            result(format_args!("FAILED {}: {problem}", outcome.label));
        }
    }
}
