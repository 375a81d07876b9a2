//! How much a record matters. Data, used on every thread.

use std::fmt;
use std::str::FromStr;

/// How much a record matters. A greater level matters more.
///
/// ```
/// use fastlog::Level;
/// assert!(Level::ERROR > Level::INFO);
/// assert_eq!("warning".parse(), Ok(Level::WARN));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Every step, for reading the program's mind.
    Trace = 0,
    /// For whoever mends the program.
    Debug = 1,
    /// What the service did.
    Info = 2,
    /// Odd, but dealt with.
    Warn = 3,
    /// Something failed. Wakes the engine, is published at once, and may use a ring's reserve.
    Error = 4,
    /// The service cannot go on. Treated like [`Level::ERROR`].
    Critical = 5,
}

impl Level {
    /// See [`Level::Trace`].
    pub const TRACE: Level = Level::Trace;
    /// See [`Level::Debug`].
    pub const DEBUG: Level = Level::Debug;
    /// See [`Level::Info`].
    pub const INFO: Level = Level::Info;
    /// See [`Level::Warn`].
    pub const WARN: Level = Level::Warn;
    /// The same as [`Level::WARN`].
    pub const WARNING: Level = Level::Warn;
    /// See [`Level::Error`].
    pub const ERROR: Level = Level::Error;
    /// See [`Level::Critical`].
    pub const CRITICAL: Level = Level::Critical;
    /// The same as [`Level::CRITICAL`].
    pub const FATAL: Level = Level::Critical;

    /// How many levels there are.
    pub const COUNT: usize = 6;
    /// All levels, the least important first.
    pub const ALL: [Level; Level::COUNT] =
        [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical];

    /// The name as it stands in the log: `INFO`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }

    /// The level with this number, 0 (trace) to 5 (critical).
    pub const fn from_index(index: u8) -> Option<Level> {
        if (index as usize) < Level::COUNT { Some(Level::ALL[index as usize]) } else { None }
    }

    /// Whether the level is ERROR or above: woken for, published at once, served by the reserve.
    #[inline(always)]
    pub const fn is_urgent(self) -> bool {
        self as u8 >= Level::Error as u8
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text was no level's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseLevelError {
    text: String,
}

impl fmt::Display for ParseLevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no level: use trace, debug, info, warn, error or critical",
            self.text.escape_debug()
        )
    }
}

impl std::error::Error for ParseLevelError {}

impl FromStr for Level {
    type Err = ParseLevelError;

    /// Any case; `warning` and `fatal` are understood.
    fn from_str(text: &str) -> Result<Level, ParseLevelError> {
        const SYNONYMS: [(&str, Level); 2] = [("WARNING", Level::Warn), ("FATAL", Level::Critical)];
        let named = Level::ALL.iter().map(|level| (level.as_str(), *level));
        named
            .chain(SYNONYMS)
            .find(|(name, _)| name.eq_ignore_ascii_case(text.trim()))
            .map(|(_, level)| level)
            .ok_or_else(|| ParseLevelError { text: text.to_owned() })
    }
}

/// The lowest level that this build keeps, from the features `max_level_*` and
/// `release_max_level_*`; [`None`] keeps nothing. The strictest enabled feature wins.
pub const STATIC_MIN_LEVEL: Option<Level> = match CUT_OFF {
    Some(CutOff { least, .. }) => least,
    None => Some(Level::Trace),
};

/// What a feature has left out of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutOff {
    /// The feature's name.
    pub(crate) feature: &'static str,
    /// The lowest level that is left, if any is.
    pub(crate) least: Option<Level>,
}

impl CutOff {
    /// Whether calls of this level are left out.
    pub(crate) fn takes(self, level: Level) -> bool {
        self.least.is_none_or(|least| level < least)
    }
}

impl fmt::Display for CutOff {
    /// A sentence about it: says which calls are missing, and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least {
            Some(least) => write!(f, "all calls below {least} are left out of this build")?,
            None => f.write_str("all calls are left out of this build")?,
        }
        write!(f, ", by the feature `{}` of fastlog-engine", self.feature)
    }
}

/// Of the enabled features the strictest that leaves something out.
pub(crate) const CUT_OFF: Option<CutOff> = cut_off();

/// Whether this build keeps calls of this level.
#[inline(always)]
pub const fn statically_enabled(level: Level) -> bool {
    match STATIC_MIN_LEVEL {
        Some(min) => level as u8 >= min as u8,
        None => false,
    }
}

const fn cut_off() -> Option<CutOff> {
    macro_rules! cut_off {
        ($($feature:literal, $release:literal => $least:expr;)*) => {
            $(
                if cfg!(feature = $feature) {
                    return Some(CutOff { feature: $feature, least: $least });
                }
                if !cfg!(debug_assertions) && cfg!(feature = $release) {
                    return Some(CutOff { feature: $release, least: $least });
                }
            )*
        };
    }
    cut_off! {
        "max_level_off", "release_max_level_off" => None;
        "max_level_critical", "release_max_level_critical" => Some(Level::Critical);
        "max_level_error", "release_max_level_error" => Some(Level::Error);
        "max_level_warn", "release_max_level_warn" => Some(Level::Warn);
        "max_level_info", "release_max_level_info" => Some(Level::Info);
        "max_level_debug", "release_max_level_debug" => Some(Level::Debug);
    }
    None
}
