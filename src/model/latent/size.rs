//! The positions of a latent space that is a picture.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kernels::extent::Extent;

/// Height and width of a latent picture, which a user writes as `8x8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LatentSize {
    /// Rows of positions.
    pub height: usize,
    /// Columns of positions.
    pub width: usize,
}

impl LatentSize {
    /// Most positions per side.
    const MOST: usize = 256;

    /// The picture with so many channels.
    #[doc(hidden)]
    pub fn extent(self, channels: usize) -> Extent {
        Extent { height: self.height, width: self.width, channels }
    }
}

impl FromStr for LatentSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=Self::MOST).contains(side));
        let sides = text.split_once('x').and_then(|(height, width)| Some((side(height)?, side(width)?)));
        let sides = sides.filter(|(height, width)| height * width > 1);
        let (height, width) = sides.ok_or_else(|| {
            format!("{text:?} is no height and width: write HxW, such as 8x8, up to {}", Self::MOST)
        })?;
        Ok(LatentSize { height, width })
    }
}

impl fmt::Display for LatentSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl TryFrom<String> for LatentSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LatentSize> for String {
    fn from(size: LatentSize) -> String {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_and_written() {
        assert_eq!("8x4".parse(), Ok(LatentSize { height: 8, width: 4 }));
        assert_eq!(String::from(LatentSize { height: 8, width: 4 }), "8x4");
        for text in ["8", "8x", "0x4", "1x1", "8x4x2", "300x2", "-1x3", ""] {
            assert!(text.parse::<LatentSize>().is_err(), "{text}");
        }
    }
}
