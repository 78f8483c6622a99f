//! `vae-gpu evaluate`.

use super::args::EvaluateArgs;
use super::output::result;
use super::saved::Saved;
use crate::error::Result;
use crate::evaluate::Evaluator;
use crate::gpu::Shared;

pub fn run(args: &EvaluateArgs) -> Result<()> {
    let saved = Saved::open(&args.run, &args.device)?;
    let dataset = saved.dataset()?;
    let train = &saved.config.train;
    let mut shared = Shared::default();
    let binarize = train.binarize(&saved.model);
    let mut evaluator =
        Evaluator::new(&saved.gpu, &mut shared, &saved.model, &dataset.test, "test", binarize)?;
    evaluator.write_parameters(&saved.parameters);
    let evaluation = evaluator.run(train.seed)?;
    if args.json {
        let json = serde_json::to_string_pretty(&evaluation).expect("plain numbers");
        result(format_args!("{json}"));
        return Ok(());
    }
    result(format_args!("{} test images, nats per image", evaluation.count));
    for (name, estimate) in
        [("ELBO", evaluation.elbo), ("reconstruction", evaluation.recon), ("KL", evaluation.kl)]
    {
        result(format_args!("{name:<15}{:>9.3} +- {:.3}", estimate.mean, estimate.standard_error));
    }
    Ok(())
}
