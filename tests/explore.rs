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

use std::collections::{BTreeMap, BTreeSet};
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
use vae_gpu::plan::Needs;
use vae_gpu::train::{Config, Stepper};
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
        // A long plan is divided into submissions of one dispatch.
        let divided = format!(
            "(vae.page.model.programs.decode.parts = 1e9, vae.page.model.decode({:?}, {argument}))",
            &z[3..]
        );
        near(&format!("divided {flags}"), &browser.numbers(&divided), &means[64..], 1e-4);
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
        // The first of sixteen draws of z is the one that is there, of the same seed and stream.
        let terms = vae.elbo((&x[..], &labels[..])).unwrap()[0];
        let found = browser.numbers(&format!(
            "{encode}.then(({{ kl, recon, deviation, logP }}) => [kl, logP[0], recon, deviation ?? 0, ...logP])"
        ));
        near("KL and log p", &found[..2], &[terms.kl as f32, terms.recon as f32], 1e-3);
        let log_p = &found[4..];
        let mean = log_p.iter().sum::<f64>() / 16.0;
        let variance = log_p.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 15.0;
        near("mean and its deviation", &found[2..4], &[mean as f32, (variance / 16.0).sqrt() as f32], 1e-4);

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
        "(() => { const s = vae.page.sliders.lines[1].input; s.value = 1.5; s.dispatchEvent(new Event('input')); })()",
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
    // A tap draws, and so does a stroke.
    let drawn = || {
        let seen = ink(&browser, "seen");
        (browser.numbers("vae.page.yours.found.mu"), seen)
    };
    let [x, y] = middle(&browser, "pad");
    let dropped = drawn();
    browser.pointer("mousePressed", [x - 30.0, y]);
    let tapped = drawn();
    assert!(tapped.0 != dropped.0 && tapped.1 != dropped.1, "{tapped:?} {dropped:?}");
    for (kind, by) in [("mouseMoved", 10.0), ("mouseMoved", 30.0), ("mouseReleased", 30.0)] {
        browser.pointer(kind, [x + by, y]);
    }
    let stroked = drawn();
    assert!(stroked.0 != tapped.0 && stroked.1 != tapped.1, "{stroked:?} {tapped:?}");

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
    assert!(hash.as_str().unwrap().contains("seed=1"), "{hash}");
    assert_eq!(browser.said(), Vec::<String>::new());
    drop(browser);
    let Some(browser) = opened(&scratch, "page.html", hash.as_str().unwrap()) else { return };
    let back = browser.numbers("vae.page.z");
    assert!(there.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-3), "{there:?} {back:?}");
    assert_eq!(browser.evaluate("document.getElementById('seed').value"), "1");
    // An address that changes is followed.
    browser.evaluate("(location.hash = 'z=0.5,-1,2&seed=7', new Promise((done) => setTimeout(done, 200)))");
    assert_eq!(browser.numbers("vae.page.z"), [0.5, -1.0, 2.0]);
    assert_eq!(browser.evaluate("document.getElementById('seed').value"), "7");
    // What is no code is not taken.
    browser.evaluate("vae.page.take([NaN, 1, 2])");
    assert_eq!(browser.numbers("vae.page.z"), [0.5, -1.0, 2.0]);
}

/// What is drawn stays true when the window and the label change.
#[test]
fn pictures_follow_the_window_and_the_label() {
    let scratch = Scratch::new();
    for i in 0..48u32 {
        let picture = image::RgbImage::from_fn(6, 10, |x, y| {
            image::Rgb([(x * 40) as u8, (y * 25) as u8, ((i * 5 + x * y) % 256) as u8])
        });
        fs::create_dir_all(scratch.path(&format!("set/{}", i % 2))).unwrap();
        picture.save(scratch.path(&format!("set/{}/{i}.png", i % 2))).unwrap();
    }
    scratch.succeed(
        "train --data set --hidden 8 --latent 3 --batch-size 8 --epochs 1 --condition labels --out run -q",
    );
    scratch.succeed("explore run --split train");
    let Some(browser) = opened(&scratch, "run/explore.html", "") else { return };
    // Six by ten stays six by ten, in the samples, on the map and on the path.
    let painted = "(() => { const c = document.createElement('canvas'); [c.width, c.height] = [40, 40];
        const white = new ImageData(new Uint8ClampedArray(6 * 10 * 4).fill(255), 6, 10);
        vae.paint(c.getContext('2d'), white, [0, 0, 40, 40]);
        const at = (x, y) => c.getContext('2d').getImageData(x, y, 1, 1).data[3];
        return [at(7, 20), at(8, 0), at(31, 39), at(32, 20)]; })()";
    assert_eq!(browser.numbers(painted), [0.0, 255.0, 255.0, 0.0]);
    browser.evaluate("vae.page.map.drawBackdrop(true)");
    let tiles = browser.numbers("vae.page.map.tiles.map(([tile]) => tile.width / tile.height)");
    assert!(!tiles.is_empty() && tiles.iter().all(|ratio| *ratio == 0.6), "{tiles:?}");
    let shape = "(() => { const { tiles, width, height } = vae.page.map; const [, , w, h] = tiles[0][1]; return [(w * width) / (h * height)]; })()";
    assert!((browser.numbers(shape)[0] - 0.6).abs() < 0.1);

    // A tile of the backdrop is what stands at its middle, and covers the same part of the plane in a smaller window.
    let tile = "(async () => { const { map, model, label } = vae.page; const [x, y, w, h] = map.tiles[20][1];
        const place = map.toPlace([(x + w / 2) * map.width, (y + h / 2) * map.height]);
        const mean = await model.decode(map.plane.at(place, map.plane.origin), label);
        return [...mean].map((v, i) => Math.abs(Math.round(255 * Math.min(Math.max(v, 0), 1)) - map.tiles[20][0].data[4 * Math.floor(i / 3) + (i % 3)])); })()";
    assert!(browser.numbers(tile).iter().all(|off| *off <= 1.0));
    let width = browser.numbers("[vae.page.map.width]");
    browser.resize(700, 600);
    browser.evaluate("new Promise((done) => setTimeout(done, 300))");
    assert_ne!(browser.numbers("[vae.page.map.width]"), width);
    assert!(browser.numbers(tile).iter().all(|off| *off <= 1.0));

    // Another label: the path, the score and the backdrop are of it.
    let x = "Float32Array.from({ length: 180 }, (_, i) => (i % 7) / 7)";
    browser.evaluate(&format!("vae.page.yours.judge({x})"));
    let state = || {
        let score = browser.evaluate("document.getElementById('score').textContent");
        (browser.numbers("vae.page.path.frames[5]"), score, browser.numbers("vae.page.z"))
    };
    let before = state();
    let label = browser.evaluate("document.getElementById('label').value");
    let other = 1 - label.as_str().unwrap().parse::<i32>().unwrap();
    browser.evaluate(&format!(
        "(async () => {{ const s = document.getElementById('label'); s.value = {other}; s.dispatchEvent(new Event('input'));
         await new Promise((done) => setTimeout(done, 300)); await vae.page.path.make(); await vae.page.yours.again(); }})()"
    ));
    let after = state();
    assert!(before.0 != after.0 && before.1 != after.1, "{before:?} {after:?}");
    assert_eq!(before.2, after.2, "the code stays");
    let wanted = browser.numbers(&format!("vae.page.model.decode(vae.page.path.codes[5], {other})"));
    near("frame", &after.0, &wanted.iter().map(|v| *v as f32).collect::<Vec<_>>(), 1e-4);
    assert_eq!(browser.said(), Vec::<String>::new());
}

/// t-SNE has places for the data alone: pointing at one decodes its code, and there is nothing between them.
#[test]
fn the_map_by_t_sne_has_codes_where_data_are() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 2 --out run -q"));
    scratch.succeed("explore run");
    let again: Vec<u8> = scratch.read("run/explore.html");
    scratch.succeed("explore run");
    assert!(scratch.read("run/explore.html") == again, "the same page");
    // Of a plane there is no other map; neither is there of three data.
    let has = |page: &str| String::from_utf8(scratch.read(page)).unwrap().contains("id=\"tsne\"");
    assert!(has("run/explore.html"));
    scratch.succeed("explore run --limit 3 --out three.html");
    assert!(!has("three.html"));
    scratch.succeed(&format!("{TRAIN} --epochs 1 --out plane -q").replace("--latent 3", "--latent 2"));
    scratch.succeed("explore plane --out plane.html");
    assert!(!has("plane.html"));
    let Some(browser) = opened(&scratch, "plane.html", "") else { return };
    let options = "Array.from(document.getElementById('plane').options, (option) => option.value)";
    assert_eq!(browser.evaluate(options), json!(["pca", "pair"]));
    drop(browser);

    let Some(browser) = opened(&scratch, "run/explore.html", "#plane=tsne") else { return };
    assert_eq!(browser.evaluate(options), json!(["pca", "pair", "tsne"]));
    // All of the map is within the window.
    browser.resize(1280, 1000);
    browser.evaluate("new Promise((done) => setTimeout(done, 300))");
    // 64 data have 63 neighbours.
    assert_eq!(browser.evaluate("document.getElementById('axes').textContent"), "t-SNE, perplexity 21");
    let help = browser.evaluate("document.getElementById('map-help').innerText");
    let help = help.as_str().unwrap();
    assert!(help.contains("no code for the places between") && !help.contains("drag"), "{help}");
    assert_eq!(browser.evaluate("document.getElementById('backdrop').disabled"), true);
    assert!(browser.evaluate("vae.page.map.tiles").is_null());
    // The places are those of the program, and near each other where the codes are.
    let near = browser.numbers(
        "(() => { const { map, codes } = vae.page; const far = (a, b) => Math.hypot(...a.map((v, i) => v - b[i]));
         const nearest = (of, i) => of.map((other, j) => [i === j ? Infinity : far(of[i], other), j]).sort((a, b) => a[0] - b[0]).slice(0, 8).map(([, j]) => j);
         return codes.map((_, i) => { const near = nearest(codes.map((code) => [...code]), i); return nearest(map.places.map((place) => [...place]), i).filter((j) => near.includes(j)).length; }); })()",
    );
    // By chance, one of eight.
    assert_eq!(near.len(), 64);
    assert!(near.iter().sum::<f64>() / 64.0 > 3.0, "{near:?}");
    // A dot decodes its code and goes there; a place that is far from all does neither.
    let at = |datum: usize| {
        let [x, y] = middle(&browser, "map");
        let at = browser.numbers(&format!(
            "(() => {{ const {{ map }} = vae.page; const [x, y] = map.toPixels(map.places[{datum}]); return [x - map.width / 2, y - map.height / 2]; }})()"
        ));
        [x + at[0], y + at[1]]
    };
    let z = || browser.numbers("vae.page.z");
    let alone = browser.numbers(
        "(() => { const { map } = vae.page; const pixels = map.places.map((place) => map.toPixels(place));
         const least = pixels.map((a, i) => Math.min(...pixels.map((b, j) => (i === j ? Infinity : Math.hypot(a[0] - b[0], a[1] - b[1])))));
         const datum = least.indexOf(Math.max(...least)); return [datum, ...vae.page.codes[datum]]; })()",
    );
    browser.evaluate("vae.page.take([0, 0, 0])");
    let begin = (z(), ink(&browser, "here"));
    browser.hover(at(alone[0] as usize));
    assert_ne!(ink(&browser, "here"), begin.1);
    assert_eq!(z(), begin.0);
    for kind in ["mousePressed", "mouseReleased"] {
        browser.pointer(kind, at(alone[0] as usize));
    }
    assert_eq!(z(), alone[1..]);
    let [x, y] = middle(&browser, "map");
    let corner = browser.numbers("[vae.page.map.width / 2, vae.page.map.height / 2]");
    for kind in ["mousePressed", "mouseReleased"] {
        browser.pointer(kind, [x - corner[0] + 2.0, y - corner[1] + 2.0]);
    }
    browser.evaluate("document.getElementById('map').focus()");
    browser.key("ArrowUp");
    assert_eq!(z(), alone[1..]);
    // Elsewhere in the latent space there is no place to mark, and other planes have theirs.
    browser.evaluate("vae.page.take([9, 9, 9])");
    browser.evaluate("(() => { const s = document.getElementById('plane'); s.value = 'pca'; s.dispatchEvent(new Event('input')); })()");
    assert_eq!(browser.evaluate("document.getElementById('backdrop').disabled"), false);
    assert!(
        browser.evaluate("document.getElementById('map-help').innerText").as_str().unwrap().contains("drag")
    );
    assert_eq!(browser.said(), Vec::<String>::new());
}

/// A plane with one direction, and codes that are none.
#[test]
fn one_dimension_and_broken_weights_leave_the_map_usable() {
    let scratch = Scratch::new();
    let flags = "--data tiny --hidden 16 --batch-size 60 --epochs 4";
    scratch.succeed(&format!("explore --train {flags} --latent 1 --out one.html"));
    let Some(browser) = opened(&scratch, "one.html", "") else { return };
    // Without an address it is at a datum or at 0 by right, and pointing up and down changes nothing.
    let steady = "(() => { const { map } = vae.page; const at = map.plane.at([1.5, 0], vae.page.z)[0];
        return [-2, 0, 3].map((up) => map.plane.at([1.5, up], vae.page.z)[0] - at); })()";
    for plane in ["pair", "pca"] {
        browser.evaluate(&format!(
            "(() => {{ const s = document.getElementById('plane'); s.value = '{plane}'; s.dispatchEvent(new Event('input')); }})()"
        ));
        assert_eq!(browser.numbers(steady), [0.0, 0.0, 0.0], "{plane}");
    }
    assert_eq!(browser.said(), Vec::<String>::new());
    drop(browser);

    scratch.succeed(&format!("explore --train {flags} --latent 3"));
    let Some(browser) = opened(&scratch, "explore.html", "") else { return };
    let axes = "(() => { const { u, v, origin } = vae.page.map.plane; const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
        return [dot(u, u), dot(v, v), dot(u, v), dot(origin, origin)]; })()";
    let is_plane = |axes: &[f64]| {
        axes.iter().zip([1.0, 1.0, 0.0]).all(|(got, want)| (got - want).abs() < 1e-6) && axes[3].is_finite()
    };
    // All weights the same: every datum has one code. Then none at all. The training stops, and reset brings the map back.
    for weights in ["new Float32Array(vae.page.model.begin.length)", "vae.page.model.begin.map(() => NaN)"] {
        browser.evaluate(&format!("(vae.page.model.setWeights({weights}), vae.page.recode())"));
        assert!(is_plane(&browser.numbers(axes)), "{weights}");
    }
    browser.evaluate("vae.page.training.start()");
    let told = browser.evaluate("document.getElementById('progress').textContent");
    assert!(told.as_str().unwrap().contains("the loss is infinite or no number"), "{told}");
    assert_eq!(browser.evaluate("document.getElementById('start').disabled"), true);
    browser.evaluate("vae.page.training.reset()");
    assert_eq!(browser.evaluate("document.getElementById('start').disabled"), false);
    assert!(is_plane(&browser.numbers(axes)));
    assert!(browser.numbers("vae.page.map.places.flat()").iter().all(|v| v.is_finite()));
    // Here there are two directions in one.
    browser.evaluate(
        "(() => { const [x, y] = ['axis-x', 'axis-y'].map((id) => document.getElementById(id)); y.value = x.value;
         const s = document.getElementById('plane'); s.value = 'pair'; s.dispatchEvent(new Event('input')); })()",
    );
    assert_eq!(browser.numbers(steady), [0.0, 0.0, 0.0]);
    // What fails says so, and what waits behind it has its turn.
    let failing = "(async () => { const { model, samples } = vae.page; const { sample } = model; let called = 0;
        model.sample = async (...all) => { if (called++ === 0) throw new Error('no luck'); return sample.apply(model, all); };
        await Promise.all([samples.draw(), samples.draw()]); delete model.sample;
        return [called, document.getElementById('adapter').textContent]; })()";
    assert_eq!(browser.evaluate(failing), json!([2, "no luck"]));
    assert_eq!(browser.said(), Vec::<String>::new());
}

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

#[test]
fn a_table_has_a_form_and_its_names_are_text() {
    let scratch = Scratch::new();
    let evil = "</script><script>document.title='hacked'</script><img src=x onerror=document.title='hacked'>";
    let row = |i: usize| {
        format!(
            "{},{},{},{}",
            1_700_000_000 + 7000 * i,
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
    // All digits of a Unix time; what is typed nowhere is the datum's own, to the last bit.
    let first = browser.evaluate("document.querySelector('#form input').value");
    let first: i64 = first.as_str().unwrap().parse().unwrap();
    assert!((1_700_000_000..1_700_000_000 + 7000 * 120).contains(&first), "{first}");
    let same =
        "(async () => { const form = document.getElementById('form'); form.dispatchEvent(new Event('input'));
        for (let i = 0; i < 100 && !vae.page.yours.x; i++) await new Promise((f) => setTimeout(f, 50));
        return vae.page.yours.x.every((v, i) => v === vae.page.row[i]) && vae.page.row.length === 3; })()";
    assert_eq!(browser.evaluate(same), true);
    // Of the table there is one row in the file.
    let html = String::from_utf8(scratch.read("<b>run/explore.html")).unwrap();
    assert!(!html.contains("id=\"rows\"") && html.contains("id=\"row\""));
    // Enter does not submit the form, and what is beyond measure has no code.
    let there = browser.numbers("vae.page.z");
    let kept = "(async () => { const i = document.querySelector('#form input'); i.form.requestSubmit(); i.value = 1e300; i.form.dispatchEvent(new Event('input'));
        for (let n = 0; n < 100 && !document.getElementById('yours-note').textContent; n++) await new Promise((f) => setTimeout(f, 50));
        return document.getElementById('yours-note').textContent; })()";
    assert!(browser.evaluate(kept).as_str().unwrap().contains("beyond"));
    assert_eq!(browser.numbers("vae.page.z"), there);
    browser.evaluate("(vae.page.yours.found = null)");
    let input = "const i = document.querySelector('#form input'); i.value = 1700350000; i.dispatchEvent(new Event('input', { bubbles: true }));";
    browser.evaluate(&format!("(async () => {{ {input} for (let i = 0; i < 100 && !vae.page.yours.found; i++) await new Promise((f) => setTimeout(f, 50)); }})()"));
    // In the table's own units: no value of the first column lies outside its range in training, and numbers are whole.
    let decoded = browser.evaluate("(async () => { await vae.page.model.pending; await new Promise((f) => setTimeout(f, 200)); return Number(document.querySelector('#here-row td').textContent); })()");
    let decoded = decoded.as_f64().unwrap();
    assert!((1.7e9..=1.7e9 + 7000.0 * 119.0).contains(&decoded) && decoded.fract() == 0.0, "{decoded}");
    let far = browser.numbers("vae.page.model.own([-9, 0.5, 9], true, true)");
    let round = browser.numbers("vae.page.model.own([-9, 0.5, 9])");
    assert!(far[0] >= 1.7e9 && far[2] <= 11.9 && round[0] < 1.7e9 && round[2] > 11.9, "{far:?} {round:?}");
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
    // Another page, and the first one again.
    scratch.succeed("explore run --half --out run/other.html");
    scratch.succeed("explore run");
    let report = String::from_utf8(scratch.read("run/report.html")).unwrap();
    assert_eq!(report.matches("href=").count(), 2);
    assert!(report.contains("browser: explore.html</a>") && report.contains("browser: other.html</a>"));
    // A page of earlier weights is named no more, until it is made again.
    scratch.succeed("train --resume run --epochs 2 -q");
    assert!(!String::from_utf8(scratch.read("run/report.html")).unwrap().contains("href="));
    scratch.succeed("explore run");
    assert!(String::from_utf8(scratch.read("run/report.html")).unwrap().contains("href=\"./explore.html\""));
    let html = String::from_utf8(scratch.read("run/explore.html")).unwrap();
    // Samples, a traversal, a manifold.
    assert_eq!(html.matches("<img alt=").count(), 3);
    assert!(!html.contains("http:") && !html.contains("https:"), "it loads nothing");
    scratch.fail("explore run --out page.png", 2, ".html");
    scratch.fail("explore run --hidden 8", 2, "--hidden");
    scratch.fail("explore", 2, "RUN");
    scratch.fail("explore run --test-data tiny", 2, "--test-data");
    scratch.fail("explore run --format csv", 2, "--data");
    scratch.fail("explore run --label-column y", 2, "--data");
    scratch.fail("explore --train --data tiny --device 1", 2, "--device");
    scratch.fail("explore --train --data tiny --checked-shaders", 2, "--checked-shaders");
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

/// Kernels that have no pipeline in this browser: the kernel, a part of what it says, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("matmul/cooperative16", "expected extension", "cooperative matrices are no part of WGSL yet"),
    ("matmul/cooperative8", "expected extension", "cooperative matrices are no part of WGSL yet"),
    ("matmul/tiled_f16", "f16", "SwiftShader has no 16-bit floats"),
];

/// What stands before a shader's text in a browser alone: naga refuses the line, and Tint wants it.
fn prelude(needs: Needs) -> &'static str {
    if needs == Needs::Lanes { "enable subgroups;\n" } else { "" }
}

/// Tint, the compiler of WGSL in Chromium, is a second opinion on every shader. The first and the last variant of each kernel become
/// pipelines, with no limit of the device above WebGPU's defaults: SwiftShader takes up to a second for each. All of them become
/// pipelines of Tint alone, in tests/compilers.sh.
#[test]
fn every_shader_compiles_in_the_browser() {
    /// Shaders between two answers, which the browser owes within [`browser::PATIENCE`].
    const AT_ONCE: usize = 50;
    let scratch = Scratch::new();
    // By text: the kernel's name, and the entry points of pipelines.
    let mut texts: BTreeMap<String, (&str, BTreeSet<&str>)> = BTreeMap::new();
    for kernel in kernels::all() {
        let variants = (kernel.variants)();
        for (number, consts) in variants.iter().enumerate() {
            let text = format!("{}{}", prelude(kernel.needs), compose(kernel.source, consts).unwrap());
            let (_, entries) = texts.entry(text).or_insert_with(|| (kernel.name, BTreeSet::new()));
            if number == 0 || number + 1 == variants.len() {
                entries.insert(kernel.entry);
            }
        }
    }
    assert!(texts.len() > 300, "{} shaders", texts.len());
    let name = match browser::find() {
        Ok(name) => name,
        Err(why) => return skip::skip("chromium", &why),
    };
    let list: Vec<Value> = texts.iter().map(|(text, (name, entries))| json!([name, text, entries])).collect();
    let json = serde_json::to_string(&list).unwrap().replace('<', "\\u003c");
    scratch.write("shaders.html", format!("<script type=\"application/json\" id=\"all\">{json}</script>"));
    let browser = Browser::open(name, scratch.path("").as_path(), true);
    browser.show(&scratch.path("shaders.html"), "");
    browser.evaluate(
        "(async () => {
            const adapter = await navigator.gpu.requestAdapter();
            const wanted = ['shader-f16', 'subgroups'].filter((feature) => adapter.features.has(feature));
            const device = await adapter.requestDevice({ requiredFeatures: wanted });
            // What it says itself is told by kernel.
            device.addEventListener('uncapturederror', (event) => event.preventDefault());
            const all = JSON.parse(document.getElementById('all').textContent);
            globalThis.compile = async (first, count) => {
                const [said, some] = [[], all.slice(first, first + count)];
                const make = async ([name, code, entries]) => {
                    const module = device.createShaderModule({ code });
                    const { messages } = await module.getCompilationInfo();
                    said.push(...messages.map((m) => [name, `line ${m.lineNum}: ${m.message}`]));
                    for (const entryPoint of messages.length ? [] : entries) {
                        const made = device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint } });
                        await made.then(() => said.push([name, null]), (error) => said.push([name, `${entryPoint}: ${error.message}`]));
                    }
                };
                const work = async () => { for (let next; (next = some.pop()); ) await make(next); };
                await Promise.all([work(), work()]);
                return said;
            };
        })()",
    );
    let (mut pipelines, mut complaints) = (BTreeMap::new(), BTreeMap::new());
    for first in (0..list.len()).step_by(AT_ONCE) {
        let said = browser.evaluate(&format!("compile({first}, {AT_ONCE})"));
        for line in said.as_array().unwrap() {
            let name = line[0].as_str().unwrap().to_owned();
            match line[1].as_str() {
                None => *pipelines.entry(name).or_insert(0) += 1,
                Some(complaint) => drop(complaints.entry(name).or_insert_with(|| complaint.to_owned())),
            }
        }
    }
    println!("{} shaders, {} pipelines", list.len(), pipelines.values().sum::<usize>());
    for (name, complaint) in &complaints {
        let known = EXCEPTIONS.iter().find(|(known, ..)| known == name);
        let (_, says, why) = known.unwrap_or_else(|| panic!("{name}: {complaint}"));
        assert!(complaint.contains(says), "{name}: {complaint}; known is that {why}");
    }
    for kernel in kernels::all() {
        let excepted = EXCEPTIONS.iter().any(|(name, ..)| *name == kernel.name);
        assert!(pipelines.contains_key(kernel.name) != excepted, "{}: {complaints:?}", kernel.label());
    }
}

/// The files of the page's script are modules that stand by themselves, too: each imports what another exports.
#[test]
fn the_scripts_are_modules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/explore/page");
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let long = text.lines().find(|line| line.chars().count() > 200);
        assert_eq!(long, None, "{}", path.display());
        if path.extension().is_some_and(|extension| extension == "js") {
            assert!(text.starts_with("// "), "{}: says what it is", path.display());
            texts.insert(path.file_name().unwrap().to_string_lossy().into_owned(), text);
        }
    }
    let name = match browser::find() {
        Ok(name) => name,
        Err(why) => return skip::skip("chromium", &why),
    };
    let scratch = Scratch::new();
    let json = serde_json::to_string(&texts).unwrap().replace('<', "\\u003c");
    scratch.write("modules.html", format!("<script type=\"application/json\" id=\"all\">{json}</script>"));
    let browser = Browser::open(name, scratch.path("").as_path(), false);
    browser.show(&scratch.path("modules.html"), "");
    // A file may import no other: each becomes an address of its own, after those that it names.
    let names = browser.evaluate(
        "(async () => {
            const texts = JSON.parse(document.getElementById('all').textContent);
            const made = {};
            const address = (name) => (made[name] ??= URL.createObjectURL(new Blob(
                [texts[name].replace(/from \"\\.\\/([a-z]+\\.js)\"/g, (_, other) => `from \"${address(other)}\"`)], { type: 'text/javascript' })));
            const all = [];
            for (const name of Object.keys(texts)) all.push(name, Object.keys(await import(address(name))).length);
            return all;
        })()",
    );
    let names = names.as_array().unwrap();
    assert_eq!(names.len(), 2 * texts.len());
    for pair in names.chunks(2) {
        assert!(pair[0] == "main.js" || pair[1].as_u64().unwrap() > 0, "{} exports something", pair[0]);
    }
}
