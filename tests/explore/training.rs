//! Training in the page, against the program's own.

use serde_json::json;
use vae_gpu::Dataset;
use vae_gpu::data::{self, ReadOptions};
use vae_gpu::gpu::Shared;
use vae_gpu::kernels::tuning::Tuning;
use vae_gpu::model::Network;
use vae_gpu::train::{Config, Stepper};

use super::browser::Browser;
use super::scratch::Scratch;
use super::{common, near, opened};

/// Pause, start and reset, at once and often: one loop trains, to its end and no further.
#[test]
fn one_loop_trains_to_the_last_epoch() {
    let scratch = Scratch::new();
    scratch.succeed("explore --train --data tiny --hidden 16 --latent 3 --batch-size 60 --epochs 3 --seed 5");
    let Some(browser) = opened(&scratch, "explore.html", "") else { return };
    let whole = browser.numbers("vae.page.training.start().then(() => vae.page.training.losses)");
    assert_eq!(whole.len(), 15, "three epochs of five steps");
    let told = browser.evaluate("document.getElementById('progress').textContent");
    let told = told.as_str().unwrap();
    assert!(told.contains("epoch 3.0 of 3") && told.contains("all 3 epochs are done"), "{told}");
    assert_eq!(browser.evaluate("document.getElementById('start').disabled"), true);
    assert_eq!(browser.numbers("vae.page.training.start().then(() => [vae.page.training.step])"), [15.0]);
    // Within the submission of the first step: as the buttons do it, and as a script may.
    let again = browser.numbers(
        "(async () => { const { training } = vae.page; await training.reset();
         let [most, now] = [0, 0]; const { steps } = training;
         training.steps = async (count) => { most = Math.max(most, ++now); try { return await steps.call(training, Math.min(count, 1)); } finally { now--; } };
         const button = document.getElementById('start');
         for (let i = 0; i < 5; i++) { button.click(); button.click(); button.click(); await new Promise((done) => setTimeout(done)); }
         training.start(); training.pause(); training.start(); await training.pause();
         const reset = training.reset(); training.start(); await reset; await training.pause(); await training.reset();
         await training.start(7); training.pause(); await training.start(); await training.start();
         return [most, ...training.losses]; })()",
    );
    assert_eq!(again[0], 1.0, "loops at once");
    assert_eq!(again[1..], whole);
    assert_eq!(browser.said(), Vec::<String>::new());
    // Without its device the page says so, and nothing of it answers.
    let lost = browser.evaluate(
        "(async () => { const { training, model } = vae.page; await training.reset(); const loop = training.start();
         model.gpu.device.destroy(); await loop.catch(() => {}); await new Promise((done) => setTimeout(done, 100));
         return [training.running, document.getElementById('app').inert, document.getElementById('adapter').className]; })()",
    );
    assert_eq!(lost, json!([false, true, "badge trouble"]));
}

/// The program's own training: the loss of each step, and its learning rate in thousandths and weight of the KL.
struct Native {
    losses: Vec<f32>,
    rates: Vec<f32>,
}

fn losses(config: &Config, dataset: &Dataset, steps: u64) -> Native {
    let (gpu, mut shared) = (common::gpu(), Shared::default());
    let network = Network::new(&config.model_config(dataset.shape)).unwrap();
    let recipe = config.recipe(dataset.shape);
    let train = (&config.train, &recipe);
    let mut stepper =
        Stepper::new((&gpu, &mut shared), &network, train, &Tuning::default(), &dataset.train, 256).unwrap();
    stepper.write_parameters(&config.train.first_weights(&network, &dataset.train).unwrap());
    let mut done = 0;
    while done < steps {
        done += stepper.submit(done, steps - done).unwrap();
    }
    let history = stepper.program().read_f32(stepper.ports().history).unwrap();
    let losses = (1..=steps).map(|t| -history[4 * t as usize + 2] / stepper.rows_of(t) as f32).collect();
    let rates = |t| {
        let step = stepper.step(t);
        [1e3 * step.learning_rate, step.kl_weight]
    };
    Native { losses, rates: (1..=steps).flat_map(rates).collect() }
}

/// Settings of training, each with what is particular to it.
const TRAININGS: &[(&str, &str)] = &[
    ("", ""),
    ("condition = \"labels\"", "kl_warmup = 10.0\nlr_schedule = \"cosine\"\nclip_norm = 5.0"),
    ("", "samples = 3\nlr_schedule = \"burda\"\nlr_warmup = 2.5\nweight_decay = 0.01\nbeta = 0.25"),
    ("kind = \"iwae\"", "samples = 4\nlr_schedule = \"steps:3,8*0.5\""),
    (
        "encoder = \"linear 16, norm batch\"",
        "free_bits = 0.1\nflip = true\noutput_bias = true\nbinarize = \"threshold\"",
    ),
    ("kind = \"ae\"", "adam_epsilon = 1e-6\ninit = \"xavier\""),
];

/// Steps whose losses are compared.
const STEPS: u64 = 100;

/// Trains the first steps in the page that these settings make, and in the program, and compares.
fn trains_alike(scratch: &Scratch, toml: &str, data: &str, limit: usize) -> Option<(Browser, Native)> {
    scratch.write("settings.toml", toml);
    scratch.succeed(&format!("explore --train --config settings.toml --limit {limit}"));
    let browser = opened(scratch, "explore.html", "")?;
    let mut config = Config::parse(toml).unwrap();
    let dataset = data::open_with(data, &ReadOptions::default(), &|_| {}).unwrap();
    let dataset = Dataset { train: dataset.train.spaced(limit), ..dataset };
    config.adopt(&dataset).unwrap();
    let native = losses(&config, &dataset, STEPS);
    near(&format!("losses of {toml}"), &browser.numbers(&trained_in_page()), &native.losses, 1e-3);
    let rates = format!(
        "Array.from({{ length: {STEPS} }}, (_, i) => vae.page.training.scalars(i + 1)).flatMap((s) => [1e3 * s.learning_rate, s.kl_weight])"
    );
    near(&format!("rates of {toml}"), &browser.numbers(&rates), &native.rates, 1e-5);
    assert_eq!(browser.said(), Vec::<String>::new());
    Some((browser, native))
}

/// The losses of the first steps, as an expression of the page.
fn trained_in_page() -> String {
    format!("vae.page.training.start({STEPS}).then(() => vae.page.training.losses)")
}

/// In batches of 16, of which SwiftShader makes a hundred in seconds.
#[test]
fn the_default_model_of_mnist_trains_as_in_the_program() {
    mnist_trains_alike(16, 200);
}

#[test]
#[ignore = "SwiftShader takes minutes for a hundred default batches: tests/compilers.sh"]
fn the_default_model_of_mnist_trains_in_default_batches_too() {
    mnist_trains_alike(128, 1600);
}

/// 784-400-20 on so many of MNIST's pictures, the last batch of an epoch half as large.
fn mnist_trains_alike(batch: usize, rows: usize) {
    let scratch = Scratch::new();
    let toml = format!("data = \"mnist\"\n[train]\nbatch_size = {batch}\nepochs = 8\nseed = 5\n");
    let Some((browser, native)) = trains_alike(&scratch, &toml, "mnist", rows) else { return };
    assert_eq!(browser.numbers("[vae.page.training.perEpoch, vae.page.training.step]"), [13.0, STEPS as f64]);
    assert!(native.losses[STEPS as usize - 1] < 0.5 * native.losses[0], "it learns: {:?}", native.losses);
}

#[test]
fn the_page_trains_as_the_program_does() {
    let scratch = Scratch::new();
    let table: Vec<String> =
        (0..290).map(|i| format!("{},{},{}", 100 + i % 7, i * i % 11, i as f32 / 10.0)).collect();
    scratch.write("wine.csv", format!("a,b,c\n{}\n", table.join("\n")));
    let all = TRAININGS.iter().map(|settings| ("tiny", settings)).chain([("wine.csv", &TRAININGS[0])]);
    for (data, (model, train)) in all {
        let hidden = if model.contains("encoder") { "" } else { "hidden = [16]" };
        let toml = format!(
            "data = \"{data}\"\n[model]\n{hidden}\nlatent = 3\n{model}\n[train]\nbatch_size = 60\nepochs = 20\nseed = 5\n{train}\n"
        );
        let path = scratch.path(data).display().to_string();
        let Some((browser, native)) = trains_alike(&scratch, &toml, &path, 10_000) else { return };
        assert!(
            browser
                .evaluate("document.getElementById('progress').textContent")
                .as_str()
                .unwrap()
                .starts_with(&format!("step {STEPS}, epoch 20.0"))
        );
        if !model.is_empty() || !train.is_empty() || data != "tiny" {
            continue;
        }
        assert!(
            native.losses[STEPS as usize - 1] < 0.95 * native.losses[0],
            "it learns: {:?}",
            native.losses
        );
        // The same again, and other rates are other losses.
        let (first, start) = (browser.numbers("vae.page.training.losses"), trained_in_page());
        browser.evaluate("vae.page.training.reset()");
        assert_eq!(browser.numbers(&start), first);
        browser.evaluate("vae.page.training.reset()");
        browser.evaluate("(() => { const s = document.getElementById('lr'); s.value = -2; s.dispatchEvent(new Event('input')); })()");
        assert_ne!(browser.numbers(&start), first);
        assert_eq!(browser.said(), Vec::<String>::new());
    }
}

#[test]
fn batches_that_teach_nothing_are_refused_with_one_voice() {
    let scratch = Scratch::new();
    scratch.write("one.csv", "a,b\n1,2\n3,4\n");
    let norm = |flags: &str| {
        let mut command = scratch.std_command(&format!("{flags} --latent 2 --data tiny"));
        command.args(["--encoder", "linear 8, norm batch", "--batch-size", "1"]);
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    for command in ["train", "explore --train"] {
        let told = norm(command);
        assert!(
            told.contains("--batch-size 1: `norm batch` compares the rows of a batch: use 2 or more"),
            "{told}"
        );
        let refused = format!("{command} --data tiny --hidden 8 --latent 2 --batch-size 257");
        scratch.fail(&refused, 2, "--batch-size 257: the training data has only 256 rows");
    }
    scratch.fail(
        "explore --train --data tiny --limit 1 --hidden 8 --latent 2 --batch-size 2",
        2,
        "has only 1 row\n",
    );
}
