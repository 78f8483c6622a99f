//! The command under a launcher of MPI: `make test-mpi`. `VAE_GPU_MPIRUN` names another than `mpirun`.

#![cfg(target_os = "linux")]

#[path = "common/scratch.rs"]
mod scratch;
#[path = "common/tiny.rs"]
mod tiny;

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use scratch::Scratch;
use vae_gpu::ranks::{Ranks, World};
use vae_gpu::run::metrics;
use vae_gpu::train::{State, files};

/// Marks the processes of a test.
const MARK: &str = "VAE_GPU_TEST_FOLDER";
/// The numbers of ranks, by Open MPI and MPICH.
const RANK: [&str; 2] = ["OMPI_COMM_WORLD_RANK", "PMI_RANK"];

/// A rank that is gone ends the others within this.
const END: Duration = Duration::from_secs(10);
/// Nothing here takes longer.
const LONG: Duration = Duration::from_secs(240);

/// Epochs that no test waits for.
const ENDLESS: &str = "train --data tiny --hidden 16 --latent 2 --batch-size 64 --shards 4 --epochs 100000 --checkpoint-every 3 -q";

/// Sets what lets any number of ranks run on any machine, as root too.
fn launcher(scratch: &Scratch, ranks: usize, args: &str) -> Command {
    let plain = scratch.std_command(args);
    let mut command = Command::new(std::env::var("VAE_GPU_MPIRUN").unwrap_or_else(|_| "mpirun".into()));
    command.args(["-n", &ranks.to_string()]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(scratch.path("")).env(MARK, scratch.path("")).env("LP_NUM_THREADS", "1");
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.env("OMPI_MCA_rmaps_base_oversubscribe", "1").env("OMPI_MCA_hwloc_base_binding_policy", "none");
    command.env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe");
    command.env("PRTE_MCA_hwloc_default_binding_policy", "none");
    command
}

fn run(scratch: &Scratch, ranks: usize, args: &str) -> Output {
    launcher(scratch, ranks, args).output().expect("a launcher of MPI: `make test-mpi` says what to install")
}

#[track_caller]
fn succeed(scratch: &Scratch, ranks: usize, args: &str) -> String {
    let Output { status, stdout, stderr } = run(scratch, ranks, args);
    assert!(status.success(), "{ranks} ranks, {args}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn start(scratch: &Scratch, ranks: usize, args: &str) -> Child {
    launcher(scratch, ranks, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for(what: &str, mut is_done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The process of a rank.
fn pid_of(scratch: &Scratch, rank: usize) -> u32 {
    let mark = format!("{MARK}={}", scratch.path("").display());
    let ranks = RANK.map(|name| format!("{name}={rank}"));
    let found = fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let variables = fs::read(entry.path().join("environ")).ok()?;
        let has = |wanted: &str| variables.split(|byte| *byte == 0).any(|found| found == wanted.as_bytes());
        let program = fs::read_link(entry.path().join("exe")).ok()?;
        let is_ours = program.file_name()?.to_str()?.starts_with("vae-gpu");
        (is_ours && has(&mark) && ranks.iter().any(|rank| has(rank))).then_some(pid)
    });
    found.unwrap_or_else(|| panic!("there is no rank {rank}"))
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Everything but the times.
fn metrics_of(scratch: &Scratch, run: &str) -> Vec<String> {
    let rows = metrics::read(&scratch.path(&format!("{run}/metrics.csv"))).unwrap();
    rows.into_iter()
        .map(|mut row| {
            (row.seconds, row.images_per_second) = (0.0, 0.0);
            format!("{row:?}")
        })
        .collect()
}

fn state_of(scratch: &Scratch, run: &str) -> State {
    files::load_checkpoint(&scratch.path(&format!("{run}/checkpoint.safetensors"))).unwrap().2
}

/// The last batch of an epoch is short, the data is streamed, and the variance is measured over shards.
#[test]
fn ranks_give_the_bits_of_one_process() {
    let scratch = Scratch::new();
    let train = "train --data tiny --hidden 16 --latent 3 --batch-size 100 --epochs 3 --shards 8 --stream --valid 0.1 \
                 --likelihood gaussian-learned --variance optimal --log-format json";
    let alone = scratch.succeed(&format!("{train} --out run1"));
    let evaluate = |run: &str| format!("evaluate {run} --nll-samples 600 --json");
    let report = scratch.succeed(&evaluate("run1"));
    for ranks in [2, 4, 8] {
        let run = format!("run{ranks}");
        let said = succeed(&scratch, ranks, &format!("{train} --out {run}"));
        assert_eq!(said.lines().count(), alone.lines().count(), "one process speaks:\n{said}");
        assert!(
            scratch.read(&format!("{run}/model.safetensors")) == scratch.read("run1/model.safetensors"),
            "{run}"
        );
        assert_eq!(metrics_of(&scratch, &run), metrics_of(&scratch, "run1"), "{run}");
    }
    assert_eq!(succeed(&scratch, 2, &evaluate("run1")), report);
}

/// A rank that is killed ends the others; the checkpoint is whole, and another number of ranks goes on to the same bits.
#[test]
fn a_rank_that_dies_ends_all_and_leaves_a_whole_checkpoint() {
    for killed in [1, 0] {
        let scratch = Scratch::new();
        let mut running = start(&scratch, 4, &format!("{ENDLESS} --out run"));
        wait_for("no checkpoint was written", || scratch.path("run/checkpoint.safetensors").exists());
        thread::sleep(Duration::from_millis(300));
        signal("-KILL", pid_of(&scratch, killed));
        let begun = Instant::now();
        wait_for("the others go on", || running.try_wait().unwrap().is_some());
        assert!(begun.elapsed() < END, "rank {killed}: {:?}", begun.elapsed());
        let Output { status, stdout, stderr } = running.wait_with_output().unwrap();
        // The launcher says it: Open MPI's on stderr, MPICH's on stdout.
        let told = String::from_utf8_lossy(&[stderr, stdout].concat()).into_owned();
        assert!(!status.success() && !told.contains("panicked"), "{status}\n{told}");
        assert!(told.contains("signal 9"), "it does not say why:\n{told}");

        // An epoch is four steps, with a checkpoint after the third and at its end: exactly there, on all ranks.
        let step = state_of(&scratch, "run").step;
        assert!([0, 3].contains(&(step % 4)), "a checkpoint of step {step}");
        let epochs = step / 4 + 3;
        succeed(&scratch, 2, &format!("train --resume run --epochs {epochs} -q"));
        scratch.succeed(&ENDLESS.replace("100000", &epochs.to_string()).replace(" -q", " -q --out whole"));
        assert!(
            scratch.read("run/model.safetensors") == scratch.read("whole/model.safetensors"),
            "rank {killed}"
        );
    }
}

/// A signal to one of them stops all, after the same step, with a checkpoint of it.
#[test]
fn a_signal_to_one_rank_stops_all_together() {
    for (name, rank) in [("-TERM", 1), ("-INT", 0)] {
        let scratch = Scratch::new();
        let mut running = start(&scratch, 2, &format!("{ENDLESS} --out run"));
        wait_for("no checkpoint was written", || scratch.path("run/checkpoint.safetensors").exists());
        signal(name, pid_of(&scratch, rank));
        let begun = Instant::now();
        wait_for("they go on", || running.try_wait().unwrap().is_some());
        assert!(begun.elapsed() < END, "{name}: {:?}", begun.elapsed());
        let Output { stdout, stderr, .. } = running.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&stderr);
        let step = state_of(&scratch, "run").step;
        let lines: Vec<_> = told.lines().filter(|line| line.starts_with("interrupted after step")).collect();
        assert_eq!(
            lines,
            [format!("interrupted after step {step}; continue with: vae-gpu train --resume run")],
            "{told}"
        );
        assert!(stdout.is_empty() && !told.contains("error:"), "{told}");
    }
}

/// Gradients of several buckets travel while the device goes on: the bits of one process.
#[test]
fn buckets_that_travel_meanwhile_give_the_bits_of_one_process() {
    let scratch = Scratch::new();
    // 33 MB of gradients.
    let train = "train --data tiny --hidden 2000,2000 --latent 2 --batch-size 128 --epochs 1 --shards 4 -q";
    scratch.succeed(&format!("{train} --out alone"));
    let model = |run: &str| scratch.read(&format!("{run}/model.safetensors"));
    for ranks in [2, 4] {
        succeed(&scratch, ranks, &format!("{train} --out run{ranks}"));
        assert!(model(&format!("run{ranks}")) == model("alone"), "{ranks} ranks");
    }
}

/// Before and after the training, of a shard and of the steps.
#[test]
fn a_profile_is_of_a_shard() {
    let scratch = Scratch::new();
    let train = "train --data tiny --hidden 16 --latent 2 --batch-size 100 --epochs 1 --profile";
    let Output { status, stderr, .. } = run(&scratch, 2, train);
    let told = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{told}");
    assert!(
        told.contains("one of 2 shards (50 rows) of a training step at batch 100, and the optimiser"),
        "{told}"
    );
    assert!(told.contains("a divided step on this rank, in ms: computing "), "{told}");
}

/// A model with batch norm.
const NORM: &str =
    "format = 3\ndata = \"tiny\"\n[model]\nencoder = \"conv 4x3/2, norm batch, linear 9\"\nlatent = 2\n";

/// Batch norm over all ranks, interrupted and resumed: the bits of a run that never stopped.
#[test]
fn ranks_measure_together_and_go_on() {
    let scratch = Scratch::new();
    scratch.write("norm.toml", NORM);
    let train = "train --config norm.toml --batch-size 90 --sync-norm -q";
    succeed(&scratch, 4, &format!("{train} --epochs 3 --out whole"));
    succeed(&scratch, 4, &format!("{train} --epochs 1 --out run"));
    let config = String::from_utf8(scratch.read("run/config.toml")).unwrap();
    assert!(config.contains("sync_norm = true"), "{config}");
    succeed(&scratch, 4, "train --resume run --epochs 3 -q");
    assert!(scratch.read("run/model.safetensors") == scratch.read("whole/model.safetensors"));
    // One process has the whole batch by itself.
    scratch.succeed(&format!("{train} --epochs 1 --out alone"));
}

/// Says which rank this process is to be, for [`words_of_any_length_reach_everyone`].
const IN_A_RANK: &str = "VAE_GPU_TEST_IN_A_RANK";

/// Sums and words in parts, as if they were too long for MPI's numbers; and several sums at once.
#[test]
fn words_of_any_length_reach_everyone() {
    if std::env::var_os(IN_A_RANK).is_some() {
        return in_a_rank();
    }
    let scratch = Scratch::new();
    let mut command = launcher(&scratch, 4, "");
    // The launcher's own arguments come before the program.
    let before: Vec<_> = command.get_args().take(2).map(ToOwned::to_owned).collect();
    let mut again = Command::new(command.get_program());
    again.args(before).arg(std::env::current_exe().unwrap());
    again.args(["--exact", "words_of_any_length_reach_everyone", "--nocapture"]).env(IN_A_RANK, "1");
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            again.env(name, value);
        }
    }
    command = again;
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
}

fn in_a_rank() {
    let world = World::join().unwrap();
    let (rank, size) = (world.rank(), world.size());
    assert_eq!(size, 4);
    let said = |rank: usize| (0..97 * rank).map(|i| (i * 31 + rank) as u8).collect::<Vec<u8>>();
    let everyone: Vec<Vec<u8>> = (0..size).map(said).collect();
    for most in [1, 4, 40, 388, 1 << 20] {
        assert!(world.gather_within(&said(rank), most).unwrap() == everyone, "{most} bytes at once");
        assert!(world.gather_within(&[], most).unwrap().iter().all(Vec::is_empty), "{most}");
    }
    // Whole numbers, whose sum is exact.
    let block = |number: usize, rank: usize| {
        (0..1000 * number + 3).map(|i| (i % 50 + rank) as f32).collect::<Vec<f32>>()
    };
    let pending: Vec<_> = (0..5).map(|number| world.begin_sum(block(number, rank)).unwrap()).collect();
    // Its turn comes when the sums are made.
    assert!(world.gather(&said(rank)).unwrap() == everyone);
    for (number, sum) in pending.into_iter().enumerate() {
        let expected: Vec<f32> =
            block(number, 0).iter().map(|first| 4.0 * first + (1 + 2 + 3) as f32).collect();
        assert!(sum.wait().unwrap().values == expected, "sum {number}");
    }
    world.leave();
}

#[test]
fn a_mistake_is_told_once() {
    let scratch = Scratch::new();
    scratch.write("norm.toml", NORM);
    for (args, words) in [
        (
            "train --data tiny --shards 6",
            "error: --shards 6: they cannot be divided among 4 ranks; start 1 or 3 or 6",
        ),
        (
            "train --config norm.toml --shards 8 --sync-norm",
            "error: --sync-norm: it needs one shard a rank, and 4 ranks would have 2 of 8 each",
        ),
        ("train --data nowhere", "error: "),
        ("train --data tiny --lr x", "error: invalid value 'x'"),
        ("train --data tiny --recover", "error: --recover among several ranks"),
        ("evaluate nowhere", "error: "),
    ] {
        let Output { status, stdout, stderr } = run(&scratch, 4, args);
        let told = String::from_utf8_lossy(&stderr);
        assert!(!status.success() && stdout.is_empty(), "{args}\n{told}");
        assert_eq!(told.matches("error: ").count(), 1, "{args}\n{told}");
        assert!(told.contains(words), "{args}\n{told}");
        assert!(!told.contains("MPI_ERR") && !told.contains("panicked"), "{args}\n{told}");
    }
}

/// No launcher, but what one leaves in the environment of two processes. The second ends after the first has spoken, since a launcher
/// would end both; and it tells the mistake too, which it may be alone with.
#[test]
fn a_silent_rank_lets_the_first_speak() {
    let scratch = Scratch::new();
    let start = |rank: &str| {
        let mut command = scratch.std_command("train --data tiny --lr x");
        command.env("OMPI_COMM_WORLD_SIZE", "2").env(RANK[0], rank);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let refused = |process: Child| {
        let Output { status, stdout, stderr } = process.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{told}");
        assert!(stdout.is_empty() && told.contains("error: invalid value 'x'"), "{told}");
    };
    let mut second = start("1");
    // Long enough to end at once, if it would.
    thread::sleep(Duration::from_millis(500));
    refused(start("0"));
    assert!(second.try_wait().unwrap().is_none(), "the second has ended before");
    refused(second);
}
