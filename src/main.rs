//! The command: parse, run, print the error, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(unix)]
    quiet_wayland();
    vae_gpu::cli::main()
}

/// Where no folder is named for Wayland's socket, as in containers, Mesa's device selection prints an error about it, once
/// for each look at the adapters. A folder without such a socket is as good as none, and says nothing.
#[cfg(unix)]
fn quiet_wayland() {
    const NAME: &str = "XDG_RUNTIME_DIR";
    if !std::env::var_os(NAME).is_some_and(|folder| std::path::Path::new(&folder).is_absolute()) {
        // SAFETY: `main` calls this before anything else, so there is no other thread that could read the environment.
        unsafe { std::env::set_var(NAME, std::env::temp_dir()) };
    }
}
