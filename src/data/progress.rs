//! The progress of a long job.

/// The progress of a long job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The activity, such as "reading pictures".
    pub what: &'static str,
    /// Items done.
    pub done: u64,
    /// Items in total; 0 if not known.
    pub total: u64,
}

/// Called with progress now and then, from any thread.
pub type Watch<'a> = &'a (dyn Fn(Progress) + Sync);
