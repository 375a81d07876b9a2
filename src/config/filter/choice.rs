//! Which filter holds at the start, the program's or the environment's, and what its owner must
//! hear of it: directives that can fit nothing, and levels of which no call is left. Runs on the
//! thread that starts an engine.

use std::ffi::OsStr;
use std::fmt;

use super::Filter;
use crate::error::{FilterError, Quoted};
use crate::level::{CutOff, Level};

/// The environment variable that replaces [`Config::filter`](crate::Config::filter).
pub(crate) const FILTER_VARIABLE: &str = "FASTLOG";

/// Something that does not keep the engine from starting, but that its owner must hear of: for the
/// log and the standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Warning {
    /// The filter in the environment is not understood; this one holds instead.
    Environment { value: String, error: FilterError, kept: Filter },
    /// The filter in the environment is no text; this one holds instead.
    NotText { value: String, kept: Filter },
    /// A directive can fit nothing, and is left out of the filter.
    LeftOut { error: FilterError },
    /// What is asked for cannot come: the calls are not in the program.
    CutOff { asks: String, level: Level, cut_off: CutOff },
}

impl Warning {
    /// That the filter asks for calls that were left out, if it does.
    pub(crate) fn of_cut_off(filter: &Filter, cut_off: Option<CutOff>) -> Option<Warning> {
        let cut_off = cut_off?;
        let (level, directive) = filter.in_vain(cut_off)?;
        let asks = format!("the filter (`{directive}`)");
        Some(Warning::CutOff { asks, level, cut_off })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Environment { value, error, kept } => write!(
                f,
                "the environment variable {FILTER_VARIABLE} = {} is ignored: {error}; the filter \
                 stays {}",
                Quoted(value),
                Quoted(&kept.to_string())
            ),
            Warning::NotText { value, kept } => write!(
                f,
                "the environment variable {FILTER_VARIABLE} = {} is ignored: it is not UTF-8; the \
                 filter stays {}",
                Quoted(value),
                Quoted(&kept.to_string())
            ),
            Warning::LeftOut { error } => write!(f, "{error}; this directive is left out"),
            Warning::CutOff { asks, level, cut_off } => {
                write!(f, "{asks} asks for {level}, which cannot come: {cut_off}")
            }
        }
    }
}

/// The filter that holds, of the program's directives and the environment's.
///
/// # Errors
///
/// The first of the program's directives that is not understood.
pub(crate) fn choose(
    coded: &str,
    level: Level,
    variable: Option<&OsStr>,
) -> Result<(Filter, Vec<Warning>), FilterError> {
    let (coded, unfit) = Filter::parse_fit(coded, level)?;
    let Some(value) = variable else { return Ok((coded, left_out(unfit))) };
    let value = match value.to_str() {
        Some(value) => value,
        None => {
            let value = value.to_string_lossy().into_owned();
            let mut warnings = vec![Warning::NotText { value, kept: coded.clone() }];
            warnings.extend(left_out(unfit));
            return Ok((coded, warnings));
        }
    };
    Ok(match Filter::parse_fit(value, level) {
        Ok((filter, unfit)) => (filter, left_out(unfit)),
        Err(error) => {
            let (value, kept) = (value.to_owned(), coded.clone());
            let mut warnings = vec![Warning::Environment { value, error, kept }];
            warnings.extend(left_out(unfit));
            (coded, warnings)
        }
    })
}

fn left_out(unfit: Vec<FilterError>) -> Vec<Warning> {
    unfit.into_iter().map(|error| Warning::LeftOut { error }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO_ALONE: CutOff = CutOff { feature: "max_level_info", least: Some(Level::Info) };
    const NOTHING: CutOff = CutOff { feature: "release_max_level_off", least: None };

    fn told(filter: &str, cut_off: CutOff) -> Option<String> {
        let filter = Filter::parse(filter, Level::INFO).expect("a filter");
        Warning::of_cut_off(&filter, Some(cut_off)).map(|warning| warning.to_string())
    }

    #[test]
    fn a_level_that_was_cut_off_is_told_with_its_feature() {
        for filter in ["info", "off", "warn,app=info", "off,app=error", "app=off"] {
            assert_eq!(told(filter, INFO_ALONE), None, "{filter}");
        }
        let left = "all calls below INFO are left out of this build, by the feature \
                    `max_level_info` of fastlog-engine";
        let cases = [
            ("debug", "debug", Level::DEBUG),
            ("off,my-app=trace,other=debug", "my_app=trace", Level::TRACE),
            ("debug,a=debug", "debug", Level::DEBUG),
        ];
        for (filter, directive, level) in cases {
            let sentence =
                format!("the filter (`{directive}`) asks for {level}, which cannot come: {left}");
            assert_eq!(told(filter, INFO_ALONE), Some(sentence), "{filter}");
        }
        assert_eq!(
            told("error", NOTHING).as_deref(),
            Some(
                "the filter (`error`) asks for ERROR, which cannot come: all calls are left out \
                 of this build, by the feature `release_max_level_off` of fastlog-engine"
            )
        );
        assert_eq!(told("off,a=off", NOTHING), None);
    }
}
