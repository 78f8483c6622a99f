//! The faults that training survives, each caused for real.

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/skip.rs"]
mod skip;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use safetensors::SafeTensors;
use scratch::Scratch;
use skip::skip;
use vae_gpu::kernels::philox::philox;

/// Sixteen steps per epoch.
const TRAIN: &str = "train --data tiny --hidden 16 --latent 2 --batch-size 16 --epochs 4";

/// How many times a run is killed.
const KILLS: u32 = 50;

/// The values of every tensor in a file, without metadata, since seconds differ.
fn tensors(scratch: &Scratch, name: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = scratch.read(name);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> =
        file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
    tensors.sort();
    tensors
}

/// A folder with the undisturbed run `whole`.
fn with_whole_run() -> Scratch {
    let scratch = Scratch::new();
    scratch.succeed(&format!("{TRAIN} --out whole --quiet"));
    scratch
}

#[track_caller]
fn expect_equal(scratch: &Scratch, run: &str) {
    for file in ["model.safetensors", "checkpoint.safetensors"] {
        let (a, b) = (tensors(scratch, &format!("{run}/{file}")), tensors(scratch, &format!("whole/{file}")));
        assert!(a == b, "{run}/{file} is not that of the run that nothing disturbed");
    }
}

fn start(scratch: &Scratch, args: &str) -> Child {
    scratch.std_command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A number that is uniform over 0..below.
fn drawn(number: u32, below: u64) -> u64 {
    (u64::from(philox([number, 0, 0, 0], [5, 6])[0]) * below) >> 32
}

/// When the checkpoint was written, if there is one.
fn checkpoint_time(scratch: &Scratch) -> Option<SystemTime> {
    scratch.path("run/checkpoint.safetensors").metadata().ok()?.modified().ok()
}

#[test]
fn fifty_kills_change_no_bit() {
    const EPOCHS: u32 = 150;
    let train = format!("{} --epochs {EPOCHS}", TRAIN.trim_end_matches(" --epochs 4"));
    let scratch = Scratch::new();
    scratch.succeed(&format!("{train} --out reference --quiet"));
    let mut in_training = 0;
    for kill in 0..KILLS {
        let before = checkpoint_time(&scratch);
        // Before the first whole checkpoint, the run starts over.
        let args = match before {
            Some(_) => "train --resume run --checkpoint-every 2 --quiet".to_owned(),
            None => format!("{train} --checkpoint-every 2 --out run --force --quiet"),
        };
        let mut child = start(&scratch, &args);
        // Every fifth is killed on its way to the first step, the others among steps and file writes.
        if kill % 5 > 0 {
            while checkpoint_time(&scratch) == before && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            in_training += u32::from(child.try_wait().unwrap().is_none());
            thread::sleep(Duration::from_micros(drawn(kill, 60_000)));
        } else {
            thread::sleep(Duration::from_millis(drawn(kill, 300)));
        }
        let _ = child.kill();
        let mut message = String::new();
        child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
        child.wait().unwrap();
        assert!(!message.contains("error") && !message.contains("panicked"), "kill {kill}: {message}");
    }
    assert!(in_training >= KILLS / 2, "only {in_training} kills met a training");
    scratch.succeed("train --resume run --checkpoint-every 2 --quiet");
    for file in ["model.safetensors", "checkpoint.safetensors"] {
        let [a, b] = ["run", "reference"].map(|run| tensors(&scratch, &format!("{run}/{file}")));
        assert!(a == b, "{file} has other bits after {KILLS} kills");
    }
    // One row per epoch, despite the kills.
    let metrics = String::from_utf8(scratch.read("run/metrics.csv")).unwrap();
    let epochs: Vec<&str> = metrics.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(epochs, (1..=EPOCHS).map(|epoch| epoch.to_string()).collect::<Vec<_>>());
}

/// A limit on file sizes simulates a full disk: writes of larger files fail half-way.
#[cfg(unix)]
#[test]
fn a_full_disk_spoils_nothing_that_was_whole() {
    let scratch = with_whole_run();
    scratch.succeed(&format!("{} --epochs 2 --out run --quiet", TRAIN.trim_end_matches(" --epochs 4")));
    let before = tensors(&scratch, "run/checkpoint.safetensors");
    let program = env!("CARGO_BIN_EXE_vae-gpu");
    // Blocks of 1024 bytes: the model fits, the checkpoint does not.
    let limited = |args: &str| {
        let script = format!("trap '' XFSZ; ulimit -f 16; exec {program} {args}");
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &script]).current_dir(scratch.path("")).env("NODEVICE_SELECT", "1");
        command.output().unwrap()
    };
    let output = limited("train --resume run --epochs 4");
    let message = String::from_utf8(output.stderr).unwrap();
    // Newer Mesa crashes under this limit, even if nothing is written.
    let driver_dies = || limited("check").status.code().is_none();
    if output.status.code().is_none() && (message.contains("SwiftShader") || driver_dies()) {
        let why = "SwiftShader and newer Mesa keep code or buffers in files of memory, and the limit to files' size ends them";
        return skip("disk", why);
    }
    assert_eq!(output.status.code(), Some(1), "{message}");
    for words in [
        "warning: cannot write run/checkpoint.safetensors: ",
        "the checkpoint of step 32 is whole; training goes on and saves again after the next epoch",
        "error: cannot write run/checkpoint.safetensors: ",
    ] {
        assert!(message.contains(words), "{words} in {message}");
    }
    assert!(
        tensors(&scratch, "run/checkpoint.safetensors") == before,
        "the last whole checkpoint has changed"
    );
    scratch.succeed("train --resume run --epochs 4 --quiet");
    expect_equal(&scratch, "run");
}

/// The same with a real full file system, if the test may mount one.
#[cfg(target_os = "linux")]
#[test]
fn a_small_file_system_is_survived() {
    let scratch = with_whole_run();
    let disk = scratch.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |args: &[&str]| std::process::Command::new("mount").args(args).arg(&disk).output();
    let mounted = mount(&["-t", "tmpfs", "-o", "size=200k", "tmpfs"]);
    if !mounted.is_ok_and(|output| output.status.success()) {
        return skip("tmpfs", "this user may not mount a tmpfs");
    }
    // 4 epochs of pictures and curves need more space; each failure is reported by name, and stops no other file.
    let result = scratch.command(&format!("{TRAIN} --out disk/run")).assert();
    let output = result.get_output().clone();
    let message = String::from_utf8(output.stderr).unwrap();
    let sound = vae_gpu::train::files::load_checkpoint(&disk.join("run/checkpoint.safetensors"));
    let unmounted = std::process::Command::new("umount").arg(&disk).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("No space left on device") && message.contains("cannot write disk/run/"),
        "{message}"
    );
    assert!(!message.contains("panicked"), "{message}");
    assert!(sound.is_ok() || message.contains("there is no checkpoint yet"), "{message}");
}

/// A limit on the address space simulates a device without memory: software adapters allocate from it.
#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_names_the_tensor() {
    let scratch = Scratch::new();
    tiny::write_folder(&scratch.path("many"), 65_536, 64);
    // Each activation takes 100 MiB, which every adapter allows, and there are 80.
    let hidden = ["400"; 20].join(",");
    let train = format!("train --data many --batch-size 65536 --epochs 1 --hidden {hidden} --out run");
    let script = format!("ulimit -v 4000000; exec {} {train}", env!("CARGO_BIN_EXE_vae-gpu"));
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script]).current_dir(scratch.path("")).env("NODEVICE_SELECT", "1");
    let output = command.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    match output.status.code() {
        Some(1) => {}
        Some(0) => return skip("memory", "this adapter has memory of its own, and enough of it"),
        None if message.contains("(gl, ") => {
            let why = "OpenGL tells wgpu of no buffer that found no memory, and the process ends";
            return skip("memory", why);
        }
        None if message.contains("Mesa 26") && message.contains("memory allocation of ") => {
            let why = "newer Mesa takes memory in small pieces, and the host finds none first";
            return skip("memory", why);
        }
        code => panic!("{code:?}: {message}"),
    }
    let words = "error: the GPU device failed while allocating 100 MiB for ";
    assert!(message.contains(words) && message.contains("--batch-size"), "{message}");
    assert!(!message.contains("panicked") && !scratch.path("run").exists(), "{message}");
}

#[test]
fn a_vanished_directory_is_reported_and_not_recreated() {
    let scratch = Scratch::new();
    let mut child =
        start(&scratch, &format!("{} --epochs 60 --out run", TRAIN.trim_end_matches(" --epochs 4")));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("epoch   1/"));
    // The run may put a file into the folder that is being emptied.
    while let Err(error) = fs::remove_dir_all(scratch.path("run")) {
        assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty, "{error}");
    }
    let rest = lines.count();
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{rest} lines\n{message}");
    assert!(
        message.contains("warning: cannot write run/") && message.contains("error: cannot write run/"),
        "{message}"
    );
    assert!(!scratch.path("run").exists());
}

#[test]
fn the_older_checkpoint_stands_in_for_a_damaged_one() {
    let scratch = with_whole_run();
    let short = TRAIN.trim_end_matches(" --epochs 4");
    for (name, damage) in [("flipped", 0), ("truncated", 1), ("missing", 2)] {
        scratch.succeed(&format!("{short} --epochs 3 --out {name} --quiet"));
        let path = format!("{name}/checkpoint.safetensors");
        let mut bytes = scratch.read(&path);
        let middle = bytes.len() / 2;
        match damage {
            0 => bytes[middle] ^= 4,
            1 => bytes.truncate(middle),
            _ => fs::remove_file(scratch.path(&path)).unwrap(),
        }
        if damage < 2 {
            scratch.write(&path, bytes);
        }
        let assert = scratch.command(&format!("train --resume {name} --epochs 4")).assert().success();
        assert.stderr(
            contains("warning: ").and(contains("going on from the checkpoint before it, of step 32")),
        );
        expect_equal(&scratch, name);
    }
    // If none is intact, the error names the first.
    for file in ["checkpoint", "checkpoint.previous"] {
        scratch.write(&format!("flipped/{file}.safetensors"), b"no checkpoint");
    }
    scratch
        .command("train --resume flipped")
        .assert()
        .code(1)
        .stderr(contains("flipped/checkpoint.safetensors"));
}

#[test]
fn a_lost_device_is_named_with_the_last_checkpoint() {
    let scratch = with_whole_run();
    // Two epochs and a half.
    let mut command = scratch.command(&format!("{TRAIN} --out run"));
    let assert = command.env("VAE_GPU_TEST_LOSE_DEVICE_AT", "40").assert().code(1);
    assert.stderr(
        contains("error: the GPU device was lost while")
            .and(contains("continue with: vae-gpu train --resume run"))
            .and(contains("panicked").not()),
    );
    scratch.succeed("train --resume run --quiet");
    expect_equal(&scratch, "run");
}

#[test]
fn a_lost_device_is_reopened_on_request() {
    let scratch = with_whole_run();
    for (name, step) in [("late", "40"), ("at-once", "1")] {
        let mut command = scratch.command(&format!("{TRAIN} --out {name} --recover"));
        let assert = command.env("VAE_GPU_TEST_LOSE_DEVICE_AT", step).assert().success();
        assert.stderr(contains("warning: the GPU device was lost").and(contains("opening the device again")));
        expect_equal(&scratch, name);
        let metrics = String::from_utf8(scratch.read(&format!("{name}/metrics.csv"))).unwrap();
        assert_eq!(metrics.lines().count(), 1 + 4, "{metrics}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_traced_to_their_tensor() {
    let scratch = Scratch::new();
    let bad = "train --data tiny --hidden 16 --latent 2 --batch-size 16 --lr 1e19 --out run";
    let assert = scratch.command(bad).assert().code(1);
    let message = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(
        message.contains("training diverged at step ") && message.contains(", written by `"),
        "{message}"
    );
    // A good epoch leaves its checkpoint, whole; the next epoch's learning rate is far larger.
    let later =
        "train --data tiny --hidden 16 --latent 2 --batch-size 16 --lr-schedule steps:1*1e22 --out later";
    scratch.command(later).assert().code(1).stderr(contains("training diverged at step "));
    scratch
        .succeed("train --data tiny --hidden 16 --latent 2 --batch-size 16 --epochs 1 --out sound --quiet");
    let [kept, sound] =
        ["later", "sound"].map(|run| tensors(&scratch, &format!("{run}/checkpoint.safetensors")));
    assert!(kept == sound, "the checkpoint of the good epoch is lost");
}

#[test]
fn clipping_cures_a_training_that_diverges() {
    let scratch = Scratch::new();
    // Adam's step does not depend on the gradient's scale until that is below epsilon: then clipping makes it smaller.
    let train = "train --data tiny --hidden 32,32 --latent 8 --batch-size 8 --epochs 4 --seed 1 --lr 1e19";
    let wild = scratch.command(&format!("{train} --out wild")).output().unwrap();
    let message = String::from_utf8(wild.stderr).unwrap();
    assert_eq!(wild.status.code(), Some(1), "{message}");
    assert!(message.contains("training diverged"), "{message}");
    scratch.succeed(&format!("{train} --clip-norm 1e-28 --out tame"));
}

#[test]
fn one_process_per_run() {
    let scratch = Scratch::new();
    let mut child =
        start(&scratch, &format!("{} --epochs 5000 --out run", TRAIN.trim_end_matches(" --epochs 4")));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("epoch   1/"));
    scratch.fail("train --resume run", 2, "run is in use: another process is training there");
    scratch.fail(&format!("{TRAIN} --out run --force"), 2, "run is in use");
    // Reading is allowed.
    scratch.succeed("sample run");
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock ended with its owner.
    scratch.succeed(&format!("{TRAIN} --out run --force --quiet"));
}
