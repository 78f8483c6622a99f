//! The page of `vae-gpu explore` in a browser: what it computes is what the program computes, its parts answer, and no name of
//! the data does anything.

#[path = "common/browser.rs"]
mod browser;
mod common;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use browser::Browser;
use scratch::Scratch;
use serde_json::{Value, json};
use vae_gpu::data::{self, ReadOptions};
use vae_gpu::gpu::Shared;
use vae_gpu::gpu::shader::compose;
use vae_gpu::kernels;
use vae_gpu::kernels::tuning::Tuning;
use vae_gpu::model::Network;
use vae_gpu::model::init::initial_weights;
use vae_gpu::plan::{Form, Needs};
use vae_gpu::train::{Condition, Config, Stepper};
use vae_gpu::{Dataset, Vae};

const TRAIN: &str = "train --data tiny --hidden 16 --latent 3 --batch-size 60";

/// A page that is shown, with the folder that it lies in; none where this machine has no browser.
fn opened(scratch: &Scratch, page: &str, fragment: &str) -> Option<Browser> {
    let name = match browser::find() {
        Ok(name) => name,
        Err(why) => {
            skip::skip("chromium", &why);
            return None;
        }
    };
    let browser = Browser::open(name, scratch.path("").as_path(), true);
    browser.show(&scratch.path(page), fragment);
    let error = browser.evaluate("vae.ready.then((page) => page.error ?? null)");
    assert!(error.is_null(), "{error}");
    Some(browser)
}

/// Whether numbers agree, relative to the larger of 1 and their size.
#[track_caller]
fn near(what: &str, got: &[f64], want: &[f32], within: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let worst = got.iter().zip(want).map(|(a, b)| (a - f64::from(*b)).abs() / f64::from(b.abs().max(1.0)));
    let worst = worst.fold(0.0, f64::max);
    assert!(worst <= within, "{what}: off by {worst}");
}

#[test]
fn the_page_computes_what_the_program_computes() {
    let scratch = Scratch::new();
    // Each with an odd number of latent dimensions, so that rows are padded.
    for (flags, label) in [
        ("", None),
        ("--condition labels --likelihood gaussian-learned --variance pixel", Some(7)),
        ("--encoder conv_8x4/2,linear_16", None),
        ("--model ae", None),
    ] {
        let mut train = scratch.std_command(
            &TRAIN.replace("--hidden 16", if flags.contains("conv") { "" } else { "--hidden 16" }),
        );
        train.args(
            flags.split_whitespace().map(|word| word.replace("conv_", "conv ").replace("linear_", "linear ")),
        );
        let trained = train.args(["--epochs", "2", "--out", "run", "--force", "-q"]).output().unwrap();
        assert!(trained.status.success(), "{flags}: {}", String::from_utf8_lossy(&trained.stderr));
        scratch.succeed("explore run --limit 50");
        let Some(browser) = opened(&scratch, "run/explore.html", "") else { return };
        let mut vae = Vae::load_on(&common::gpu(), scratch.path("run")).unwrap();
        let z = [0.5f32, -1.25, 2.0, -0.75, 0.25, 1.5];
        let labels: Vec<u32> = label.into_iter().collect();
        let twice: Vec<u32> = [&labels[..], &labels].concat();
        let argument = label.unwrap_or(0);
        let means = vae.decode((&z[..], &twice[..])).unwrap();
        for (number, z) in z.chunks(3).enumerate() {
            let got = browser.numbers(&format!("vae.page.model.decode({z:?}, {argument})"));
            near(&format!("decode {flags}"), &got, &means[64 * number..64 * (number + 1)], 1e-4);
        }
        let both = format!(
            "vae.page.model.decodeAll([{:?}, {:?}], {argument}).then((all) => [...all[0], ...all[1]])",
            &z[..3],
            &z[3..]
        );
        near(&format!("decode_many {flags}"), &browser.numbers(&both), &means, 1e-4);

        let bytes = tiny::images(5)[4 * 64..].to_vec();
        let x: Vec<f32> = bytes.iter().map(|v| f32::from(*v) / 255.0).collect();
        let codes = vae.encode((&x[..], &labels[..])).unwrap();
        let encode = format!("vae.page.model.encode(Float32Array.from({x:?}), {argument})");
        near("mu", &browser.numbers(&format!("{encode}.then((found) => found.mu)")), &codes.mu, 1e-4);
        near(
            "log_var",
            &browser.numbers(&format!("{encode}.then((found) => found.logVar ?? [])")),
            &codes.log_var,
            1e-4,
        );
        let (rebuilt, nats) = vae.strangeness((&x[..], &labels[..])).unwrap();
        near("rebuilt", &browser.numbers(&format!("{encode}.then((found) => found.mean)")), &rebuilt, 1e-4);
        near("nats", &browser.numbers(&format!("{encode}.then((found) => found.nats)")), &nats, 1e-3);
        // One draw of z there, the mean of sixteen here.
        let terms = vae.elbo((&x[..], &labels[..])).unwrap()[0];
        let found =
            browser.numbers(&format!("{encode}.then((found) => [found.kl, found.recon, found.deviation])"));
        near("KL", &found[..1], &[terms.kl as f32], 1e-4);
        assert!((found[1] - terms.recon).abs() < 6.0 * found[2] + 1e-3, "{found:?} {terms:?}");

        assert_eq!(browser.said(), Vec::<String>::new());
        if flags == "--model ae" {
            // It has no prior to draw from.
            assert_eq!(browser.evaluate("document.getElementById('samples-card').hidden"), true);
            continue;
        }
        let samples = match label {
            Some(label) => vae.sample_label(64, 7, label).unwrap(),
            None => vae.sample(64, 7).unwrap(),
        };
        let sample = format!(
            "vae.page.model.sample(7, 1, {argument}).then(({{ means }}) => means.flatMap((x) => Array.from(x)))"
        );
        near("sample", &browser.numbers(&sample), &samples, 1e-4);
        assert_eq!(browser.said(), Vec::<String>::new());
    }
}

/// The centre of an element, in pixels of the window, after scrolling to it.
fn middle(browser: &Browser, id: &str) -> [f64; 2] {
    let at = browser.numbers(&format!(
        "(async () => {{ const e = document.getElementById('{id}'); e.scrollIntoView({{ block: 'center' }});
         const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; }})()"
    ));
    [at[0], at[1]]
}

/// What is in a canvas now, as one number.
fn ink(browser: &Browser, id: &str) -> f64 {
    browser
        .evaluate(&format!(
            "(async () => {{ await new Promise((done) => setTimeout(done, 150)); await vae.page.model.pending;
             const c = document.getElementById('{id}'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
             return d.reduce((sum, v, i) => (sum * 31 + v * (i + 1)) % 1000000007, c.width); }})()"
        ))
        .as_f64()
        .unwrap()
}

#[test]
fn every_part_of_the_page_answers() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 2 --out run -q"));
    scratch.succeed("explore run --half --out page.html");
    let Some(browser) = opened(&scratch, "page.html", "") else { return };
    let z = || browser.numbers("vae.page.z");
    let begin = ink(&browser, "here");

    // Pointing decodes and does not stay; dragging stays.
    let [x, y] = middle(&browser, "map");
    let taken = z();
    browser.hover([x + 60.0, y + 40.0]);
    assert_ne!(ink(&browser, "here"), begin);
    assert_eq!(z(), taken);
    browser.evaluate("document.getElementById('map').dispatchEvent(new PointerEvent('pointerleave'))");
    assert_eq!(ink(&browser, "here"), begin);
    for (kind, by) in [("mousePressed", 0.0), ("mouseMoved", 25.0), ("mouseReleased", 50.0)] {
        browser.pointer(kind, [x + by, y]);
    }
    let walked = z();
    assert_ne!(walked, taken);
    browser.evaluate("document.getElementById('map').focus()");
    browser.key("ArrowUp");
    assert_ne!(z(), walked);

    // A slider moves its own dimension.
    let before = z();
    browser.evaluate(
        "(() => { const s = vae.page.sliders.inputs[1].input; s.value = 1.5; s.dispatchEvent(new Event('input')); })()",
    );
    assert_eq!(z(), [before[0], 1.5, before[2]]);

    // A dropped picture of another size and in colour is read as the program reads it.
    let picture = image::RgbImage::from_fn(23, 30, |x, y| {
        image::Rgb([(x * 11) as u8, (y * 8) as u8, 200 - (x * y / 4) as u8])
    });
    picture.save(scratch.path("photo.png")).unwrap();
    let base64: Vec<u8> = scratch.read("photo.png");
    browser.evaluate(&format!(
        "(async () => {{ const files = new DataTransfer(); files.items.add(new File([Uint8Array.from({base64:?})], 'photo.png', {{ type: 'image/png' }}));
         document.getElementById('yours-card').dispatchEvent(new DragEvent('drop', {{ dataTransfer: files }}));
         for (let i = 0; i < 100 && !vae.page.yours.found; i++) await new Promise((done) => setTimeout(done, 50)); }})()"
    ));
    let mut vae = Vae::load_on(&common::gpu(), scratch.path("run")).unwrap();
    let shape = vae.config().image_shape().unwrap();
    let values = data::picture(&scratch.path("photo.png"), shape).unwrap();
    let codes = vae.encode(&values).unwrap();
    // Weights of 16 bits, and a rounding of a resized byte here or there.
    near("mu of the picture", &browser.numbers("vae.page.yours.found.mu"), &codes.mu, 5e-3);
    assert!(
        browser.evaluate("document.getElementById('score').textContent").as_str().unwrap().contains("nats")
    );
    let [x, y] = middle(&browser, "pad");
    for (kind, by) in
        [("mousePressed", -30.0), ("mouseMoved", 10.0), ("mouseMoved", 30.0), ("mouseReleased", 30.0)]
    {
        browser.pointer(kind, [x + by, y]);
    }
    let seen = ink(&browser, "seen");
    assert_ne!(
        browser.numbers("vae.page.yours.found.mu"),
        codes.mu.iter().map(|v| f64::from(*v)).collect::<Vec<_>>()
    );

    // A path has its ends, and becomes an animated PNG that another program reads.
    let png = browser.numbers(
        "(async () => { const { path } = vae.page; await path.set(0, [0, 0, 1]); await path.set(1, [1, 2, 3]); path.go(23);
         const blob = await vae.png(path.codes.map((code, i) => path.image(i, 8))); return new Uint8Array(await blob.arrayBuffer()); })()",
    );
    assert_eq!(z(), [1.0, 2.0, 3.0]);
    let png: Vec<u8> = png.into_iter().map(|v| v as u8).collect();
    let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(png)).unwrap();
    assert!(decoder.is_apng().unwrap());
    let frames = image::AnimationDecoder::into_frames(decoder.apng().unwrap()).collect_frames().unwrap();
    assert_eq!((frames.len(), frames[0].buffer().dimensions()), (24, (64, 64)));

    // Labels, samples, and an address that brings the same back.
    browser.evaluate("(() => { const a = document.getElementById('amount'); a.value = 1; a.dispatchEvent(new Event('input')); })()");
    assert_ne!(z(), [1.0, 2.0, 3.0]);
    let samples = ink(&browser, "samples");
    browser.evaluate("document.getElementById('again').click()");
    assert_ne!(ink(&browser, "samples"), samples);
    browser.evaluate("new Promise((done) => setTimeout(done, 600))");
    let hash = browser.evaluate("location.hash");
    let there = z();
    assert!(hash.as_str().unwrap().contains("seed=1") && seen > 0.0, "{hash}");
    assert_eq!(browser.said(), Vec::<String>::new());
    drop(browser);
    let Some(browser) = opened(&scratch, "page.html", hash.as_str().unwrap()) else { return };
    let back = browser.numbers("vae.page.z");
    assert!(there.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-3), "{there:?} {back:?}");
    assert_eq!(browser.evaluate("document.getElementById('seed').value"), "1");
}

/// The losses of the program's own training.
fn losses(config: &Config, dataset: &Dataset, steps: u64) -> Vec<f32> {
    let (gpu, mut shared) = (common::gpu(), Shared::default());
    let network = Network::new(&config.model_config(dataset.shape)).unwrap();
    let recipe = config.recipe(dataset.shape);
    let train = (&config.train, &recipe);
    let mut stepper =
        Stepper::new((&gpu, &mut shared), &network, train, &Tuning::default(), &dataset.train, 256).unwrap();
    stepper.write_parameters(&initial_weights(&network.parameters, config.train.init, config.train.seed));
    let mut done = 0;
    while done < steps {
        done += stepper.submit(done, steps - done).unwrap();
    }
    let history = stepper.program().read_f32(stepper.ports().history).unwrap();
    (1..=steps).map(|t| -history[4 * t as usize + 2] / stepper.rows_of(t) as f32).collect()
}

#[test]
fn the_page_trains_as_the_program_does() {
    const STEPS: u64 = 100;
    let scratch = Scratch::new();
    let flags = "--data tiny --hidden 16 --latent 3 --batch-size 60 --epochs 20 --seed 5";
    for more in ["", "--condition labels --kl-warmup 10 --lr-schedule cosine --clip-norm 5"] {
        scratch.succeed(&format!("explore --train {flags} {more}"));
        let Some(browser) = opened(&scratch, "explore.html", "") else { return };
        let dataset =
            data::open_with(&scratch.path("tiny").display().to_string(), &ReadOptions::default(), &|_| {})
                .unwrap();
        let mut config = Config::default();
        (config.model.hidden, config.model.latent) = (vec![16], 3);
        (config.train.batch_size, config.train.epochs, config.train.seed) = (60, 20, 5);
        if !more.is_empty() {
            config.model.condition = Condition::Labels;
            config.train.kl_warmup = 10.0;
            config.train.lr_schedule = "cosine".parse().unwrap();
            config.train.clip_norm = 5.0;
        }
        config.adopt(&dataset).unwrap();
        let native = losses(&config, &dataset, STEPS);
        let train = format!("vae.page.training.start({STEPS}).then(() => vae.page.training.losses)");
        let first = browser.numbers(&train);
        near(&format!("losses {more}"), &first, &native, 1e-3);
        assert!(native[99] < 0.95 * native[0], "it learns: {native:?}");
        // The same again, and other rates are other losses.
        browser.evaluate("vae.page.training.reset()");
        assert_eq!(browser.numbers(&train), first);
        browser.evaluate("vae.page.training.reset()");
        browser.evaluate("(() => { const s = document.getElementById('lr'); s.value = -2; s.dispatchEvent(new Event('input')); })()");
        assert_ne!(browser.numbers(&train), first);
        assert!(
            browser
                .evaluate("document.getElementById('progress').textContent")
                .as_str()
                .unwrap()
                .starts_with("step 100")
        );
        assert_eq!(browser.said(), Vec::<String>::new());
    }
}

#[test]
fn a_table_has_a_form_and_its_names_are_text() {
    let scratch = Scratch::new();
    let evil = "</script><script>document.title='hacked'</script><img src=x onerror=document.title='hacked'>";
    let row = |i: usize| {
        format!(
            "{},{},{},{}",
            100 + i % 7,
            i * i % 11,
            i as f32 / 10.0,
            if i.is_multiple_of(2) { evil } else { "b" }
        )
    };
    let rows: Vec<String> = (0..120).map(row).collect();
    scratch.write("wine.csv", format!("{evil},sugar,alcohol,quality\n{}\n", rows.join("\n")));
    scratch.succeed("train --data wine.csv --label-column quality --hidden 8 --latent 2 --batch-size 20 --epochs 2 --out <b>run -q");
    scratch.succeed("explore <b>run");
    let Some(browser) =
        opened(&scratch, "<b>run/explore.html".replace('<', "%3C").replace('>', "%3E").as_str(), "")
    else {
        return;
    };
    assert_eq!(browser.evaluate("document.title"), "<b>run");
    assert_eq!(browser.evaluate("document.querySelector('#form label span').textContent"), evil);
    assert_eq!(browser.evaluate("document.querySelectorAll('img, h1 b, header script').length"), 0);
    let chip = browser.evaluate("document.querySelector('#legend button').textContent");
    assert!([json!(evil), json!("b")].contains(&chip), "{chip}");
    let input = "const i = document.querySelector('#form input'); i.value = 103; i.dispatchEvent(new Event('input', { bubbles: true }));";
    browser.evaluate(&format!("(async () => {{ {input} for (let i = 0; i < 100 && !vae.page.yours.found; i++) await new Promise((f) => setTimeout(f, 50)); }})()"));
    // In the table's own units: values of the first column lie about 103.
    let decoded = browser.evaluate("(async () => { await vae.page.model.pending; await new Promise((f) => setTimeout(f, 200)); return Number(document.querySelector('#row td').textContent); })()");
    assert!((95.0..111.0).contains(&decoded.as_f64().unwrap()), "{decoded}");
    assert_eq!(browser.said(), Vec::<String>::new());
}

#[test]
fn without_webgpu_there_are_pictures_and_the_report_names_the_page() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 1 --out run -q").replace("--latent 3", "--latent 2"));
    scratch.succeed("explore run");
    let report = String::from_utf8(scratch.read("run/report.html")).unwrap();
    assert_eq!(report.matches("href=").count(), 1);
    assert!(report.contains("href=\"./explore.html\""));
    scratch.succeed("explore run");
    assert_eq!(scratch.read("run/report.html"), report.as_bytes());
    // A report that is written anew names it too.
    scratch.succeed("train --resume run --epochs 2 -q");
    assert!(String::from_utf8(scratch.read("run/report.html")).unwrap().contains("href=\"./explore.html\""));
    let html = String::from_utf8(scratch.read("run/explore.html")).unwrap();
    // Samples, a traversal, a manifold.
    assert_eq!(html.matches("<img alt=").count(), 3);
    assert!(!html.contains("http:") && !html.contains("https:"), "it loads nothing");
    scratch.fail("explore run --out page.png", 2, ".html");
    scratch.fail("explore run --hidden 8", 2, "--hidden");
    scratch.fail("explore", 2, "RUN");
    let name = match browser::find() {
        Ok(name) => name,
        Err(why) => return skip::skip("chromium", &why),
    };
    let browser = Browser::open(name, scratch.path("").as_path(), false);
    browser.show(&scratch.path("run/explore.html"), "");
    assert!(!browser.evaluate("vae.ready.then((page) => page.error ?? null)").is_null());
    assert_eq!(browser.evaluate("document.getElementById('app').hidden"), true);
    assert!(
        browser
            .evaluate("document.getElementById('fallback').innerText")
            .as_str()
            .unwrap()
            .contains("Firefox")
    );
    assert_eq!(
        browser.evaluate("Array.from(document.images, (i) => i.complete && i.naturalWidth > 0)"),
        json!([true, true, true])
    );
}

/// Kernels that no browser has, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("matmul/cooperative16", "cooperative matrices are no part of WGSL yet"),
    ("matmul/cooperative8", "cooperative matrices are no part of WGSL yet"),
];

/// What stands before a shader's text in a browser alone: naga refuses the line, and Tint wants it.
fn prelude(needs: Needs) -> &'static str {
    if needs == Needs::Lanes { "enable subgroups;\n" } else { "" }
}

/// Tint, the compiler of WGSL in Chromium, is a second opinion on every shader.
#[test]
fn every_shader_compiles_in_the_browser() {
    let scratch = Scratch::new();
    let mut texts: BTreeMap<String, (&str, &str, bool)> = BTreeMap::new();
    let mut excepted = Vec::new();
    for kernel in kernels::all() {
        if EXCEPTIONS.iter().any(|(name, _)| *name == kernel.name) {
            excepted.push(kernel.name);
            continue;
        }
        for consts in (kernel.variants)() {
            let text = format!("{}{}", prelude(kernel.needs), compose(kernel.source, &consts).unwrap());
            let images = kernel.slots.iter().any(|slot| slot.form == Form::Image);
            texts.insert(text, (kernel.name, kernel.entry, images));
        }
    }
    assert!(texts.len() > 300, "{} shaders", texts.len());
    assert!(
        EXCEPTIONS.iter().all(|(name, _)| excepted.contains(name)),
        "an exception that is none: {excepted:?}"
    );
    let name = match browser::find() {
        Ok(name) => name,
        Err(why) => return skip::skip("chromium", &why),
    };
    let list: Vec<Value> = texts.iter().map(|(text, (name, ..))| json!([name, text])).collect();
    let json = serde_json::to_string(&list).unwrap().replace('<', "\\u003c");
    scratch.write("shaders.html", format!("<script type=\"application/json\" id=\"all\">{json}</script>"));
    let browser = Browser::open(name, scratch.path("").as_path(), true);
    browser.show(&scratch.path("shaders.html"), "");
    let complaints = browser.evaluate(
        "(async () => {
            const adapter = await navigator.gpu.requestAdapter();
            const wanted = ['shader-f16', 'subgroups'].filter((feature) => adapter.features.has(feature));
            const device = await adapter.requestDevice({ requiredFeatures: wanted });
            const complaints = [];
            for (const [name, code] of JSON.parse(document.getElementById('all').textContent)) {
                if (code.includes('enable f16;') && !wanted.includes('shader-f16')) continue;
                device.pushErrorScope('validation');
                const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
                const error = await device.popErrorScope();
                complaints.push(...messages.map((m) => `${name}:${m.lineNum}: ${m.message}`), ...(error ? [`${name}: ${error.message}`] : []));
            }
            return [...new Set(complaints)].slice(0, 20);
        })()",
    );
    assert_eq!(complaints, json!([]));
}

/// The files of the page's script are modules that stand by themselves, too.
#[test]
fn the_scripts_are_modules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/explore/page");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "js") {
            assert!(text.starts_with("// "), "{}: says what it is", path.display());
        }
        let long = text.lines().find(|line| line.chars().count() > 200);
        assert_eq!(long, None, "{}", path.display());
    }
}
