//! The threads with which Mesa's software adapter computes, each on a processor of its own.
//!
//! Mesa starts as many as there are processors and wakes all of them for a dispatch. Where a dispatch takes less than a
//! millisecond, Linux leaves a thread where it was woken last: once two of them share a processor they stay there, one behind
//! the other, while another processor idles (`benches/RESULTS.md` has what that costs).

#[cfg(target_os = "linux")]
pub(super) use linux::Threads;

/// Elsewhere threads stay as they are.
#[cfg(not(target_os = "linux"))]
pub(super) struct Threads;

#[cfg(not(target_os = "linux"))]
impl Threads {
    pub fn now() -> Threads {
        Threads
    }

    pub fn spread_later_workers(&self) {}
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs;

    use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

    /// The threads of this process: their numbers, which grow as they are made, and names.
    pub struct Threads(BTreeMap<i32, String>);

    impl Threads {
        /// The threads that run now; none where `/proc` does not tell.
        pub fn now() -> Threads {
            let entries = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            Threads(
                entries
                    .filter_map(|entry| {
                        let number = entry.file_name().to_str()?.parse().ok()?;
                        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
                        Some((number, name.trim_end().to_owned()))
                    })
                    .collect(),
            )
        }

        /// Gives each of the workers that were made since then, by the thread that asks, a processor of its own: if they are as
        /// many as the processors on which this process may run, else it leaves them alone. What cannot be done here would only
        /// have been faster.
        pub fn spread_later_workers(&self) {
            let Ok(allowed) = sched_getaffinity(None) else { return };
            let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect();
            let own = fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
            let made = Threads::now().0.into_iter().filter(|(number, _)| !self.0.contains_key(number));
            let workers = workers(&made.collect::<Vec<_>>(), own.trim_end());
            if workers.len() != processors.len() {
                log::debug!(
                    "{} workers on {} processors stay where they are",
                    workers.len(),
                    processors.len()
                );
                return;
            }
            log::debug!("{} workers, each on a processor of its own", workers.len());
            for (worker, processor) in workers.into_iter().zip(processors) {
                let mut only = CpuSet::new();
                only.set(processor);
                if let Some(Err(error)) =
                    Pid::from_raw(worker).map(|worker| sched_setaffinity(Some(worker), &only))
                {
                    log::debug!("worker {worker} stays where it is: {error}");
                }
            }
        }
    }

    /// Of new threads, those that compute. Mesa (22 and 26) first starts its rasterisers, `llvmpipe-0`, `llvmpipe-1` .., and then
    /// as many that run compute shaders, which bear the name of the thread that opened the device, as its queue does before them.
    pub(super) fn workers(made: &[(i32, String)], own: &str) -> Vec<i32> {
        let rasterisers = made.iter().filter(|(_, name)| name.starts_with("llvmpipe-")).count();
        let last = made.iter().rposition(|(_, name)| name.starts_with("llvmpipe-"));
        let after = made.iter().skip(last.map_or(made.len(), |last| last + 1));
        let workers: Vec<i32> = after.filter(|(_, name)| name == own).map(|&(number, _)| number).collect();
        if workers.len() == rasterisers { workers } else { Vec::new() }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::workers;

    fn among(names: &[&str]) -> Vec<i32> {
        let made: Vec<_> = (10..).zip(names.iter().map(|name| (*name).to_owned())).collect();
        workers(&made, "vae-gpu")
    }

    #[test]
    fn workers_are_told_from_mesas_other_threads() {
        let (own, cache) = ("vae-gpu", "vae-gpu:disk$0");
        assert_eq!(among(&[own, "llvmpipe-0", "llvmpipe-1", own, own, cache]), [13, 14]);
        assert_eq!(among(&[own, cache, "llvmpipe-0", own]), [13], "LP_NUM_THREADS=1");
        assert!(among(&[own, own]).is_empty(), "another driver");
        assert!(among(&["llvmpipe-0", "llvmpipe-1", own]).is_empty(), "another order of things");
        assert!(among(&["llvmpipe-0", own, own]).is_empty(), "a thread of someone else");
        assert!(among(&[]).is_empty());
    }
}
