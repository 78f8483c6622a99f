//! A step whose batch is divided into shards: the gradients of each, their sum over all ranks, and then the optimiser on every rank.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::check_finite;
use crate::error::Result;
use crate::evaluate::Upload;
use crate::gpu::Program;
use crate::kernels::objective::TERMS;
use crate::model::plans::TrainPorts;
use crate::plan::{Step, Tensor};
use crate::ranks::{Ranks, Shards, Tree};

/// Where in a row of terms the number of ranks that want to stop travels; devices leave a zero there.
const STOP: usize = 3;

/// Where the time of the steps went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Steps.
    pub steps: u64,
    /// The device's work on the gradients, and the way of these to the host.
    pub gradients: Duration,
    /// Additions of this rank's own shards.
    pub adding: Duration,
    /// The sum over ranks: waiting for the slowest of them, and the transfer.
    pub sum: Duration,
    /// Handing the sum to the device, whose optimiser then runs beside what follows.
    pub writing: Duration,
}

/// All that a step has when its batch is divided, but the plan of the gradients.
pub(super) struct Division {
    ranks: Arc<dyn Ranks>,
    shards: Shards,
    /// Clipping and Adam.
    update: Program,
    /// Words of the arenas that gradients move; a step measures the others.
    trained: usize,
    tree: Tree,
    wants_stop: bool,
    stop: bool,
    times: Times,
}

/// A shard of a step: its rows, their places in the whole batch, and how many others there are.
pub(super) fn part_of(whole: &Step, shards: Shards, shard: usize) -> Step {
    let rows = shards.rows(shard, whole.valid_rows as usize);
    let (first, count) = (rows.start as u32, rows.len() as u32);
    Step {
        first_row: whole.first_row + first,
        valid_rows: count,
        first_place: first,
        rows_beside: whole.valid_rows - count,
        ..*whole
    }
}

impl Division {
    pub fn new(ranks: Arc<dyn Ranks>, shards: Shards, update: Program, trained: usize) -> Division {
        let (tree, times) = (Tree::default(), Times::default());
        Division { ranks, shards, update, trained, tree, wants_stop: false, stop: false, times }
    }

    pub fn ask_to_stop(&mut self) {
        self.wants_stop = true;
    }

    /// Whether somebody's wish has been heard, which is then everyone's.
    pub fn take_stop(&mut self) -> bool {
        let stop = std::mem::take(&mut self.stop);
        // The same wish is not sent again with the next step.
        self.wants_stop &= !stop;
        stop
    }

    /// Forgets wishes of an epoch that is over.
    pub fn forget_stop(&mut self) {
        (self.stop, self.wants_stop) = (false, false);
    }

    pub fn times(&self) -> Times {
        self.times
    }

    /// Does a step: `whole` has the scalars of the whole batch.
    ///
    /// What travels is one block: the gradients, what the shards measured (weighed by their rows: running means stay means over the
    /// batch), and the row of terms.
    ///
    /// # Errors
    /// Those of reading the data; [`crate::error::Error::Device`], [`crate::error::Error::Ranks`] and, on all ranks alike,
    /// [`crate::error::Error::Diverged`].
    pub fn step(
        &mut self,
        (program, feed): (&mut Program, &mut Upload),
        ports: &TrainPorts,
        order: &[u32],
        whole: Step,
    ) -> Result<()> {
        let trained = self.trained;
        let arena = ports.parameters.words();
        let part = |arena: Tensor, offset: usize, words: usize| Tensor {
            offset: arena.offset + offset,
            cols: words,
            stride: words,
            ..arena
        };
        let gradients = part(ports.gradients, 0, trained);
        let measured = (arena > trained).then(|| part(ports.parameters, trained, arena - trained));
        let terms = ports.history.slice_rows(whole.history_row as usize, 1);
        let block: Vec<Tensor> = [gradients].into_iter().chain(measured).chain([terms]).collect();
        let before = measured.map(|measured| program.read_f32(measured)).transpose()?;

        let mut added = Duration::ZERO;
        let begin = Instant::now();
        for shard in self.shards.own() {
            let mut step = [part_of(&whole, self.shards, shard)];
            let mut values = self.tree.spare();
            if step[0].valid_rows == 0 {
                values.clear();
                values.resize(arena + TERMS, 0.0);
            } else {
                // Each shard begins with what the steps before have measured.
                if let (Some(measured), Some(before)) = (measured, &before) {
                    program.write_f32(measured, before);
                }
                feed.load(program, &mut step, order)?;
                program.submit(&step)?;
                program.read_joined(&block, &mut values)?;
                let share = step[0].valid_rows as f32 / whole.valid_rows as f32;
                values[trained..arena].iter_mut().for_each(|value| *value *= share);
            }
            let adding = Instant::now();
            self.tree.push(values);
            added += adding.elapsed();
        }
        let mut sum = self.tree.finish();
        sum[arena + STOP] = f32::from(u8::from(std::mem::take(&mut self.wants_stop)));
        self.times.gradients += begin.elapsed() - added;
        self.times.adding += added;

        let begin = Instant::now();
        let mut sum = self.ranks.sum(sum)?;
        self.times.sum += begin.elapsed();

        let begin = Instant::now();
        self.stop |= std::mem::take(&mut sum[arena + STOP]) > 0.0;
        let [recon, kl, objective, _] = [0, 1, 2, STOP].map(|i| f64::from(sum[arena + i]));
        check_finite(u64::from(whole.step), [recon, kl, objective])?;
        program.write_f32(gradients, &sum[..trained]);
        if let Some(measured) = measured {
            program.write_f32(measured, &sum[trained..arena]);
        }
        program.write_f32(terms, &sum[arena..]);
        self.tree.reuse(sum);
        self.update.submit(&[whole])?;
        self.times.writing += begin.elapsed();
        self.times.steps += 1;
        Ok(())
    }
}
