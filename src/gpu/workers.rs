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

    use rustix::io;
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
            let Ok(processors) = processors(None) else { return };
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
            match place(&workers, &processors) {
                Ok(()) => log::debug!("{} workers, each on a processor of its own", workers.len()),
                Err(error) => log::debug!("workers stay where they are: {error}"),
            }
        }
    }

    /// Lets each thread run on one processor alone.
    pub(super) fn place(threads: &[i32], processors: &[usize]) -> io::Result<()> {
        for (&thread, &processor) in threads.iter().zip(processors) {
            let mut only = CpuSet::new();
            only.set(processor);
            sched_setaffinity(Pid::from_raw(thread), &only)?;
        }
        Ok(())
    }

    /// The processors on which a thread may run, or the one that asks.
    pub(super) fn processors(thread: Option<i32>) -> io::Result<Vec<usize>> {
        let allowed = sched_getaffinity(thread.and_then(Pid::from_raw))?;
        Ok((0..CpuSet::MAX_CPU).filter(|&processor| allowed.is_set(processor)).collect())
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
    use std::sync::mpsc;
    use std::thread;

    use super::linux::{place, processors, workers};

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
    #[test]
    fn each_thread_is_placed_on_its_processor() {
        let all = processors(None).unwrap();
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            // They run until their channels are closed.
            let ends: Vec<_> = all
                .iter()
                .map(|_| {
                    let (end, ended) = mpsc::channel::<()>();
                    let tell = tell.clone();
                    scope.spawn(move || {
                        tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
                        ended.recv().unwrap_err();
                    });
                    end
                })
                .collect();
            let threads: Vec<i32> = told.iter().take(all.len()).collect();
            place(&threads, &all).unwrap();
            for (&thread, &processor) in threads.iter().zip(&all) {
                assert_eq!(processors(Some(thread)).unwrap(), [processor]);
            }
            drop(ends);
        });
        assert_eq!(processors(None).unwrap(), all, "the one that asks stays free");
    }
}
