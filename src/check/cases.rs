//! The cases of the check.

use super::{Case, Fill, TRANSCENDENTAL, likelihoods, products};
use crate::kernels::activation::{self, Activation};
use crate::kernels::gather::{self, Binarize, Packing};
use crate::kernels::latent::KlForm;
use crate::kernels::objective::Objective;
use crate::kernels::{
    adam, add, bias_grad, clip, condition, flip, free_bits, importance, latent, micro, objective, prior,
    random, row_vector, row_weight,
};
use crate::plan::{PAD, Target, Tensor, round_up};

/// The place of a case's rows in a batch that is divided, and the rows beside them.
const PLACE: u32 = 6;

/// Batch sizes, one of them larger than a workgroup.
const ROWS: [usize; 3] = [1, 7, 130];
/// Widths around a vec4 and beyond a workgroup's lanes.
const WIDTHS: [usize; 4] = [1, 5, 64, 131];

pub(super) fn all(target: &Target) -> Vec<Case> {
    let mut cases = Vec::new();
    random(&mut cases);
    gathers(&mut cases);
    flips(&mut cases);
    activations(&mut cases);
    adds(&mut cases);
    latents(&mut cases);
    objectives(&mut cases);
    importances(&mut cases);
    conditions(&mut cases);
    likelihoods::all(&mut cases);
    bias_grads(&mut cases);
    adams(&mut cases);
    micros(&mut cases);
    products::matmuls(&mut cases, target);
    if target.software {
        products::long_sums(&mut cases, target);
    }
    cases
}

fn shapes() -> impl Iterator<Item = (usize, usize)> {
    ROWS.into_iter().flat_map(|rows| WIDTHS.into_iter().map(move |cols| (rows, cols)))
}

fn random(cases: &mut Vec<Case>) {
    for kernel in [&random::WORDS, &random::UNIFORMS, &random::NORMALS] {
        let mut case = Case::new(kernel.label(), "257x64");
        let integers = std::ptr::eq(kernel, &random::WORDS);
        let fill = if integers { Fill::Words } else { Fill::Unwritten };
        let out = case.tensor("out", 257, 64, fill);
        case.tolerance = if integers { 0.0 } else { TRANSCENDENTAL };
        random::random(&mut case.plan, kernel, out);
        cases.push(case);
    }
}

fn gathers(cases: &mut Vec<Case>) {
    for packing in Packing::ALL {
        for mode in [Binarize::None, Binarize::Threshold, Binarize::Fixed, Binarize::Dynamic] {
            for (batch, dim) in shapes() {
                let mut case = Case::new("gather", format!("{mode:?} {packing:?} {batch}x{dim}"));
                let count = batch + 9;
                let fill = if packing == Packing::Bytes { Fill::Words } else { Fill::FloatBits };
                // The order also names data past the last one.
                let data = case.packed("data", count - 2, packing.words(dim), fill);
                let order = case.tensor("order", 1, count, Fill::Permutation);
                let x = case.output("x", batch, dim);
                // The last batch of an epoch may be short.
                case.step.first_row = 5;
                case.step.valid_rows = batch.div_ceil(2) as u32;
                case.step.first_place = PLACE;
                // Half of the shapes use streamed data.
                gather::gather(&mut case.plan, mode, batch % 2 == 0, packing, data, order, x);
                cases.push(case);
            }
        }
    }
}

fn flips(cases: &mut Vec<Case>) {
    // The width is odd and even, alone and with colours; rows of the batch are whole vectors and are not.
    for (batch, height, width, channels) in [(1, 1, 1, 1), (7, 3, 5, 1), (130, 4, 4, 3), (9, 2, 7, 3)] {
        let mut case = Case::new("flip", format!("{batch} of {height}x{width}x{channels}"));
        let x = case.tensor("x", batch, height * width * channels, Fill::Normal(1.0));
        let y = case.output("y", batch, height * width * channels);
        case.step.first_place = PLACE;
        flip::flip(&mut case.plan, flip::Mirror { width, channels }, x, y);
        case.tolerance = 0.0;
        cases.push(case);
    }
}

fn activations(cases: &mut Vec<Case>) {
    for function in Activation::HIDDEN {
        for (rows, cols) in [(7, 64), (5, 13)] {
            let mut case = Case::new("activation:forward", format!("{function:?} {rows}x{cols}"));
            // Wide enough that tanh and exp would overflow without clamping.
            let x = case.tensor("x", rows, cols, Fill::Normal(40.0));
            let y = case.output("y", rows, cols);
            case.tolerance = TRANSCENDENTAL;
            activation::forward(&mut case.plan, "y", function, x, y);
            cases.push(case);

            let mut case = Case::new("activation:backward", format!("{function:?} {rows}x{cols}"));
            let kept = case.tensor("kept", rows, cols, Fill::Square);
            let d = case.tensor("d", rows, cols, Fill::Normal(1.0));
            case.tolerance = TRANSCENDENTAL;
            activation::backward(&mut case.plan, "d", function, kept, d);
            cases.push(case);
        }
    }
}

fn adds(cases: &mut Vec<Case>) {
    for (rows, cols) in shapes() {
        // a is a view of a wider matrix.
        let view = |case: &mut Case| {
            let wide = case.tensor("a", rows, cols + 7, Fill::Normal(1.0));
            Tensor { cols, ..wide }
        };
        let shape = format!("{rows}x{cols}");
        let mut case = Case::new("add:sum", &shape);
        let (a, b) = (view(&mut case), case.tensor("b", rows, cols, Fill::Normal(1.0)));
        let y = case.output("y", rows, cols);
        add::sum(&mut case.plan, "y", a, b, y);
        cases.push(case);

        let mut case = Case::new("add:copy", &shape);
        let (a, y) = (view(&mut case), case.output("y", rows, cols));
        add::copy(&mut case.plan, "y", a, y);
        cases.push(case);

        let mut case = Case::new("add:accumulate", &shape);
        let (a, y) = (view(&mut case), case.tensor("y", rows, cols, Fill::Normal(1.0)));
        add::accumulate(&mut case.plan, "y", a, y);
        cases.push(case);
    }
}

fn head(case: &mut Case, batch: usize, latent: usize, scale: f64) -> Tensor {
    case.tensor("head", batch, latent::head_columns(latent), Fill::Head(latent, scale))
}

fn latents(cases: &mut Vec<Case>) {
    for batch in ROWS {
        // In the last, a third of the log-variances exceed the bound. 132 dimensions are more vectors than lanes share a row.
        let heads =
            [(1, 1, 0.7), (5, 1, 0.7), (20, 1, 0.7), (64, 1, 0.7), (132, 1, 0.7), (6, 3, 0.7), (6, 3, 40.0)];
        for (latent, samples, scale) in heads {
            let shape = format!("{batch}x{latent} K={samples} head {scale}");
            for (device, target) in [("software", Target::SOFTWARE), ("card", Target::PORTABLE)] {
                let mut case = Case::new("latent:draw", format!("{device} {shape}"));
                let h = head(&mut case, batch, latent, scale);
                let z = case.output("z", batch * samples, latent);
                let kl = row_vector(&mut case.plan, "kl", batch);
                case.tolerance = TRANSCENDENTAL;
                case.step.first_place = PLACE;
                latent::draw(&mut case.plan, &target, samples, h, z, kl);
                cases.push(case);

                let mut case = Case::new("latent:ratio", format!("{device} {shape}"));
                let h = head(&mut case, batch, latent, scale);
                let z = case.tensor("z", batch * samples, latent, Fill::Normal(1.0));
                let log_ratio = row_vector(&mut case.plan, "log_ratio", batch * samples);
                case.tolerance = TRANSCENDENTAL;
                case.step.first_place = PLACE;
                latent::ratio(&mut case.plan, &target, samples, h, z, log_ratio);
                cases.push(case);
            }

            for form in ["closed", "free bits", "sampled"] {
                let mut case = Case::new("latent:backward", format!("{form} {shape}"));
                let h = head(&mut case, batch, latent, scale);
                let d_z = case.tensor("d_z", batch * samples, latent, Fill::Normal(1.0));
                let weight = case.tensor("weight", 1, round_up(batch * samples, PAD), Fill::Square);
                let kl_scale = case.tensor("scale", 1, latent, Fill::Square);
                let d_head = case.output("d_head", batch, latent::head_columns(latent));
                case.tolerance = TRANSCENDENTAL;
                let form = match form {
                    "closed" => KlForm::Closed(weight),
                    "free bits" => KlForm::FreeBits(weight, kl_scale),
                    _ => KlForm::Sampled(weight),
                };
                case.step.first_place = PLACE;
                latent::backward(&mut case.plan, samples, h, d_z, form, d_head);
                cases.push(case);
            }

            let mut case = Case::new("free_bits", &shape);
            let h = head(&mut case, batch, latent, scale);
            let [floor_kl, kl_scale] = ["floor_kl", "kl_scale"].map(|name| case.output(name, 1, latent));
            case.step.valid_rows = batch.div_ceil(2) as u32;
            case.tolerance = TRANSCENDENTAL;
            // About half of the dimensions are below the floor.
            free_bits::free_bits(&mut case.plan, 0.3, h, floor_kl, kl_scale);
            cases.push(case);
        }
        let mut case = Case::new("prior", format!("{batch}x5"));
        let z = case.output("z", batch, 5);
        case.tolerance = TRANSCENDENTAL;
        prior::prior(&mut case.plan, 0.5, z);
        cases.push(case);
    }
}

fn objectives(cases: &mut Vec<Case>) {
    for batch in ROWS {
        for samples in [1, 3] {
            let shape = format!("{batch} K={samples}");
            let mut case = Case::new("row_weight", &shape);
            let recon_weight = row_vector(&mut case.plan, "recon_weight", batch * samples);
            let kl_weight = row_vector(&mut case.plan, "kl_weight", batch);
            case.step.valid_rows = batch.div_ceil(2) as u32;
            case.step.rows_beside = PLACE;
            row_weight::row_weight(&mut case.plan, batch, samples, recon_weight, kl_weight);
            cases.push(case);

            for kernel in ["elbo", "importance", "free bits", "collect"] {
                let entry = if kernel == "collect" { kernel } else { "batch_sum" };
                let mut case = Case::new(format!("objective:{entry}"), format!("{kernel} {shape}"));
                let log_p = case.tensor("log_p", 1, round_up(batch * samples, PAD), Fill::Normal(1.0));
                let kl = case.tensor("kl", 1, round_up(batch, PAD), Fill::Square);
                let out = case.packed("terms", batch + 11, objective::TERMS, Fill::Unwritten);
                case.step.first_row = 9;
                case.step.history_row = 2;
                case.step.valid_rows = batch as u32;
                let extra = case.tensor("extra", 1, round_up(batch, PAD), Fill::Normal(1.0));
                let plan = &mut case.plan;
                let objective = match kernel {
                    "elbo" => Objective::Elbo,
                    "importance" => Objective::Importance(extra),
                    _ => Objective::FreeBits(Tensor { cols: batch, ..extra }),
                };
                match entry {
                    "collect" => objective::collect(plan, batch, samples, log_p, kl, out),
                    _ => objective::batch_sum(plan, batch, samples, (log_p, kl), objective, out),
                }
                cases.push(case);
            }
        }
    }
}

fn importances(cases: &mut Vec<Case>) {
    for batch in ROWS {
        for samples in [1, 5, 70] {
            let shape = format!("{batch} K={samples}");
            let terms = |case: &mut Case| {
                let row = round_up(batch * samples, PAD);
                // Spread so widely that most weights are tiny.
                ["log_p", "log_ratio"].map(|name| case.tensor(name, 1, row, Fill::Normal(5.0))).into()
            };
            let mut case = Case::new("importance:weights", &shape);
            let log_w = terms(&mut case);
            let weight = row_vector(&mut case.plan, "weight", batch * samples);
            let bound = row_vector(&mut case.plan, "bound", batch);
            case.step.valid_rows = batch.div_ceil(2) as u32;
            case.step.rows_beside = PLACE;
            case.tolerance = TRANSCENDENTAL;
            importance::weights(&mut case.plan, batch, samples, log_w, (weight, bound));
            cases.push(case);

            // The first round, a middle one, and the last, which may be short.
            for round in [0, 1, 2] {
                let mut case = Case::new("importance:accumulate", format!("{shape} round {round}"));
                let log_w = terms(&mut case);
                let rows = case.packed("rows", batch + 9, 4, Fill::Square);
                (case.step.history_row, case.step.round) = (7, round);
                case.step.valid_rows = batch as u32;
                case.tolerance = TRANSCENDENTAL;
                let total = 3 * samples - samples / 2;
                importance::accumulate(&mut case.plan, batch, samples, total, log_w, rows);
                cases.push(case);
            }
        }
    }
}

fn conditions(cases: &mut Vec<Case>) {
    for (batch, width) in shapes() {
        for samples in [1, 3] {
            let mut case = Case::new("condition", format!("{batch}x{width} K={samples}"));
            let classes = batch + 6;
            let input = case.tensor("input", batch * samples, width, Fill::Normal(1.0));
            let labels = case.tensor("labels", 1, classes, Fill::Permutation);
            // It also names data past the last one.
            let order = case.tensor("order", 1, classes + 2, Fill::Permutation);
            let out = case.output("out", batch * samples, width + classes);
            case.step.first_row = 5;
            case.step.valid_rows = batch.div_ceil(2) as u32;
            let labels = condition::Labels { labels, order };
            condition::condition(&mut case.plan, samples, input, labels, out);
            cases.push(case);
        }
    }
}

fn bias_grads(cases: &mut Vec<Case>) {
    for (batch, cols) in shapes() {
        let mut case = Case::new("bias_grad", format!("{batch}x{cols}"));
        let dy = case.tensor("dy", batch, cols, Fill::Normal(1.0));
        let d_bias = case.output("d_bias", 1, cols);
        bias_grad::bias_grad(&mut case.plan, "check", dy, d_bias);
        cases.push(case);
    }
    // So many rows that they are added up in groups.
    let mut case = Case::new("bias_grad", "1000x5");
    let dy = case.tensor("dy", 1000, 5, Fill::Normal(1.0));
    let d_bias = case.output("d_bias", 1, 5);
    bias_grad::bias_grad(&mut case.plan, "check", dy, d_bias);
    cases.push(case);
}

fn adams(cases: &mut Vec<Case>) {
    for (images, len) in [(false, 4), (false, 68), (false, 4096), (true, 1024), (true, 7168)] {
        let target = Target { images, ..Target::PORTABLE };
        let mut case = Case::new("adam", len.to_string());
        let arenas = arenas(&mut case, len, 0.1);
        adam::adam(&mut case.plan, &target, adam::Hyperparameters::default(), arenas, None);
        cases.push(case);

        let mut case = Case::new("adam:clipped", len.to_string());
        let arenas = self::arenas(&mut case, len, 0.5);
        let scale = case.tensor("scale", 1, 4, Fill::Square);
        let settings = adam::Hyperparameters { epsilon: 1e-4, weight_decay: 0.1 };
        adam::adam(&mut case.plan, &target, settings, arenas, Some(scale));
        cases.push(case);
    }
    for len in [4, 68, 4096] {
        for limit in [0.5, 1e6] {
            let mut case = Case::new("clip", format!("{len} to {limit}"));
            let gradients = case.tensor("gradients", 1, len, Fill::Normal(1.0));
            let scale = case.output("scale", 1, 4);
            clip::clip(&mut case.plan, limit, gradients, scale);
            cases.push(case);
        }
    }
}

/// Arenas of `len` floats with gradients of this size.
fn arenas(case: &mut Case, len: usize, gradient: f64) -> adam::Arenas {
    adam::Arenas {
        gradients: case.tensor("gradients", 1, len, Fill::Normal(gradient)),
        parameters: case.tensor("parameters", 1, len, Fill::Normal(1.0)),
        moment1: case.tensor("moment1", 1, len, Fill::Normal(0.1)),
        moment2: case.tensor("moment2", 1, len, Fill::Square),
    }
}

fn micros(cases: &mut Vec<Case>) {
    for len in [4, 260, 9000] {
        let mut case = Case::new("micro:multiply_add", len.to_string());
        let y = case.output("y", 1, len);
        micro::multiply_add(&mut case.plan, 96, y);
        cases.push(case);

        let mut case = Case::new("micro:copy", len.to_string());
        let x = case.tensor("x", 1, len, Fill::Normal(1.0));
        let y = case.output("y", 1, len);
        micro::copy(&mut case.plan, x, y);
        cases.push(case);
    }
    let mut case = Case::new("micro:latency", "256");
    let y = case.output("y", 1, 256);
    micro::latency(&mut case.plan, y);
    cases.push(case);
}
