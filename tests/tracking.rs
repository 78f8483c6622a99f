//! A run's output for other programs and people: metrics, events, the report; runs, comparisons, configuration files,
//! completions.

#[path = "common/browser.rs"]
mod browser;
#[path = "common/python.rs"]
mod python;
#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::process::Command;

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use scratch::Scratch;
use serde_json::Value;
use skip::skip;

const TRAIN: &str = "train --data tiny --hidden 16 --latent 3 --batch-size 64";

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn metrics_are_the_same_in_both_files_also_after_a_resume() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 2 --out run -q"));
    // A crash between a row and its checkpoint leaves an extra row.
    let written = text(scratch.read("run/metrics.jsonl"));
    let two = lines(written.as_bytes());
    let last = written.lines().last().unwrap().replace("\"epoch\":2", "\"epoch\":3");
    scratch.write("run/metrics.jsonl", format!("{written}{last}\n"));
    scratch.succeed("train --resume run --epochs 3 -q");
    let rows = lines(&scratch.read("run/metrics.jsonl"));
    assert_eq!((rows.len(), &rows[..2]), (3, &two[..]));
    let table = text(scratch.read("run/metrics.csv"));
    let names: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    assert_eq!((table.lines().count(), names.len()), (1 + 3, 14), "{table}");
    for (row, line) in rows.iter().zip(table.lines().skip(1)) {
        for (name, value) in names.iter().zip(line.split(',')) {
            let expected = value.parse::<f64>().ok();
            assert_eq!(row[name].as_f64(), expected, "{name}");
        }
    }
}

#[test]
fn pictures_are_drawn_every_so_many_epochs_and_after_the_last() {
    let scratch = Scratch::new();
    let pictures = |folder: &str| {
        let entries = fs::read_dir(scratch.path(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap().replace("epoch-", "")).collect();
        names.sort();
        names
    };
    scratch.succeed(&format!("{TRAIN} --epochs 5 --pictures-every 2 --out run -q"));
    for folder in ["run/samples", "run/reconstructions"] {
        assert_eq!(pictures(folder), ["0002.png", "0004.png", "0005.png"]);
    }
    assert_eq!(text(scratch.read("run/metrics.csv")).lines().count(), 6);
    let curves = scratch.read("run/curves.png");
    // The longer run's last epoch also has its pictures, and the curves show all epochs.
    scratch.succeed("train --resume run --epochs 7 --pictures-every 10 -q");
    assert_eq!(pictures("run/samples"), ["0002.png", "0004.png", "0005.png", "0007.png"]);
    assert_ne!(scratch.read("run/curves.png"), curves);
    let whole = scratch.read("run/curves.png");
    scratch.succeed(&format!("{TRAIN} --epochs 7 --out whole -q"));
    assert_eq!(scratch.read("whole/curves.png"), whole);
    assert_eq!(pictures("whole/samples").len(), 7);
    // When patience runs out, the last epoch is known only late.
    scratch.succeed(&format!(
        "{TRAIN} --epochs 50 --valid 0.2 --patience 1 --lr 1 --pictures-every 50 --out short -q"
    ));
    let done = text(scratch.read("short/metrics.csv")).lines().count() - 1;
    assert!(done < 50, "{done} epochs");
    assert_eq!(pictures("short/samples"), [format!("{done:04}.png")]);
    scratch.fail(&format!("{TRAIN} --pictures-every 0"), 2, "pictures-every");
}

#[test]
fn epochs_are_reported_as_lines_of_json() {
    let scratch = Scratch::new();
    let told = scratch.succeed(&format!("{TRAIN} --epochs 2 --out run --log-format json"));
    let events = lines(told.as_bytes());
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["start", "epoch", "epoch", "done"]);
    assert_eq!((&events[0]["widths"], &events[0]["epochs"]), (&"64-16-3-16-64".into(), &2.into()));
    let rows = lines(&scratch.read("run/metrics.jsonl"));
    assert_eq!((&events[2]["test_elbo"], &events[2]["step"]), (&rows[1]["test_elbo"], &8.into()));
    assert_eq!((&events[3]["run"], &events[3]["of"]), (&"run".into(), &"test".into()));
    let told = scratch.succeed(&format!("{TRAIN} --epochs 1 --out other --log-format json -q"));
    assert_eq!(lines(told.as_bytes()).len(), 1);
    scratch.fail(&format!("{TRAIN} --tune --log-format json"), 2, "vae-gpu tune");
}

#[test]
fn the_report_holds_everything_and_nothing_of_the_data_is_markup() {
    let scratch = Scratch::new();
    let folder = "a<script>alert(1)<&script>'b";
    fs::rename(scratch.path("tiny"), scratch.path(folder)).unwrap();
    let train = TRAIN.replace("tiny", folder);
    scratch.succeed(&format!("{train} --epochs 2 --out <script>alert(2)</script> -q"));
    let html = text(scratch.read("<script>alert(2)</script>/report.html"));
    assert!(!html.contains("<script") && !html.contains("alert(1)<"), "{html}");
    assert!(html.contains("a&lt;script&gt;alert(1)&lt;&amp;script&gt;&#39;b"));
    // Curves, samples, reconstructions, KL.
    assert_eq!(html.matches("src=\"data:image/png;base64,iVBOR").count(), 4);
    assert_eq!(html.matches("src=").count(), 4);
    assert!(!html.contains("href=") && !html.contains("url("));
    for words in ["Best test ELBO", "KL of each latent dimension", "64-16-3-16-64", "latent = 3", "Adapter"] {
        assert!(html.contains(words), "{words}");
    }
    scratch.succeed(&format!("{train} --model ae --epochs 1 --out ae -q"));
    let html = text(scratch.read("ae/report.html"));
    assert_eq!(html.matches("src=").count(), 2);
    assert!(!html.contains("KL of each latent dimension"));
}

#[test]
fn a_browser_shows_the_report() {
    let name = match browser::find() {
        Ok(name) => name,
        Err(why) => return skip("chromium", &why),
    };
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 1 --out run -q"));
    let report = format!("file://{}", scratch.path("run/report.html").display());
    let open = |extra: &[&str]| {
        let mut command = Command::new(name);
        command.args(browser::flags(&scratch.path(""))).args(["--disable-gpu", "--virtual-time-budget=3000"]);
        let output = command.args(extra).arg(&report).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let dom = text(open(&["--dump-dom"]));
    assert!(dom.contains("<h1>run</h1>") && dom.matches("<img").count() == 4, "{dom}");
    let picture = format!("--screenshot={}", scratch.path("report.png").display());
    open(&["--window-size=1200,900", &picture]);
    assert_eq!(scratch.picture("report.png"), (1200, 900));
}

#[test]
fn tensorboard_reads_the_events_of_a_resumed_run() {
    let Some(python) = python::find() else { return };
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 2 --tensorboard --out run -q"));
    scratch.succeed("train --resume run --epochs 3 --tensorboard -q");
    assert_eq!(fs::read_dir(scratch.path("run/tensorboard")).unwrap().count(), 2);
    let told = python::run(&python, "check_tensorboard.py", &[&scratch.path("run")]);
    assert!(told.contains("3 epochs, 3 pictures"), "{told}");
}

#[test]
fn event_files_are_written_on_request_and_deleted_with_the_run() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 1 --out run -q"));
    assert!(!scratch.path("run/tensorboard").exists());
    scratch.succeed(&format!("{TRAIN} --epochs 1 --out run --force --tensorboard -q"));
    scratch.write("run/tensorboard/notes.txt", "mine");
    scratch.succeed(&format!("{TRAIN} --epochs 1 --out run --force -q"));
    let left: Vec<_> =
        fs::read_dir(scratch.path("run/tensorboard")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
}

#[test]
fn runs_are_listed_and_compared() {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --epochs 2 -q"));
    scratch.succeed(
        &format!("{TRAIN} --epochs 1 --likelihood gaussian --seed 18446744073709551615 -q")
            .replace("--latent 3", "--latent 2"),
    );
    scratch.write("runs/notes.txt", "no run");
    fs::create_dir(scratch.path("runs/broken")).unwrap();
    scratch.write("runs/broken/config.toml", "[model]\nlatnet = 1\n");

    let assert =
        scratch.command("runs").assert().success().stderr(contains("left out").and(contains("`latent`")));
    let told = text(assert.get_output().stdout.clone());
    let rows: Vec<&str> = told.lines().collect();
    assert_eq!(rows.len(), 3, "{told}");
    assert!(rows[0].starts_with("run         model") && rows[0].ends_with("when (UTC)"), "{told}");
    assert!(
        rows[1].starts_with("tiny-vae-1  vae 64-16-3-16-64  tiny  bernoulli") && rows[1].contains("2/2"),
        "{told}"
    );
    let list: Value = serde_json::from_str(&scratch.succeed("runs runs --json")).unwrap();
    assert_eq!((list.as_array().unwrap().len(), &list[1]["likelihood"]), (2, &"gaussian".into()));
    let metrics = lines(&scratch.read("runs/tiny-vae-1/metrics.jsonl"));
    let best = metrics.iter().map(|row| row["test_elbo"].as_f64().unwrap()).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(list[0]["best_elbo"].as_f64(), Some(best));
    scratch.fail("runs nowhere", 1, "nowhere");
    // Written by hand, for data whose size is not known yet.
    fs::create_dir(scratch.path("runs/plan")).unwrap();
    scratch.write("runs/plan/config.toml", "[model]\nencoder = \"pool, linear 9\"\n");
    assert!(scratch.succeed("runs").contains("leaves nothing of 0x0x0"));

    let told = scratch.succeed("compare runs/tiny-vae-1 runs/tiny-vae-2");
    let row = |name: &str| {
        let line =
            told.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {told}"));
        line[name.len()..].split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("model.latent"), ["3", "2"]);
    assert_eq!(row("model.likelihood"), ["bernoulli", "gaussian"]);
    assert_eq!(row("train.seed"), ["0", "18446744073709551615"]);
    assert_eq!(row("epochs done"), ["2", "1"]);
    assert!(!told.contains("model.hidden") && !told.contains("train.lr"), "{told}");
    assert_eq!(scratch.picture("compare.png"), (1100, 636));
    scratch.fail("compare runs/tiny-vae-1", 2, "<RUNS>");
}

#[test]
fn a_file_may_hold_every_flag_and_flags_win() {
    let scratch = Scratch::new();
    scratch.write(
        "all.toml",
        "data = \"tiny\"\n[model]\nhidden = [16]\nlatent = 2\n[train]\nbatch_size = 64\nepochs = 2\n\
         [run]\nout = \"here\"\nquiet = true\ntensorboard = true\nlog_format = \"json\"\n",
    );
    let told = scratch.succeed("train --config all.toml --epochs 1 --log-format text");
    assert!(told.starts_with("best test ELBO") && told.lines().count() == 1, "{told}");
    assert!(scratch.path("here/tensorboard").exists() && scratch.path("here/report.html").exists());
    let config = text(scratch.read("here/config.toml"));
    assert!(!config.contains("[run]") && config.contains("epochs = 1"), "{config}");
    scratch.fail("train --config all.toml", 2, "already holds a run");
    scratch.write("wrong.toml", "[train]\nbatchsize = 64\n");
    scratch.fail("train --config wrong.toml", 1, "the nearest known name is `batch_size`");
    scratch.fail(&format!("{TRAIN} --force"), 2, "--out");
}

#[test]
fn shells_and_manuals_know_every_command() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = scratch.succeed(&format!("completions {shell}"));
        assert!(["train", "compare", "log-format"].iter().all(|word| script.contains(word)), "{shell}");
        let checker =
            Command::new(shell).arg("-n").arg("/dev/stdin").stdin(std::process::Stdio::piped()).spawn();
        // An installed shell accepts the script.
        let Ok(mut checker) = checker else {
            skip(shell, &format!("there is no {shell} to read its completions"));
            continue;
        };
        std::io::Write::write_all(&mut checker.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(checker.wait().unwrap().success(), "{shell}");
    }
    scratch.fail("completions tcsh", 2, "possible values: bash, zsh, fish");
    assert!(scratch.succeed("man").contains(".TH vae-gpu 1"));
    scratch.succeed("man --out man");
    let page = text(scratch.read("man/vae-gpu-train.1"));
    assert!(page.contains("tensorboard") && page.contains("TOML"), "{page}");
}
