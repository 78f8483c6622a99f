//! `vae-gpu completions` and `vae-gpu man`.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use super::output::result;
use crate::error::{Error, Result};

const NAME: &str = "vae-gpu";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu completions bash > ~/.local/share/bash-completion/completions/vae-gpu
  vae-gpu completions zsh > ~/.zfunc/_vae-gpu            # a folder of $fpath
  vae-gpu completions fish > ~/.config/fish/completions/vae-gpu.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: ShellArg,
}

/// A shell that can complete.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ShellArg {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vae-gpu man | man -l -
  vae-gpu man --out ~/.local/share/man/man1              # a page for each command")]
pub struct ManArgs {
    /// Write a page for each command into this folder, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<()> {
    let shell = match args.shell {
        ShellArg::Bash => Shell::Bash,
        ShellArg::Zsh => Shell::Zsh,
        ShellArg::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    print(&script)
}

pub fn man(args: &ManArgs, command: Command) -> Result<()> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        let written = clap_mangen::Man::new(command).render(&mut page);
        written.map_err(|error| Error::io("write", "the manual page", error))?;
        return print(&page);
    };
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    let written = clap_mangen::generate_to(command, folder);
    written.map_err(|error| Error::io("write the manual pages into", folder, error))?;
    result(format_args!("the manual pages are in {}", folder.display()));
    Ok(())
}

/// Bytes on stdout; a reader that has gone away is no failure.
fn print(bytes: &[u8]) -> Result<()> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("write to", "stdout", error)),
        _ => Ok(()),
    }
}
