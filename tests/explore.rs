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

#[path = "explore/map.rs"]
mod map;
#[path = "explore/shaders.rs"]
mod shaders;
#[path = "explore/training.rs"]
mod training;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use browser::Browser;
use scratch::Scratch;
use serde_json::json;
use vae_gpu::Vae;
use vae_gpu::data;

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
