//! The shape of a picture between layers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::{PAD, round_up};

/// The shape between layers, per datum: height x width positions of `channels` numbers. A plain row is 1 x 1.
///
/// A picture is a matrix with a row per position: those of one datum from left to right and from top to bottom, then those
/// of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Rows of positions.
    pub height: usize,
    /// Columns of positions.
    pub width: usize,
    /// Numbers per position.
    pub channels: usize,
}

impl Extent {
    /// A row of `channels` numbers.
    pub fn row(channels: usize) -> Extent {
        Extent { height: 1, width: 1, channels }
    }

    /// Whether it is a plain row.
    pub fn is_row(self) -> bool {
        self.positions() == 1
    }

    /// Positions of a datum.
    pub fn positions(self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// Numbers of a datum.
    pub fn len(self) -> usize {
        self.positions().saturating_mul(self.channels)
    }

    /// Whether it has no numbers.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Columns of the matrix in which a datum is one row: those of a plain row, or all positions one after the other, each
    /// padded to whole vectors.
    pub fn columns(self) -> usize {
        if self.is_row() { self.channels } else { self.positions() * round_up(self.channels, PAD) }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Extent { height: 1, width: 1, channels } => write!(f, "{channels}"),
            Extent { height, width, channels } => write!(f, "{height}x{width}x{channels}"),
        }
    }
}
