//! Consoles beside the main output. The setters; `settings` checks what they are given.

use super::Config;
use super::filter::Warning;
use super::options::{Colour, Output};
use crate::format::Format;
use crate::level::{CutOff, Level};

/// A console that gets records beside the main output, made by [`Output::stdout`] or
/// [`Output::stderr`].
///
/// It has 1 MiB for lines that its reader has not taken yet, as much again that are being written,
/// and a writer thread of its own. A reader that stalls, or is gone, costs the lines on that
/// console and nothing else: they are counted in `stats().also_dropped()`, and the main output has
/// them. When the engine ends, a reader that takes nothing is waited for no longer than a second.
/// Barriers (`flush`, `sync`) do not wait for it; `drain` does.
///
/// ```
/// use fastlog::{Config, Format, Level, Output, Preset};
///
/// let config = Config::preset(Preset::Production)
///     .also(Output::stderr().level(Level::WARN))
///     .also(Output::stdout().format(Format::Logfmt));
/// # drop(config);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Also {
    pub(crate) console: Output,
    /// None: all that passed the filter.
    pub(crate) level: Option<Level>,
    pub(crate) format: Format,
    pub(crate) colour: Colour,
}

impl Output {
    /// The standard output, beside the main output.
    pub fn stdout() -> Also {
        Also::on(Output::Stdout)
    }

    /// The standard error, beside the main output.
    pub fn stderr() -> Also {
        Also::on(Output::Stderr)
    }
}

impl Also {
    fn on(console: Output) -> Also {
        Also { console, level: None, format: Format::Text, colour: Colour::Auto }
    }

    /// The least level that is written there. Default: all that passed the filter, which alone
    /// decides what is logged at all.
    #[must_use]
    pub fn level(mut self, level: Level) -> Also {
        self.level = Some(level);
        self
    }

    /// That its level is one of which `cut_off` has left no call, if it is.
    pub(super) fn in_vain(&self, cut_off: Option<CutOff>) -> Option<Warning> {
        let level = self.level?;
        let cut_off = cut_off.filter(|cut_off| cut_off.takes(level))?;
        let asks = format!("`also` with {:?}", self.console);
        Some(Warning::CutOff { asks, level, cut_off })
    }

    /// How a record is written there. Default: [`Format::Text`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Also {
        self.format = format;
        self
    }

    /// Whether text is coloured there. Default: [`Colour::Auto`].
    #[must_use]
    pub fn colour(mut self, colour: Colour) -> Also {
        self.colour = colour;
        self
    }
}

impl Config {
    /// Adds a console beside the main output.
    ///
    /// Default: none. Each console once, and not the one that is the main output.
    pub fn also(mut self, console: Also) -> Config {
        self.also.push(console);
        self
    }
}
