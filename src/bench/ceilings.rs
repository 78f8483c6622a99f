//! The limits of the adapter's speed.

use std::sync::Arc;

use serde::Serialize;

use super::timing::{Effort, Timed};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::micro;
use crate::plan::{Cost, Plan, Step};

/// Rounds of multiply-adds per invocation: enough that the final store does not matter.
const ROUNDS: u32 = 1024;
/// Invocations that keep every core busy: of a software adapter, and of a large card.
const INVOCATIONS: (usize, usize) = (1 << 14, 1 << 20);
/// Bytes of each of the copy's two buffers, on the same two kinds of adapter: more than most caches hold.
const COPY_BYTES: (u64, u64) = (16 << 20, 64 << 20);
/// Words that the empty dispatch writes.
const LATENCY_WORDS: usize = 256;

/// Rates that no kernel exceeds, unless a cache serves it faster than memory serves the copy.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// Fused multiply-adds in registers, in 10^9 floating-point operations per second.
    pub gflops: f64,
    /// Reading and writing a large buffer, both counted, in 10^9 bytes per second.
    pub copy_gbps: f64,
    /// An empty dispatch that waits for the one before it, in microseconds.
    pub dispatch_us: f64,
}

impl Ceilings {
    /// Measures all three at full effort, since everything else is measured against them.
    pub fn measure(gpu: &Arc<Gpu>) -> Result<Ceilings> {
        let time = |plan: Plan| {
            let seconds = Timed::new(gpu, &plan, Step::default())?.one(Effort::Full)?;
            Ok((plan.cost(), seconds))
        };
        let software = gpu.target().software;
        let (cost, seconds) = time(multiply_add(if software { INVOCATIONS.0 } else { INVOCATIONS.1 }))?;
        let gflops = cost.flops as f64 / seconds / 1e9;
        let bytes = if software { COPY_BYTES.0 } else { COPY_BYTES.1 };
        let (cost, seconds) = time(copy(bytes.min(gpu.report().max_binding_size)))?;
        let copy_gbps = cost.bytes as f64 / seconds / 1e9;
        let (_, seconds) = time(latency())?;
        Ok(Ceilings { gflops, copy_gbps, dispatch_us: seconds * 1e6 })
    }

    /// The share of the nearer ceiling: the time that arithmetic or memory would take at best, whichever is longer,
    /// over `seconds`.
    pub fn share(&self, cost: &Cost, seconds: f64) -> f64 {
        let arithmetic = cost.flops as f64 / (self.gflops * 1e9);
        let memory = cost.bytes as f64 / (self.copy_gbps * 1e9);
        arithmetic.max(memory) / seconds
    }
}

pub(super) fn multiply_add(invocations: usize) -> Plan {
    let mut plan = Plan::new("multiply_add");
    // Buffers are padded to four rows, so y gets four.
    let y = plan.tensor("y", 4, invocations);
    micro::multiply_add(&mut plan, ROUNDS, y);
    plan
}

pub(super) fn copy(bytes: u64) -> Plan {
    let mut plan = Plan::new("copy");
    let (rows, cols) = (4, bytes as usize / 64 * 4);
    let (x, y) = (plan.tensor("x", rows, cols), plan.tensor("y", rows, cols));
    micro::copy(&mut plan, x, y);
    plan
}

pub(super) fn latency() -> Plan {
    let mut plan = Plan::new("latency");
    let y = plan.tensor("y", 1, LATENCY_WORDS);
    micro::latency(&mut plan, y);
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_ceiling_that_is_nearer() {
        let ceilings = Ceilings { gflops: 100.0, copy_gbps: 10.0, dispatch_us: 1.0 };
        // At best 1 s of arithmetic or 2 s of copying.
        let cost = Cost { flops: 100_000_000_000, bytes: 20_000_000_000 };
        assert!((ceilings.share(&cost, 4.0) - 0.5).abs() < 1e-12);
        let arithmetic = Cost { bytes: 0, ..cost };
        assert!((ceilings.share(&arithmetic, 4.0) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn the_copy_moves_what_it_says() {
        let plan = copy(64 << 20);
        assert_eq!(plan.cost().bytes, 128 << 20);
        assert_eq!(plan.memory(), 128 << 20);
    }
}
