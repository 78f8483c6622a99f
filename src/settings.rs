//! Settings and their values, each declared once: what a file, a flag, a check and a help text know of one follows from the
//! place where it stands.

use std::fmt;

use crate::error::{Error, Result};

/// A choice between a few values that have names, the same in files and on the command line.
pub trait Named: Copy + PartialEq + Send + Sync + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// Its name.
    fn name(self) -> &'static str;

    /// What it means, in a line.
    fn about(self) -> &'static str;
}

/// Declares an enumeration whose values have names. The comment of each is its help.
macro_rules! named {
    (
        $(#[$meta:meta])*
        $vis:vis enum $type:ident $(, default $default:ident)? {
            $($(#[doc = $doc:literal])+ $value:ident $(= $number:literal)? => $name:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $type {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $value $(= $number)?),+
        }

        impl $crate::settings::Named for $type {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }

            fn about(self) -> &'static str {
                match self {
                    $(Self::$value => concat!($($doc),+).trim_ascii()),+
                }
            }
        }

        $(impl Default for $type {
            fn default() -> Self {
                Self::$default
            }
        })?
    };
}
pub(crate) use named;

/// Declares a part of a configuration, a plain structure with derives, in which each setting has its name, help, flag,
/// default and, behind `in`, the numbers that it may be. `from` is the part's name in a file.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $type:ident from $part:literal {
            $(
                $(#[doc = $doc:literal])+
                $(#[serde($($serde:tt)*)])?
                #[arg($($arg:tt)*)]
                $key:ident: $value:ty = $default:expr $(, in $range:expr)?;
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "cli", derive(clap::Args))]
        #[cfg_attr(feature = "cli", group(skip))]
        #[serde(default, deny_unknown_fields)]
        pub struct $type {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)*)])?
                #[cfg_attr(feature = "cli", arg($($arg)*))]
                pub $key: $value,
            )+
        }

        impl Default for $type {
            fn default() -> Self {
                $type { $($key: $default),+ }
            }
        }

        impl $crate::settings::Section for $type {
            const PART: &'static str = $part;
            const RANGES: &'static [(&'static str, $crate::settings::Range)] =
                &[$($((stringify!($key), $range),)?)+];

            fn check_ranges(&self) -> $crate::error::Result<()> {
                $($($range.check(concat!($part, ".", stringify!($key)), &self.$key)?;)?)+
                Ok(())
            }
        }
    };
}
pub(crate) use section;

/// A part of a configuration.
pub trait Section: Default {
    /// Its name in a file: keys of others are written `PART.KEY`.
    const PART: &'static str;

    /// The settings with a range.
    const RANGES: &'static [(&'static str, Range)];

    /// Checks each value by itself.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that is out of its range.
    fn check_ranges(&self) -> Result<()>;
}

/// Numbers that a setting may be: all finite ones between two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    least: f64,
    most: f64,
    /// Whether the ends themselves are allowed.
    ends: (bool, bool),
    /// What to do about a number that is not allowed; empty where the ends say enough.
    advice: &'static str,
}

impl Range {
    /// 0 and more.
    pub const NOT_NEGATIVE: Range = Range {
        least: 0.0,
        most: f64::INFINITY,
        ends: (true, false),
        advice: "use a number that is not negative",
    };

    /// From `least` to `most`.
    pub const fn from(least: usize, most: usize) -> Range {
        Range { least: least as f64, most: most as f64, ends: (true, true), advice: "" }
    }

    /// More than 0.
    pub const fn positive(advice: &'static str) -> Range {
        Range { least: 0.0, most: f64::INFINITY, ends: (false, false), advice }
    }

    /// `least` and more.
    pub const fn at_least(least: usize, advice: &'static str) -> Range {
        Range { least: least as f64, most: f64::INFINITY, ends: (true, false), advice }
    }

    /// A share that is not the whole; nothing is one, if `nothing`.
    pub const fn share(nothing: bool, advice: &'static str) -> Range {
        Range { least: 0.0, most: 1.0, ends: (nothing, false), advice }
    }

    /// The same with other words for what to do about other numbers: `{least}` and `{most}` are the ends.
    pub const fn or(self, advice: &'static str) -> Range {
        Range { advice, ..self }
    }

    fn contains(&self, value: f64) -> bool {
        let above = if self.ends.0 { value >= self.least } else { value > self.least };
        let below = if self.ends.1 { value <= self.most } else { value < self.most };
        above && below
    }

    /// Checks the setting `key`.
    ///
    /// # Errors
    /// [`Error::Setting`] if it has a number that is out of the range.
    pub fn check(&self, key: &'static str, value: &impl Numbers) -> Result<()> {
        let Some(text) = value.first(&|number| !self.contains(number)) else { return Ok(()) };
        Err(match self.advice {
            "" => Error::value(key, text, format_args!("use {} to {}", self.least, self.most)),
            advice => {
                let ends = advice.replace("{least}", &self.least.to_string());
                Error::value(key, text, ends.replace("{most}", &self.most.to_string()))
            }
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { least, most, ends, .. } = self;
        match (ends.0, most.is_finite(), ends.1) {
            (true, false, _) => write!(f, ">= {least}"),
            (false, false, _) => write!(f, "> {least}"),
            (true, true, true) => write!(f, "{least} to {most}"),
            (true, true, false) => write!(f, ">= {least}, < {most}"),
            (false, true, true) => write!(f, "> {least}, <= {most}"),
            (false, true, false) => write!(f, "> {least}, < {most}"),
        }
    }
}

/// What a [`Range`] can look at.
pub trait Numbers {
    /// The first number for which `is` holds, as a text.
    fn first(&self, is: &dyn Fn(f64) -> bool) -> Option<String>;
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Numbers for $type {
            fn first(&self, is: &dyn Fn(f64) -> bool) -> Option<String> {
                is(*self as f64).then(|| self.to_string())
            }
        })+
    };
}
numbers!(u32, u64, usize, f32, f64);

impl<T: Numbers> Numbers for Vec<T> {
    fn first(&self, is: &dyn Fn(f64) -> bool) -> Option<String> {
        self.iter().find_map(|value| value.first(is))
    }
}

impl<T: Numbers> Numbers for Option<T> {
    fn first(&self, is: &dyn Fn(f64) -> bool) -> Option<String> {
        self.iter().find_map(|value| value.first(is))
    }
}

/// How the command line reads a choice: by name, with a line of help each.
#[cfg(feature = "cli")]
pub(crate) fn choice<T: Named>() -> impl clap::builder::TypedValueParser<Value = T> {
    choice_of(T::ALL)
}

/// The same of some of the values.
#[cfg(feature = "cli")]
pub(crate) fn choice_of<T: Named>(values: &'static [T]) -> impl clap::builder::TypedValueParser<Value = T> {
    use clap::builder::TypedValueParser;
    names(values.iter().map(|value| (value.name(), value.about()))).map(|name| {
        let found = values.iter().find(|value| value.name() == name);
        *found.expect("only names of the values are let through")
    })
}

/// How the command line reads a name from a table of names, each with a line of help.
#[cfg(feature = "cli")]
pub(crate) fn names(
    table: impl IntoIterator<Item = (&'static str, &'static str)>,
) -> clap::builder::PossibleValuesParser {
    use clap::builder::PossibleValue;
    table.into_iter().map(|(name, about)| PossibleValue::new(name).help(about)).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_numbers_and_says_what_to_do_about_others() {
        let refused =
            |range: Range, value: &dyn Fn(Range) -> Result<()>| value(range).map_err(|e| e.to_string());
        let says = |range: Range, value: f64| refused(range, &|range| range.check("train.x", &value));
        assert_eq!(says(Range::from(1, 8), 9.0), Err("`train.x` = 9: use 1 to 8".into()));
        assert_eq!(says(Range::from(1, 8), 0.5), Err("`train.x` = 0.5: use 1 to 8".into()));
        for (range, good, bad) in [
            (Range::from(1, 8), &[1.0, 8.0][..], &[0.0, 8.5, f64::NAN, f64::INFINITY][..]),
            (Range::NOT_NEGATIVE, &[0.0, 1e300], &[-1e-300, f64::NAN, f64::INFINITY]),
            (Range::positive("no"), &[1e-300], &[0.0, -1.0, f64::NAN, f64::INFINITY]),
            (Range::at_least(2, "no"), &[2.0, 1e9], &[1.0, f64::NAN]),
            (Range::share(true, "no"), &[0.0, 0.999], &[1.0, -0.1, f64::NAN]),
            (Range::share(false, "no"), &[0.001], &[0.0, 1.0]),
        ] {
            assert!(good.iter().all(|value| says(range, *value).is_ok()), "{range}");
            assert!(bad.iter().all(|value| says(range, *value).is_err()), "{range}");
        }
        assert!(
            Range::from(1, 8).check("train.x", &vec![4usize, 9]).unwrap_err().to_string().contains("= 9")
        );
        assert!(Range::from(1, 8).check("train.x", &None::<u32>).is_ok());
    }
}
