//! What a reader may be told.

use serde::{Deserialize, Serialize};

use super::scaling::{Scale, Scaling};
use super::shape::Size;
use crate::error::{Error, Result};

/// Share of the rows that become the test part where the source has none and the user does not say.
pub const TEST_FRACTION: f64 = 0.1;

/// How a source is read. Its place in a run's `config.toml` is the table `[source]`; none means what fits the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Name of the format, where its detection would be wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Sides that pictures are brought to, or that the values of a row are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<Size>,
    /// Whether pictures become grey or coloured; none takes the first one's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    /// Column of a table that holds labels: its name, or its number from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Another source, which is the test part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_data: Option<String>,
    /// Share of the rows that become the test part, where the source has none; [`TEST_FRACTION`] by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Both parts are all rows, where the source has no test part of its own: for a model that is trained already.
    #[serde(skip)]
    pub whole: bool,
    /// Seed of the choice of these rows.
    pub split_seed: u64,
    /// How values become what the model sees; by default tables are standardised and bytes count as v / 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The scaling that a run has learnt from its training part; a run that is resumed or used takes it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// Channels of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// One channel.
    Grey,
    /// Red, green and blue.
    Colour,
}

impl Options {
    /// Checks the ranges of the values.
    ///
    /// # Errors
    /// [`Error::Usage`], which names the flag.
    pub fn validate(&self) -> Result<()> {
        if let Some(fraction) = self.test_fraction.filter(|f| !(*f > 0.0 && *f < 1.0)) {
            return Err(Error::Usage(format!(
                "--test-fraction {fraction}: use a share between 0 and 1, such as {TEST_FRACTION}"
            )));
        }
        if self.test_data.is_some() && self.test_fraction.is_some() {
            return Err(Error::Usage(
                "--test-data names the test part: --test-fraction does not go with it".into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: Options) -> String {
        options.validate().unwrap_err().to_string()
    }

    #[test]
    fn values_out_of_range_name_their_flag() {
        for fraction in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            let options = Options { test_fraction: Some(fraction), ..Options::default() };
            assert!(message(options).starts_with("--test-fraction"));
        }
        let both = Options { test_fraction: Some(0.5), test_data: Some("x".into()), ..Options::default() };
        assert!(message(both).contains("--test-fraction does not go with it"));
    }

    #[test]
    fn toml_round_trips_and_defaults_are_not_written() {
        let options = Options {
            format: Some("csv".into()),
            image_size: Some(Size { width: 8, height: 9 }),
            colour: Some(Colour::Grey),
            test_fraction: Some(0.25),
            scale: Some(Scale::Minmax),
            scaling: Some(Scaling { shift: vec![0.1, -2e-30], scale: vec![3.0, 1e-7] }),
            ..Options::default()
        };
        let text = toml::to_string(&options).unwrap();
        assert!(text.contains("image_size = \"8x9\"") && text.contains("colour = \"grey\""), "{text}");
        assert_eq!(toml::from_str::<Options>(&text).unwrap(), options);
        assert_eq!(toml::to_string(&Options::default()).unwrap(), "split_seed = 0\n");
    }
}
