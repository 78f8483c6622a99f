//! How long each dispatch of a program takes: by the device's timestamps if they can be trusted, else by the wall clock.

use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::allocate::create;
use super::super::clock::Clock;
use super::super::images::Image;
use super::super::read_back::Reading;
use super::{Launch, Program, SLOT};
use crate::error::Result;
use crate::plan::Step;

/// Submissions of this length are long enough to judge timestamps by: their own overhead is small beside it.
const LONG: Duration = Duration::from_millis(20);
/// The most launches of a dispatch in such a submission.
const MAX_REPEATS: usize = 4096;

impl Program {
    /// Seconds that each dispatch takes alone, with the copies to images that it waits for, over `repeats` launches in one
    /// submission. It leaves nonsense in the plan's buffers.
    pub fn profile(&mut self, step: &Step, repeats: usize) -> Result<Vec<f64>> {
        self.check_reach(slice::from_ref(step));
        self.ring_bytes[..size_of::<Step>()].copy_from_slice(bytemuck::bytes_of(step));
        self.gpu.queue.write_buffer(&self.step_ring, 0, &self.ring_bytes[..SLOT]);
        let clock = self.judge_clock()?;
        let alone = |launch: &Launch| {
            let seconds = match clock {
                Clock::Timestamps => self.by_timestamps(launch, repeats)?,
                Clock::Wall => self.by_wall_clock(repeats, |encoder, repeats| {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    let mut bound = None;
                    for _ in 0..repeats {
                        launch.encode(&mut pass, &self.step_group, 0, &mut bound);
                    }
                })?,
            };
            // Timestamps lie at the ends of passes, and copies between passes.
            let copy = |image: &Arc<Image>| {
                self.by_wall_clock(repeats, |encoder, repeats| (0..repeats).for_each(|_| image.copy(encoder)))
            };
            launch.copies.iter().map(copy).try_fold(seconds, |sum, seconds| Ok(sum + seconds?))
        };
        self.launches.iter().map(alone).collect()
    }

    /// The difference between a long and a short submission leaves out the overhead of both.
    fn by_wall_clock(
        &self,
        repeats: usize,
        record: impl Fn(&mut wgpu::CommandEncoder, usize),
    ) -> Result<f64> {
        let time = |repeats: usize| {
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            record(&mut encoder, repeats);
            self.gpu.wait()?;
            let begin = Instant::now();
            self.gpu.submit(encoder.finish(), None)?;
            self.gpu.wait()?;
            Ok(begin.elapsed().as_secs_f64())
        };
        // The first launch pays for work that drivers put off.
        time(1)?;
        let (short, long) = (time(1)?, time(1 + repeats)?);
        Ok((long - short).max(0.0) / repeats as f64)
    }

    fn by_timestamps(&self, launch: &Launch, repeats: usize) -> Result<f64> {
        self.stamp(slice::from_ref(launch), 1)?;
        let ticks: u64 = self.stamp(slice::from_ref(launch), repeats)?.iter().map(|s| s.length()).sum();
        Ok(ticks as f64 * self.seconds_a_tick() / repeats as f64)
    }

    /// The clock of the device, judged by the first program that asks.
    fn judge_clock(&self) -> Result<Clock> {
        if let Some(clock) = self.gpu.clock.get() {
            return Ok(*clock);
        }
        let can = self.gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let clock = if can && self.timestamps_hold()? { Clock::Timestamps } else { Clock::Wall };
        Ok(*self.gpu.clock.get_or_init(|| clock))
    }

    /// Whether timestamps agree with the wall clock: some drivers give zeros, or the times of something else.
    fn timestamps_hold(&self) -> Result<bool> {
        let mut repeats = 1;
        loop {
            self.gpu.wait()?;
            let begin = Instant::now();
            let stamps = self.stamp(&self.launches, repeats)?;
            let wall = begin.elapsed();
            if wall >= LONG || repeats >= MAX_REPEATS {
                return Ok(agree(&stamps, self.seconds_a_tick(), wall.as_secs_f64()));
            }
            repeats *= 2;
        }
    }

    fn seconds_a_tick(&self) -> f64 {
        f64::from(self.gpu.queue.get_timestamp_period()) * 1e-9
    }

    /// The timestamps around `repeats` launches of each of these, a pass for each, in one submission.
    fn stamp(&self, launches: &[Launch], repeats: usize) -> Result<Vec<Stamps>> {
        let count = 2 * launches.len() as u32;
        let queries = self.gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let bytes = (count * wgpu::QUERY_SIZE) as usize;
        let resolved = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = create(&self.gpu, "timestamps", bytes, resolved)?;
        let staging = self.staging.take(&self.gpu, bytes)?;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        for (first, launch) in (0..count).step_by(2).zip(launches) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &queries,
                    beginning_of_pass_write_index: Some(first),
                    end_of_pass_write_index: Some(first + 1),
                }),
            });
            let mut bound = None;
            for _ in 0..repeats {
                launch.encode(&mut pass, &self.step_group, 0, &mut bound);
            }
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, bytes as u64);
        self.gpu.submit(encoder.finish(), None)?;
        let reading = Reading::begin(staging, &self.staging);
        self.gpu.wait()?;
        let words = reading.finish()?;
        let ticks = |at: usize| u64::from(words[at]) | u64::from(words[at + 1]) << 32;
        Ok((0..words.len()).step_by(4).map(|at| Stamps { begin: ticks(at), end: ticks(at + 2) }).collect())
    }
}

/// The timestamps at both ends of a pass.
struct Stamps {
    begin: u64,
    end: u64,
}

impl Stamps {
    fn length(&self) -> u64 {
        self.end.saturating_sub(self.begin)
    }
}

/// Whether every pass begins before it ends, passes follow each other, and they add up to most of the `wall` seconds.
fn agree(stamps: &[Stamps], seconds_a_tick: f64, wall: f64) -> bool {
    let each = stamps.iter().all(|s| 0 < s.begin && s.begin < s.end);
    let in_order = stamps.windows(2).all(|pair| pair[0].end <= pair[1].begin);
    let seconds = stamps.iter().map(Stamps::length).sum::<u64>() as f64 * seconds_a_tick;
    each && in_order && (0.7 * wall..=1.02 * wall).contains(&seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(stamps: &[(u64, u64)]) -> bool {
        let stamps: Vec<Stamps> = stamps.iter().map(|&(begin, end)| Stamps { begin, end }).collect();
        agree(&stamps, 1e-9, 1e-6)
    }

    #[test]
    fn timestamps_must_tell_the_time_of_the_wall_clock() {
        assert!(agrees(&[(1000, 1400), (1450, 1990)]));
        for (wrong, stamps) in [
            ("zeros", [(0, 0), (0, 0)]),
            ("no beginning", [(0, 400), (450, 990)]),
            ("a pass of no length", [(1000, 1000), (1010, 1990)]),
            ("an end before its beginning", [(1400, 1000), (1400, 2390)]),
            ("passes at once", [(1000, 1450), (1400, 1990)]),
            ("too little", [(1000, 1100), (1150, 1300)]),
            ("too much", [(1000, 1800), (1900, 2700)]),
        ] {
            assert!(!agrees(&stamps), "{wrong}");
        }
    }
}
