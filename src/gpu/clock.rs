//! Clocks of profiles.

use std::fmt;

use serde::Serialize;

/// The clock that times were taken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The device's own, at the boundaries of passes.
    Timestamps,
    /// The host's, around submissions of different lengths.
    Wall,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Clock::Timestamps => "the device's timestamps",
            Clock::Wall => "the wall clock",
        })
    }
}
