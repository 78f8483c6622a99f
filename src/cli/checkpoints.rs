//! The checkpoint that a run goes on from.

use super::flags::message;
use super::next::quoted;
use super::output::talk;
use crate::error::{Error, Result};
use crate::run::RunDir;
use crate::train::{Arenas, Config, State, files};

/// The last checkpoint of a run, or the one before where a disk spoiled it.
pub fn last_checkpoint(dir: &RunDir) -> Result<(Config, Arenas, State)> {
    let error = match files::load_checkpoint(&dir.checkpoint()) {
        Ok(checkpoint) => return Ok(checkpoint),
        Err(error) => error,
    };
    let missing = |path: &std::path::Path| !path.exists();
    if missing(&dir.checkpoint()) && missing(&dir.previous_checkpoint()) {
        let next = format!("begin again with --config {} and another --out", quoted(&dir.config()));
        return Err(Error::file(
            dir.checkpoint(),
            "there is no checkpoint: the run ended before its first",
            next,
        ));
    }
    match files::load_checkpoint(&dir.previous_checkpoint()) {
        Ok(previous) => {
            talk(format_args!("warning: {}", message(&error)));
            talk(format_args!("going on from the checkpoint before it, of step {}", previous.2.step));
            Ok(previous)
        }
        Err(_) => Err(error),
    }
}

/// The same without a word, if there is one.
pub fn checkpoint_of(dir: &RunDir) -> Option<(Config, Arenas, State)> {
    let paths = [dir.checkpoint(), dir.previous_checkpoint()];
    paths.iter().find_map(|path| files::load_checkpoint(path).ok())
}
