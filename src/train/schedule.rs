//! What changes over the epochs: the learning rate and the weight of the KL term. Pure functions of where training is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Stages of Burda et al. 2015 (section 5): stage i of 0..=7 lasts 3^i epochs at 10^(-i / 7) of the first rate.
const BURDA_STAGES: u32 = 8;
/// Factor of the rate at each epoch of a step list where none is said, as in many published recipes.
const STEP_FACTOR: f64 = 0.1;

/// How the learning rate changes. Written `constant`, `cosine`, `burda`, `steps:20,40` (a tenth from each epoch on) or
/// `steps:20,40*0.5` (half).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// The same from start to end.
    #[default]
    Constant,
    /// Half a cosine, from the full rate to zero at the last epoch.
    Cosine,
    /// A part of what it was, after each of these epochs.
    Steps {
        /// The epochs.
        at: Vec<f64>,
        /// The part.
        factor: f64,
    },
    /// Burda's eight stages, stretched over the epochs of the run (3280 in the paper).
    Burda,
}

impl Schedule {
    /// Factor of the learning rate after `done` epochs of `epochs`; a part of an epoch counts.
    pub fn factor(&self, done: f64, epochs: u32) -> f64 {
        let share = (done / f64::from(epochs)).clamp(0.0, 1.0);
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share).cos()),
            Schedule::Steps { at, factor } => {
                factor.powi(at.iter().filter(|epoch| done >= **epoch).count() as i32)
            }
            Schedule::Burda => {
                // Stages 0..=i end after (3^(i+1) - 1) / 2 epochs of (3^8 - 1) / 2.
                let end =
                    |stage: u32| (3f64.powi(stage as i32 + 1) - 1.0) / (3f64.powi(BURDA_STAGES as i32) - 1.0);
                let stage = (0..BURDA_STAGES).find(|stage| share < end(*stage)).unwrap_or(BURDA_STAGES - 1);
                10f64.powf(-f64::from(stage) / f64::from(BURDA_STAGES - 1))
            }
        }
    }
}

/// Linear from 0 to 1 over the first `epochs` epochs: warm-up of the learning rate and of the KL term. `done` counts the
/// step to come, so that the first step is not lost.
pub fn ramp(done: f64, epochs: f64) -> f64 {
    if epochs > 0.0 { (done / epochs).min(1.0) } else { 1.0 }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Constant => f.write_str("constant"),
            Schedule::Cosine => f.write_str("cosine"),
            Schedule::Burda => f.write_str("burda"),
            Schedule::Steps { at, factor } => {
                let at: Vec<String> = at.iter().map(f64::to_string).collect();
                write!(f, "steps:{}", at.join(","))?;
                if *factor == STEP_FACTOR { Ok(()) } else { write!(f, "*{factor}") }
            }
        }
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.to_string()
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("{text:?} is no schedule: use constant, cosine, burda or steps:20,40");
        match text {
            "constant" => Ok(Schedule::Constant),
            "cosine" => Ok(Schedule::Cosine),
            "burda" => Ok(Schedule::Burda),
            _ => {
                let list = text.strip_prefix("steps:").ok_or_else(unknown)?;
                let (list, factor) = list.split_once('*').map_or((list, None), |(at, f)| (at, Some(f)));
                let number = |text: &str| {
                    let number: f64 = text.trim().parse().map_err(|_| unknown())?;
                    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err(unknown()) }
                };
                let at = list.split(',').map(number).collect::<Result<_, _>>()?;
                Ok(Schedule::Steps { at, factor: factor.map_or(Ok(STEP_FACTOR), number)? })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_starts_at_one_is_half_in_the_middle_and_ends_at_zero() {
        let at = |done| Schedule::Cosine.factor(done, 10);
        assert_eq!(at(0.0), 1.0);
        assert!((at(5.0) - 0.5).abs() < 1e-12 && at(10.0).abs() < 1e-12);
    }

    #[test]
    fn steps_take_a_tenth_from_their_epoch_on() {
        let steps: Schedule = "steps:3,6".parse().unwrap();
        let at: Vec<f64> = [0.0, 2.99, 3.0, 6.0].iter().map(|done| steps.factor(*done, 10)).collect();
        assert_eq!(at[..2], [1.0, 1.0]);
        assert!((at[2] - 0.1).abs() < 1e-12 && (at[3] - 0.01).abs() < 1e-12);
    }

    #[test]
    fn burdas_stages_last_three_to_the_i_epochs() {
        // In the paper's own length: 1 + 3 + 9 + .. + 2187 = 3280 epochs.
        let mut epoch = 0;
        for stage in 0..8 {
            let expected = 10f64.powf(-f64::from(stage) / 7.0);
            for edge in [epoch, epoch + 3u32.pow(stage) - 1] {
                let got = Schedule::Burda.factor(f64::from(edge) + 0.5, 3280);
                assert!((got - expected).abs() < 1e-12, "epoch {edge}: {got}, expected {expected}");
            }
            epoch += 3u32.pow(stage);
        }
        assert_eq!(epoch, 3280);
    }

    #[test]
    fn a_ramp_is_linear_and_none_is_one() {
        assert_eq!([ramp(0.5, 2.0), ramp(2.0, 2.0), ramp(5.0, 2.0), ramp(0.1, 0.0)], [0.25, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn text_round_trips_and_nonsense_is_refused() {
        for text in ["constant", "cosine", "burda", "steps:20,40", "steps:2.5*0.5"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in ["", "linear", "steps:", "steps:a", "steps:-1", "steps:1*x", "steps:inf"] {
            assert!(text.parse::<Schedule>().unwrap_err().contains("use constant"), "{text}");
        }
    }
}
