//! How far a long job is.

/// How far a long job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done, such as "reading pictures".
    pub what: &'static str,
    /// How many are done.
    pub done: u64,
    /// How many there are; 0 where that is not known.
    pub total: u64,
}

/// Hears of progress now and then, from any thread.
pub type Watch<'a> = &'a (dyn Fn(Progress) + Sync);
