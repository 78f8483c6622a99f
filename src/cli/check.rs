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
    let known = check::kernels(&gpu);
    for wanted in &args.kernels {
        if !known.iter().any(|kernel| kernel.contains(wanted)) {
            return Err(Error::Usage(format!("no kernel has {wanted:?} in its name\n  {}", names(&known))));
        }
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

/// What kernels are called, without their variants.
fn names(kernels: &BTreeSet<String>) -> String {
    let families: BTreeSet<&str> =
        kernels.iter().map(|kernel| kernel.split([' ', ':', '/']).next().unwrap_or(kernel)).collect();
    format!("names begin with {}", Vec::from_iter(families).join(", "))
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
