//! A step whose batch is divided into shards: the gradients of each, their sum over all ranks, and then the optimiser on every rank.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buckets::{BUCKET, Load, Piece, Places, Taken, cut};
use super::history::check_finite;
use crate::error::Result;
use crate::evaluate::Upload;
use crate::gpu::{Program, Reading};
use crate::model::plans::TrainPorts;
use crate::plan::{Plan, Step, Tensor};
use crate::ranks::{Pending, Ranks, Shards, Summed};

/// Where in a row of terms the number of ranks that want to stop travels; devices leave a zero there.
const STOP: usize = 3;

/// Pieces that the device has before the host takes in what an earlier one left: as many as may be in flight.
const AHEAD: usize = 2;

/// Where the time of the steps went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Steps.
    pub steps: u64,
    /// Handing work to the device, and waiting for it: its work on the gradients, what runs beside the host's work left out.
    pub gradients: Duration,
    /// Taking the gradients out of the memory that the device has copied them to.
    pub reading: Duration,
    /// Additions of this rank's own shards.
    pub adding: Duration,
    /// Exchanges in the middle of a plan, which the device waits for.
    pub exchanges: Duration,
    /// What the transport took for sums over ranks: waiting for the slowest of them, and the transfer.
    pub sums: Duration,
    /// Waiting for these sums, when there was nothing else left to do: the rest of their time was hidden.
    pub waiting: Duration,
    /// Handing the sums to the device, whose optimiser then runs beside what follows.
    pub writing: Duration,
}

impl Times {
    /// What the sums over ranks took while this rank did something else.
    pub fn hidden(&self) -> Duration {
        self.sums.saturating_sub(self.waiting)
    }
}

/// Adds the time that `work` takes to a sum.
fn timed<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    *sum += begin.elapsed();
    done
}

/// All that a step has when its batch is divided, but the plan of the gradients.
pub(super) struct Division {
    ranks: Arc<dyn Ranks>,
    shards: Shards,
    /// Clipping and Adam.
    update: Program,
    /// Words of the arenas that gradients move; a step measures the others.
    trained: usize,
    pieces: Vec<Piece>,
    loads: Vec<Load>,
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

/// A load of a shard on its way from the device.
struct Coming {
    load: usize,
    /// None for a shard without rows, whose words are zeros.
    reading: Option<Reading>,
    /// The shard's share of the rows of the batch.
    share: f32,
    /// Whether it is this rank's last shard.
    completes: bool,
}

impl Division {
    /// For the shards of `ranks`, with the optimiser in `update` and the gradients in a plan, in a tensor of it.
    pub fn new(
        (ranks, shards): (Arc<dyn Ranks>, Shards),
        update: Program,
        (plan, gradients): (&Plan, Tensor),
    ) -> Division {
        let (pieces, loads) = cut(plan, gradients, BUCKET);
        let trained = gradients.words();
        let times = Times::default();
        Division { ranks, shards, update, trained, pieces, loads, wants_stop: false, stop: false, times }
    }

    /// Cuts the gradients into buckets of `most` words from now on.
    pub fn cut(&mut self, (plan, gradients): (&Plan, Tensor), most: usize) {
        (self.pieces, self.loads) = cut(plan, gradients, most);
    }

    /// The optimiser.
    pub fn update(&mut self) -> &mut Program {
        &mut self.update
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
    /// What travels are the gradients, what the shards measured (weighed by their rows: running means stay means over the batch), and
    /// the row of terms. While the device works on a piece, the host adds what the pieces before it left, and the ranks sum what is
    /// complete. All of them do that in the same order, whichever of them has rows.
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
        let places = Places::of(ports, self.trained, &whole);
        let own = self.shards.own();
        // Each shard begins with what the steps before have measured, and the first one finds that.
        let again = places.measured.filter(|_| own.len() > 1);
        let before = again.map(|measured| program.read_f32(measured)).transpose()?;
        self.loads.iter_mut().for_each(|load| load.tree.clear());
        let room = self.loads.iter().map(|load| places.words(load)).max().unwrap_or(0);

        let (mut coming, mut sums) = (VecDeque::new(), Vec::new());
        for shard in own.clone() {
            let mut step = [part_of(&whole, self.shards, shard)];
            let has_rows = step[0].valid_rows > 0;
            if has_rows {
                if let (Some(measured), Some(before)) = (again, &before) {
                    program.write_f32(measured, before);
                }
                timed(&mut self.times.gradients, || feed.load(program, &mut step, order))?;
            }
            let share = step[0].valid_rows as f32 / whole.valid_rows as f32;
            for number in 0..self.pieces.len() {
                let Piece { dispatches, taken } = self.pieces[number].clone();
                let load = match taken {
                    Taken::Load(load) => load,
                    Taken::Exchanges(numbers) => {
                        let step = has_rows.then_some(&step[0]);
                        self.exchange(program, step, dispatches, numbers)?;
                        continue;
                    }
                };
                let tensors = places.of_load(&self.loads[load]);
                let reading = has_rows.then(|| {
                    let time = &mut self.times.gradients;
                    timed(time, || program.submit_piece(&step[0], dispatches, &tensors, room))
                });
                let completes = shard + 1 == own.end;
                coming.push_back(Coming { load, reading: reading.transpose()?, share, completes });
                if coming.len() > AHEAD
                    && let Some(next) = coming.pop_front()
                {
                    sums.extend(self.take_in(program, &places, next)?);
                }
            }
        }
        for next in coming {
            sums.extend(self.take_in(program, &places, next)?);
        }
        // Nothing of this step's plan is left to be submitted, so that the sums may go where it found its own gradients.
        for (load, sum) in sums {
            let Summed { values, time } = timed(&mut self.times.waiting, || sum.wait())?;
            self.times.sums += time;
            self.write(program, &places, load, values, whole.step)?;
        }
        timed(&mut self.times.writing, || self.update.submit(&[whole]))?;
        self.times.steps += 1;
        Ok(())
    }

    /// Runs a piece, and gives everyone's tensors of these exchanges to the device. A rank without rows (and so without a step) has
    /// zeros for the others, and needs nothing of theirs.
    fn exchange(
        &mut self,
        program: &mut Program,
        step: Option<&Step>,
        dispatches: Range<usize>,
        numbers: Range<usize>,
    ) -> Result<()> {
        let exchanges = program.plan().exchanges();
        let words = |numbers: Range<usize>| -> usize {
            exchanges[numbers].iter().map(|exchange| exchange.from.words()).sum()
        };
        // One staging buffer serves all of them.
        let room = words(0..exchanges.len());
        let mut mine = vec![0.0; words(numbers.clone())];
        let exchanges = exchanges[numbers].to_vec();
        let from: Vec<Tensor> = exchanges.iter().map(|exchange| exchange.from).collect();
        if let Some(step) = step {
            let time = &mut self.times.gradients;
            timed(time, || {
                let reading = program.submit_piece(step, dispatches, &from, room)?;
                program.take(reading, &mut mine)
            })?;
        }
        let begin = Instant::now();
        let all = self.ranks.gather(bytemuck::cast_slice(&mine))?;
        if step.is_some() {
            let mut first = 0;
            for exchange in &exchanges {
                let bytes = size_of::<f32>() * first..size_of::<f32>() * (first + exchange.from.words());
                let of_each = all.iter().flat_map(|said| bytemuck::pod_collect_to_vec(&said[bytes.clone()]));
                let values: Vec<f32> = of_each.collect();
                program.write_f32(exchange.to.flat(), &values);
                first += exchange.from.words();
            }
        }
        self.times.exchanges += begin.elapsed();
        Ok(())
    }

    /// Adds a load of a shard to those before it. With the last shard the ranks begin to sum what they have.
    fn take_in(
        &mut self,
        program: &Program,
        places: &Places,
        coming: Coming,
    ) -> Result<Option<(usize, Pending)>> {
        let load = &mut self.loads[coming.load];
        let mut values = load.tree.spare();
        match coming.reading {
            Some(reading) => {
                timed(&mut self.times.gradients, || program.wait_for(&reading))?;
                timed(&mut self.times.reading, || program.take(reading, &mut values))?;
                if load.is_last {
                    let measured = &mut values[load.gradients.len()..][..places.measured_words()];
                    measured.iter_mut().for_each(|value| *value *= coming.share);
                }
            }
            None => {
                values.clear();
                values.resize(places.words(load), 0.0);
            }
        }
        timed(&mut self.times.adding, || load.tree.push(values));
        if !coming.completes {
            return Ok(None);
        }
        let mut sum = timed(&mut self.times.adding, || load.tree.finish());
        if load.is_last {
            let stop = load.gradients.len() + places.measured_words() + STOP;
            sum[stop] = f32::from(u8::from(std::mem::take(&mut self.wants_stop)));
        }
        // Where the transport cannot work by itself, the sum is made here.
        let pending = timed(&mut self.times.waiting, || self.ranks.begin_sum(sum))?;
        Ok(Some((coming.load, pending)))
    }

    /// Gives the sum of a load to the device, and hears what came with it.
    fn write(
        &mut self,
        program: &Program,
        places: &Places,
        number: usize,
        mut values: Vec<f32>,
        step: u32,
    ) -> Result<()> {
        let load = &mut self.loads[number];
        if load.is_last {
            let terms = load.gradients.len() + places.measured_words();
            self.stop |= std::mem::take(&mut values[terms + STOP]) > 0.0;
            let [recon, kl, objective] = [0, 1, 2].map(|i| f64::from(values[terms + i]));
            check_finite(u64::from(step), [recon, kl, objective])?;
        }
        timed(&mut self.times.writing, || {
            let mut rest = &values[..];
            for tensor in places.of_load(load) {
                let (first, behind) = rest.split_at(tensor.words());
                program.write_f32(tensor, first);
                rest = behind;
            }
        });
        load.tree.reuse(values);
        Ok(())
    }
}
