//! How hard the output is pressed, in four states. Data; decided by the controller.

use std::fmt;

/// How far the program is ahead of its log: the fill of the fullest ring or of the staging,
/// whichever is higher, with a distance between the way up and the way down.
///
/// | state | from | until below, for a second | the collector and the publisher |
/// |---|---|---|---|
/// | `Calm` | | | take their time |
/// | `Elevated` | 25 % | 12.5 % | park 5 ms at most, publish twice as often |
/// | `High` | 50 % | 35 % | park 1 ms at most, publish four times as often |
/// | `Critical` | 80 %, or a stalled output | 60 % | as `High`, publish at once; may shed      |
///
/// Up goes at once and as far as need be, down one state at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Pressure {
    /// The log keeps up.
    #[default]
    Calm,
    /// A burst.
    Elevated,
    /// The log lags.
    High,
    /// Rings or staging are about to be full, or the output makes no progress.
    Critical,
}

impl Pressure {
    /// From the lowest.
    pub const ALL: [Pressure; 4] =
        [Pressure::Calm, Pressure::Elevated, Pressure::High, Pressure::Critical];

    /// `calm`, `elevated`, `high`, `critical`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Pressure::Calm => "calm",
            Pressure::Elevated => "elevated",
            Pressure::High => "high",
            Pressure::Critical => "critical",
        }
    }

    /// One state lower; `Calm` stays.
    pub(super) fn lower(self) -> Pressure {
        Pressure::ALL[(self as usize).saturating_sub(1)]
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
