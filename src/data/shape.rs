//! The shape of a datum.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The shape of one datum. Its values are stored row by row, with a pixel's channels together: value `c` of the pixel
/// in column `x` of row `y` has index `(y * width + x) * channels + c`.
///
/// A row of a table is one pixel high: its width is the number of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Values per pixel: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

impl Shape {
    /// The shape of a row of a table.
    pub fn table(columns: usize) -> Shape {
        Shape { width: columns, height: 1, channels: 1 }
    }

    /// D, the number of values per datum. A product that overflows, which only a damaged or hostile file claims,
    /// becomes `usize::MAX`, so that every check of D refuses it.
    pub fn dim(self) -> usize {
        self.width.saturating_mul(self.height).saturating_mul(self.channels)
    }

    /// Whether a datum is a row of a table, not a picture.
    pub fn is_table(self) -> bool {
        self.height == 1 && self.channels == 1
    }

    /// Whether a datum can be drawn as a picture: in grey, or in red, green and blue.
    pub fn is_picture(self) -> bool {
        !self.is_table() && matches!(self.channels, 1 | 3)
    }

    /// The plural noun for such data.
    pub fn plural(self) -> &'static str {
        if self.is_table() { "rows" } else { "images" }
    }

    /// The noun for so many of such data.
    pub fn noun(self, count: usize) -> &'static str {
        if count == 1 { self.singular() } else { self.plural() }
    }

    /// The singular noun for such data.
    pub fn singular(self) -> &'static str {
        if self.is_table() { "row" } else { "image" }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.is_table() {
            return write!(f, "{} {}", self.width, if self.width == 1 { "column" } else { "columns" });
        }
        write!(f, "{}x{}", self.width, self.height)?;
        if self.channels == 1 { Ok(()) } else { write!(f, "x{}", self.channels) }
    }
}

/// The size of a picture, which a user writes as `64x48`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// Most pixels per side.
    pub const MOST: usize = 4096;

    /// The shape of rows of `dim` values that are pictures of this size, grey or coloured; none if they cannot be.
    pub(super) fn of_rows(self, dim: usize) -> Option<Shape> {
        let Size { width, height } = self;
        let shapes = [1, 3].map(|channels| Shape { width, height, channels });
        shapes.into_iter().find(|shape| shape.dim() == dim)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=Size::MOST).contains(side));
        let sides = text.split_once(['x', 'X']).and_then(|(w, h)| Some((side(w)?, side(h)?)));
        let (width, height) = sides.ok_or_else(|| {
            format!("{text:?} is not a size: write WxH, such as 64x48, up to {}", Size::MOST)
        })?;
        Ok(Size { width, height })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_prints_its_channels_only_where_there_are_several() {
        assert_eq!(Shape { width: 28, height: 20, channels: 1 }.to_string(), "28x20");
        assert_eq!(Shape { width: 32, height: 32, channels: 3 }.to_string(), "32x32x3");
    }

    #[test]
    fn tables_are_distinguished_from_pictures() {
        let kind = |width, height, channels| {
            let shape = Shape { width, height, channels };
            (shape.is_table(), shape.is_picture())
        };
        assert_eq!(kind(28, 28, 1), (false, true));
        assert_eq!(kind(1, 1, 3), (false, true));
        assert_eq!(kind(5, 1, 1), (true, false));
        assert_eq!(kind(28, 28, 2), (false, false));
    }

    #[test]
    fn rows_are_pictures_where_their_size_fits() {
        let of = |dim| Size { width: 3, height: 2 }.of_rows(dim);
        assert_eq!(of(6), Some(Shape { width: 3, height: 2, channels: 1 }));
        assert_eq!(of(18), Some(Shape { width: 3, height: 2, channels: 3 }));
        assert_eq!((of(7), of(12)), (None, None));
    }

    #[test]
    fn a_size_is_two_numbers_within_bounds() {
        assert_eq!("64x48".parse(), Ok(Size { width: 64, height: 48 }));
        for text in ["", "64", "x", "64x", "0x4", "4x0", "-1x4", "4x4x3", "4097x4", "1e3x4", "64 x 48"] {
            assert!(text.parse::<Size>().unwrap_err().contains("64x48"), "{text}");
        }
    }
}
