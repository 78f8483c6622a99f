//! How kernels that sum over rows share the work out (`shaders/shared/row_sum.wgsl`).

use super::{ROUNDS, WORKGROUP};
use crate::plan::{Const, Target, linear_grid};

/// Invocations of a workgroup, and how many neighbours among them share a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowSum {
    pub workgroup: u32,
    pub lanes: u32,
}

impl RowSum {
    /// One invocation per row, since barriers are slow in software; and small workgroups, so that a few rows keep all cores
    /// busy.
    const SOFTWARE: RowSum = RowSum { workgroup: 8, lanes: 1 };
    const CARD: RowSum = RowSum::of_lanes(32);
    /// A workgroup per row, where 32 invocations would go through too many rounds.
    const WIDE: RowSum = RowSum { workgroup: 256, lanes: 256 };

    /// So many lanes to a row, in workgroups of the usual size.
    pub const fn of_lanes(lanes: u32) -> RowSum {
        RowSum { workgroup: WORKGROUP, lanes }
    }

    /// The one for a device where an invocation that has a row to itself goes through loops so many times in all ([`ROUNDS`]).
    pub fn within(target: &Target, rounds: usize) -> RowSum {
        match rounds {
            _ if !target.software => RowSum::CARD,
            0..=ROUNDS => RowSum::SOFTWARE,
            _ if rounds <= ROUNDS * RowSum::CARD.lanes as usize => RowSum::CARD,
            _ => RowSum::WIDE,
        }
    }

    /// Every set of constants that a plan may ask for.
    pub fn variants() -> Vec<Vec<Const>> {
        [RowSum::SOFTWARE, RowSum::CARD, RowSum::WIDE].map(|rows| rows.consts()).to_vec()
    }

    /// The constants of the shader.
    pub fn consts(self) -> Vec<Const> {
        vec![("WORKGROUP", self.workgroup), ("ROW_LANES", self.lanes)]
    }

    /// Workgroups for `rows` rows.
    pub fn grid(self, rows: usize) -> [u32; 3] {
        linear_grid(rows * self.lanes as usize, self.workgroup)
    }
}
