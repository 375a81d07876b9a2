//! From a [`Config`] to values that the engine can rely on. Pure: what it needs of the world is
//! handed in. Runs on the thread that starts an engine.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::Path;

use super::also::Also;
use super::file_names::Unit;
use super::filter::{self, FILTER_VARIABLE, Filter, Warning};
use super::options::{Arena, Colour, Output, Overflow, SyncPolicy, UrgentSync};
use super::pressure::Shed;
use super::{Config, limits, name};
use crate::error::ConfigError;
use crate::format::Format;
use crate::level::CUT_OFF;

/// The environment variable that turns [`Colour::Auto`] off.
const NO_COLOUR_VARIABLE: &str = "NO_COLOR";

/// A configuration that holds together: the options as they were given, and what was settled of
/// those that depend on others or on the world. Paths are as given: not yet absolute, not yet
/// looked at.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Read as if they stood here; those that follow hide what was given for them.
    options: Config,
    pub(crate) name: String,
    pub(crate) filter: Filter,
    pub(crate) arena: Arena,
    /// How much of each ring only ERROR and above may fill.
    pub(crate) reserve_bytes: usize,
}

impl Deref for Settings {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.options
    }
}

impl Settings {
    /// What to start with where the log cannot be opened: its lines go to the standard error.
    pub(crate) fn to_standard_error(&self) -> Settings {
        let mut options = Config {
            output: Output::Stderr,
            sync: SyncPolicy::Never,
            urgent_sync: UrgentSync::Never,
            // Of a binary log, the lines that it would be printed as.
            format: match self.format {
                Format::Binary => Format::Json,
                format => format,
            },
            ..self.options.clone()
        };
        options.also.retain(|also| also.console != Output::Stderr);
        Settings { options, arena: Arena::Anonymous, ..self.clone() }
    }

    /// What the log's files are made of.
    pub(crate) fn unit(&self) -> Unit {
        match self.format {
            Format::Binary => Unit::Segments,
            Format::Json | Format::Logfmt | Format::Text => Unit::Lines,
        }
    }
}

impl Config {
    /// Checks every value and settles what depends on others, on the environment (asked by
    /// variable) and on the path of the running executable. Touches nothing.
    ///
    /// # Errors
    ///
    /// The first value that cannot be.
    pub(crate) fn resolve(
        self,
        environment: impl Fn(&str) -> Option<OsString>,
        executable: Option<&Path>,
    ) -> Result<(Settings, Vec<Warning>), ConfigError> {
        self.check_numbers()?;
        self.check_interplay()?;
        check_path("dir", &self.dir)?;
        let arena = self.settle_arena()?;
        let name = self.name.clone().unwrap_or_else(|| name::of_program(executable));
        name::check(&name)?;

        let is_said = |value: &OsString| {
            !self.ignore_env && value.to_str().is_none_or(|text| !text.trim().is_empty())
        };
        let variable = |name: &str| environment(name).filter(is_said);
        let coded = self.filter.as_deref().unwrap_or_default();
        let asked = variable(FILTER_VARIABLE);
        let (filter, mut warnings) = filter::choose(coded, self.level, asked.as_deref())?;
        warnings.extend(Warning::of_cut_off(&filter, CUT_OFF));
        warnings.extend(self.also.iter().filter_map(|also| also.in_vain(CUT_OFF)));
        let is_colourless = variable(NO_COLOUR_VARIABLE).is_some();
        let settle = |colour| match colour {
            Colour::Auto if is_colourless => Colour::Never,
            colour => colour,
        };
        let colour = settle(self.colour);
        let also = self.also.iter().cloned();
        let also = also.map(|also| Also { colour: settle(also.colour), ..also }).collect();
        let settings = Settings {
            name,
            filter,
            arena,
            reserve_bytes: limits::reserve(self.ring_bytes, self.record_bytes),
            options: Config { colour, also, ..self },
        };
        Ok((settings, warnings))
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        limits::record(self.record_bytes)?;
        limits::ring(self.ring_bytes, self.record_bytes)?;
        limits::staging(self.staging_bytes)?;
        limits::count("max_rings", self.max_rings, limits::RINGS)?;
        self.redaction.check()?;
        self.modes.check()?;
        limits::bytes("rotate_bytes", self.rotation.bytes, limits::ROTATE_BYTES)?;
        limits::duration("segment_age", self.rotation.segment_age, limits::SEGMENT_AGE)?;
        limits::count("retain_files", self.retention.files, limits::RETAIN_FILES)?;
        limits::bytes("retain_bytes", self.retention.bytes, limits::RETAIN_BYTES)?;
        limits::duration("retain_age", self.retention.age, limits::RETAIN_AGE)?;
        limits::bytes("keep_free_bytes", self.retention.free_bytes, limits::RETAIN_BYTES)?;
        limits::duration("publish_every", self.publish_every, limits::PUBLISH_EVERY)?;
        limits::duration("order_window", self.order_window, limits::ORDER_WINDOW)?;
        limits::duration("stall_after", self.stall_after, limits::STALL_AFTER)?;
        limits::duration("barrier_patience", self.barrier_patience, limits::BARRIER_PATIENCE)?;
        if let Overflow::BlockFor(budget) = self.overflow {
            limits::duration("overflow", budget, limits::BLOCK_FOR)?;
        }
        if let Shed::Below(level) = self.shed {
            limits::shed(level)?;
        }
        if let SyncPolicy::Every(interval) = self.sync {
            limits::duration("sync", interval, limits::SYNC_EVERY)?;
        }
        if let UrgentSync::AtMostEvery(interval) = self.urgent_sync {
            limits::duration("urgent_sync", interval, limits::SYNC_EVERY)?;
        }
        Ok(())
    }

    /// Only what would break a promise is an error: a value that has nothing to act on is not.
    fn check_interplay(&self) -> Result<(), ConfigError> {
        self.check_binary()?;
        for (index, also) in self.also.iter().enumerate() {
            let earlier = self.also[..index].iter().map(|also| ("also", &also.console));
            let mut others = earlier.chain([("output", &self.output)]);
            // Two threads would write to one console, line between line.
            if let Some((with, other)) = others.find(|(_, other)| **other == also.console) {
                return Err(ConfigError::Conflict {
                    option: "also",
                    value: format!("{:?}", also.console),
                    with,
                    other: format!("{other:?}"),
                    instead: "each console once".to_owned(),
                });
            }
        }
        if self.sync == SyncPolicy::EachBatch && self.output != Output::File {
            return Err(ConfigError::Conflict {
                option: "sync",
                value: format!("{:?}", self.sync),
                with: "output",
                other: format!("{:?}", self.output),
                instead: "`Output::File`, or another `SyncPolicy`".to_owned(),
            });
        }
        Ok(())
    }

    /// Nobody reads it on a console, where each write has to end with a line.
    fn check_binary(&self) -> Result<(), ConfigError> {
        let refused = |with, console: &Output, instead: &str| {
            let (option, value) = ("format", format!("{:?}", Format::Binary));
            let (other, instead) = (format!("{console:?}"), instead.to_owned());
            Err(ConfigError::Conflict { option, value, with, other, instead })
        };
        let is_console = matches!(self.output, Output::Stdout | Output::Stderr);
        if self.format == Format::Binary && is_console {
            let instead = "`Output::File` (`fastlog cat` prints it), or another `Format`";
            return refused("output", &self.output, instead);
        }
        match self.also.iter().find(|also| also.format == Format::Binary) {
            Some(also) => refused("also", &also.console, "another `Format` for that console"),
            None => Ok(()),
        }
    }

    /// A preset's arena is meant for its file: without one it would only leave files behind.
    fn settle_arena(&self) -> Result<Arena, ConfigError> {
        let in_file = self.output == Output::File;
        match &self.arena {
            None if in_file => Ok(self.preset.row().arena),
            None => Ok(Arena::Anonymous),
            Some(Arena::InLogDir) if !in_file => Err(ConfigError::Conflict {
                option: "arena",
                value: format!("{:?}", Arena::InLogDir),
                with: "output",
                other: format!("{:?}", self.output),
                instead: "`Output::File`, or `arena_dir` with a directory of its own".to_owned(),
            }),
            Some(Arena::Dir(path)) => {
                check_path("arena_dir", path)?;
                Ok(Arena::Dir(path.clone()))
            }
            Some(arena) => Ok(arena.clone()),
        }
    }
}

/// What no system call would take; all else is for the system to judge.
fn check_path(option: &'static str, path: &Path) -> Result<(), ConfigError> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if !bytes.is_empty() && !bytes.contains(&0) {
        return Ok(());
    }
    Err(ConfigError::Value {
        option,
        value: path.to_string_lossy().into_owned(),
        allowed: "the path of a directory, not empty and without NUL".to_owned(),
    })
}
