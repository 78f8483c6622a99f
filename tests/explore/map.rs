//! The map: windows, labels, t-SNE, and codes that it cannot show.

use super::*;

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
    let codes = browser.numbers("vae.page.codes.flatMap((code) => [...code])");
    let codes: Vec<f32> = codes.iter().map(|v| *v as f32).collect();
    let places = vae_gpu::evaluate::Tsne { perplexity: 21.0 }.map(&codes, 3, |_| ()).unwrap();
    let places: Vec<f32> = places.as_flattened().iter().map(|v| *v as f32).collect();
    super::near("places", &browser.numbers("vae.page.tsne.flatMap((place) => [...place])"), &places, 1e-5);
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
    assert_eq!(z(), alone[1..]);
    // An arrow key goes to a datum on that side, if there is one.
    browser.evaluate("document.getElementById('map').focus()");
    let here = || {
        browser.numbers("(() => { const { map, z } = vae.page; return map.toPixels(map.plane.place(z)); })()")
    };
    let mut moved = 0;
    for (key, side) in [("ArrowUp", [0.0, -1.0]), ("ArrowLeft", [-1.0, 0.0]), ("ArrowDown", [0.0, 1.0])] {
        let from = here();
        browser.key(key);
        let to = here();
        let by = [to[0] - from[0], to[1] - from[1]];
        let ahead = by[0] * side[0] + by[1] * side[1];
        assert!(by == [0.0, 0.0] || ahead >= 0.7 * by[0].hypot(by[1]) - 1e-9, "{key}: {from:?} to {to:?}");
        moved += usize::from(ahead > 0.0);
    }
    assert!(moved > 0);
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
