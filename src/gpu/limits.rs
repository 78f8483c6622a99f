//! The limits of a device, and whether a plan keeps within them.

use crate::error::{Error, Result};
use crate::plan::{Buffer, PAD, Plan, Role};

/// The limits of a device that plans run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a buffer.
    pub buffer: u64,
    /// Bytes of a buffer that a kernel can bind.
    pub binding: u64,
    /// Workgroups of a dispatch in each dimension.
    pub workgroups: u32,
}

impl Default for Limits {
    /// No limits.
    fn default() -> Self {
        Limits { buffer: u64::MAX, binding: u64::MAX, workgroups: u32::MAX }
    }
}

impl Limits {
    /// Those that every adapter meets: WebGPU's default limits.
    pub const EVERYWHERE: Limits = Limits { buffer: 256 << 20, binding: 128 << 20, workgroups: 65_535 };

    /// Those that no adapter exceeds: wgpu counts the bytes of a binding in 31 bits on Vulkan, DX12 and OpenGL, and every
    /// interface limits some dimension to 65,535.
    pub const ANYWHERE: Limits =
        Limits { buffer: i32::MAX as u64, binding: i32::MAX as u64, workgroups: 65_535 };

    /// The smaller of each pair of limits.
    pub fn min(self, other: Limits) -> Limits {
        Limits {
            buffer: self.buffer.min(other.buffer),
            binding: self.binding.min(other.binding),
            workgroups: self.workgroups.min(other.workgroups),
        }
    }

    /// Bytes of the largest buffer that a kernel can bind as a whole.
    pub fn storage(&self) -> u64 {
        self.buffer.min(self.binding)
    }

    /// Whether this plan keeps within the limits. `who` begins the error's clause about the limit: "the adapter allows".
    ///
    /// # Errors
    /// [`Error::Limit`] with the first buffer, binding or dispatch that exceeds a limit.
    pub fn check(&self, plan: &Plan, who: &str) -> Result<()> {
        for buffer in &plan.buffers {
            let what = || format!("the buffer {:?} of the plan {:?}", buffer.name, plan.name);
            bytes(what, bytes_of(buffer), self.buffer, who, advice(buffer))?;
        }
        for dispatch in &plan.dispatches {
            let at = || format!("{:?} of the plan {:?}", dispatch.label, plan.name);
            for tensor in &dispatch.tensors {
                let buffer = &plan.buffers[tensor.buffer.0];
                let what = || format!("the binding of {:?} in {}", buffer.name, at());
                bytes(
                    what,
                    4u64.saturating_mul(plan.span(*tensor) as u64),
                    self.binding,
                    who,
                    advice(buffer),
                )?;
            }
            let workgroups = dispatch.workgroups.into_iter().max().unwrap_or(0);
            if workgroups > self.workgroups {
                // The largest tensor is why they are so many.
                let largest = dispatch.tensors.iter().max_by_key(|tensor| tensor.words());
                let next = largest.map_or(SMALLER_BATCH, |tensor| advice(&plan.buffers[tensor.buffer.0]));
                return Err(Error::Limit {
                    what: format!("the dispatch {}", at()),
                    needed: format!("{workgroups} workgroups in a dimension"),
                    allowed: format!("{who} {}", self.workgroups),
                    next: next.into(),
                });
            }
        }
        Ok(())
    }
}

const SMALLER_BATCH: &str = "use a smaller batch (`train.batch_size`), fewer samples (`train.samples`) or another adapter (`run.device`)";

/// Bytes of a buffer on the device.
pub(super) fn bytes_of(buffer: &Buffer) -> u64 {
    let words = (buffer.words as u64).saturating_add(buffer.guard as u64);
    words.div_ceil(PAD as u64).saturating_mul(4 * PAD as u64)
}

/// Whether it holds a data set, which may be large, and all of which the host writes.
pub(super) fn is_data(buffer: &Buffer) -> bool {
    buffer.role == Role::Shared && buffer.name.starts_with("data.")
}

/// How to make a buffer smaller.
pub(super) fn advice(buffer: &Buffer) -> &'static str {
    let is = |kind: &str| buffer.name.starts_with(kind);
    match buffer.role {
        Role::Private => SMALLER_BATCH,
        // Data that does not fit is streamed, which leaves a batch of it, or one label per row.
        Role::Shared if is("labels.") => "use fewer rows of data or another adapter (`run.device`)",
        Role::Shared if is_data(buffer) || is("order.") => {
            "use a smaller batch (`train.batch_size`) or another adapter (`run.device`)"
        }
        Role::Shared => {
            "use a smaller model (`model.hidden`, `model.latent`) or another adapter (`run.device`)"
        }
    }
}

fn bytes(what: impl Fn() -> String, needed: u64, allowed: u64, who: &str, next: &str) -> Result<()> {
    if needed <= allowed {
        return Ok(());
    }
    // In whole MiB, or in KiB below one MiB.
    let (unit, name) = if allowed >> 20 > 0 { (1 << 20, "MiB") } else { (1 << 10, "KiB") };
    Err(Error::Limit {
        what: what(),
        needed: format!("{} {name}", needed.div_ceil(unit)),
        allowed: format!("{who} {} {name}", allowed / unit),
        next: next.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::activation::{self, Activation};
    use crate::plan::Element;

    #[test]
    fn each_limit_is_met_and_then_named() {
        let mut plan = Plan::new("test");
        let [x, y] = ["x", "y"].map(|name| plan.tensor(name, 4096, 1024));
        activation::forward(&mut plan, "f", Activation::Tanh, x, y);
        let [x, y, z] = plan.dispatches[0].workgroups;
        let fits = Limits { buffer: 16 << 20, binding: 16 << 20, workgroups: x };
        assert!(x > 1 && (y, z) == (1, 1));
        assert!(fits.check(&plan, "the adapter allows").is_ok());
        let refused = |limits: Limits, words: [&str; 3]| {
            let error = limits.check(&plan, "the adapter allows").unwrap_err();
            let Error::Limit { what, needed, allowed, next } = &error else { panic!("{error}") };
            assert!(
                [what, needed, allowed].iter().zip(words).all(|(text, words)| text.contains(words)),
                "{error}"
            );
            assert!(next.contains("`train.batch_size`"), "{error}");
        };
        refused(
            Limits { buffer: fits.buffer - 1, ..fits },
            ["buffer \"x\"", "16 MiB", "adapter allows 15 MiB"],
        );
        refused(
            Limits { binding: fits.binding - 1, ..fits },
            ["binding of \"x\" in \"f\"", "16 MiB", "allows 15 MiB"],
        );
        refused(Limits { binding: 5000, ..fits }, ["binding of", "16384 KiB", "allows 4 KiB"]);
        let most = format!("allows {}", x - 1);
        refused(Limits { workgroups: x - 1, ..fits }, ["dispatch \"f\"", &format!("{x} workgroups"), &most]);
    }

    /// A counter that wraps would take 2^62 + 32 words for 128 bytes.
    #[test]
    fn sizes_past_any_counter_are_refused_too() {
        let mut plan = Plan::new("test");
        plan.buffer("x", (1 << 62) + 32, Element::F32, Role::Private);
        let error = Limits::ANYWHERE.check(&plan, "no adapter allows more than").unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error}");
    }

    #[test]
    fn what_makes_a_buffer_smaller_depends_on_what_it_is_for() {
        let of = |name: &str, role| {
            let (name, element) = (name.to_owned(), Element::F32);
            advice(&Buffer { name, words: 1, guard: 0, element, role, shape: None, home: None })
        };
        assert!(of("x", Role::Private).contains("`train.batch_size`"));
        assert!(of("parameters", Role::Shared).contains("`model.hidden`"));
        assert!(of("data.train", Role::Shared).contains("`train.batch_size`"));
        assert!(of("labels.train", Role::Shared).contains("fewer rows"));
    }
}
