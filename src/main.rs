//! The command: parse, run, print the error, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(unix)]
    quiet_wayland();
    share_processor();
    vae_gpu::cli::main()
}

/// Where no folder is named for Wayland's socket, as in containers, Mesa's device selection prints an error about it, once
/// for each look at the adapters. A folder without such a socket is as good as none, and says nothing.
#[cfg(unix)]
fn quiet_wayland() {
    const NAME: &str = "XDG_RUNTIME_DIR";
    if !std::env::var_os(NAME).is_some_and(|folder| std::path::Path::new(&folder).is_absolute()) {
        set_first(NAME, std::env::temp_dir());
    }
}

/// Ranks of one machine share its processor, of which Mesa's software adapter would give each of them all cores: its threads are
/// divided, unless the user says how many each has.
fn share_processor() {
    const THREADS: &str = "LP_NUM_THREADS";
    // Open MPI, MPICH and its kin.
    let counted = ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"].iter().find_map(std::env::var_os);
    let ranks = counted.and_then(|count| count.to_str()?.parse::<usize>().ok()).unwrap_or(1);
    if ranks > 1 && std::env::var_os(THREADS).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        set_first(THREADS, (cores / ranks).max(1).to_string());
    }
}

/// Sets a variable, as one of the first things that `main` does.
fn set_first(name: &str, value: impl AsRef<std::ffi::OsStr>) {
    // SAFETY: `main` calls this before anything that starts a thread, so there is no other that could read the environment.
    unsafe { std::env::set_var(name, value) };
}
