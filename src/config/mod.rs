//! What an engine shall be like. Built by the program on its own thread; [`Config::resolve`]
//! turns it into [`Settings`], and nothing of it is used later.

mod also;
pub(crate) mod file_names;
mod filter;
mod limits;
pub(crate) mod listing;
mod modes;
mod name;
mod options;
mod pressure;
mod redaction;
mod rotation;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::also::Also;
pub(crate) use self::filter::{FILTER_VARIABLE, Filter, Warning};
#[cfg(test)]
pub(crate) use self::limits::shown;
pub(crate) use self::modes::Modes;
pub use self::options::{
    Arena, Colour, ExitHook, Idle, InUse, OpenFailure, Output, Overflow, Pin, SyncPolicy,
    UrgentSync,
};
pub use self::pressure::{FlushControl, Shed};
pub(crate) use self::redaction::Redaction;
pub use self::redaction::UrlPasswords;
#[cfg(feature = "compress")]
pub use self::rotation::Compression;
pub(crate) use self::rotation::{Retention, Rotation};
pub use self::rotation::{Rotate, RotateZone};
pub(crate) use self::settings::Settings;
use crate::clock::Clock;
use crate::format::{Detail, Details, Format};
use crate::level::Level;
use crate::preset::{Preset, Row};
pub use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::{Io, OsIo};

/// What an engine shall be like: a preset, and what is changed of it.
///
/// Values are checked when an engine starts with them, not by the setters; the error names the
/// first that cannot be. A setter called twice keeps its last value, except
/// [`include`](Config::include) and [`also`](Config::also), which add. An option that has nothing
/// to act on (the directory of a log that goes to the standard output, the colour of JSON) is no
/// error; one that would promise what cannot be kept is an error that says so.
///
/// ```
/// use std::time::Duration;
/// use fastlog::{Config, Level, Overflow, Preset};
///
/// let config = Config::preset(Preset::Production)
///     .dir("/var/log/shop")
///     .name("checkout")
///     .level(Level::DEBUG)
///     .overflow(Overflow::BlockFor(Duration::from_millis(2)));
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until an engine starts with it"]
pub struct Config {
    preset: Preset,
    pub(crate) dir: PathBuf,
    name: Option<String>,
    pub(crate) level: Level,
    filter: Option<String>,
    pub(crate) output: Output,
    pub(crate) also: Vec<Also>,
    pub(crate) format: Format,
    pub(crate) colour: Colour,
    pub(crate) details: Details,
    pub(crate) redaction: Redaction,
    pub(crate) url_passwords: UrlPasswords,
    pub(crate) modes: Modes,
    pub(crate) rotation: Rotation,
    pub(crate) retention: Retention,
    #[cfg(feature = "compress")]
    pub(crate) compression: Compression,
    pub(crate) overflow: Overflow,
    pub(crate) shed: Shed,
    pub(crate) flush_control: FlushControl,
    pub(crate) ring_bytes: usize,
    pub(crate) record_bytes: usize,
    pub(crate) staging_bytes: usize,
    pub(crate) max_rings: usize,
    arena: Option<Arena>,
    /// None: not asked for.
    pub(crate) clock: Option<Clock>,
    pub(crate) pin: Pin,
    pub(crate) idle: Idle,
    pub(crate) order_window: Duration,
    pub(crate) publish_every: Duration,
    pub(crate) sync: SyncPolicy,
    pub(crate) urgent_sync: UrgentSync,
    pub(crate) stall_after: Duration,
    pub(crate) barrier_patience: Duration,
    pub(crate) on_open_failure: OpenFailure,
    pub(crate) in_use: InUse,
    pub(crate) exit_hook: ExitHook,
    pub(crate) sigbus_guard: SigbusGuard,
    ignore_env: bool,
    pub(crate) io: Arc<dyn Io>,
}

const DIR: &str = "logs";
const RECORD_BYTES: usize = 16 << 10;
const STAGING_BYTES: usize = 64 << 20;
const RINGS_MAX: usize = 256;
const ORDER_WINDOW: Duration = Duration::from_micros(50);
const STALL_AFTER: Duration = Duration::from_secs(5);
const BARRIER_PATIENCE: Duration = Duration::from_secs(10);

impl Default for Config {
    /// [`Preset::Production`].
    fn default() -> Config {
        Config::preset(Preset::default())
    }
}

impl From<Preset> for Config {
    fn from(preset: Preset) -> Config {
        Config::preset(preset)
    }
}

impl Config {
    /// What the preset sets, and the defaults of all other options.
    pub fn preset(preset: Preset) -> Config {
        let Row {
            level,
            output,
            format,
            ring_bytes,
            overflow,
            arena: _,
            pin,
            idle,
            publish_every,
            sync,
            urgent_sync,
            url_passwords,
        } = preset.row();
        Config {
            preset,
            dir: PathBuf::from(DIR),
            name: None,
            level,
            filter: None,
            output,
            also: Vec::new(),
            format,
            colour: Colour::Auto,
            details: Details::default(),
            redaction: Redaction::default(),
            url_passwords,
            modes: Modes::default(),
            rotation: Rotation::DEFAULT,
            retention: Retention::DEFAULT,
            #[cfg(feature = "compress")]
            compression: Compression::None,
            overflow,
            shed: Shed::Never,
            flush_control: FlushControl::Adaptive,
            ring_bytes,
            record_bytes: RECORD_BYTES,
            staging_bytes: STAGING_BYTES,
            max_rings: RINGS_MAX,
            arena: None,
            clock: None,
            pin,
            idle,
            order_window: ORDER_WINDOW,
            publish_every,
            sync,
            urgent_sync,
            stall_after: STALL_AFTER,
            barrier_patience: BARRIER_PATIENCE,
            on_open_failure: OpenFailure::Error,
            in_use: InUse::Suffix,
            exit_hook: ExitHook::Drain,
            sigbus_guard: SigbusGuard::Install,
            ignore_env: false,
            io: Arc::new(OsIo),
        }
    }

    /// The directory of the log; `.fastlog` below it holds the lock and, unless
    /// [`arena`](Config::arena) says otherwise, the arena.
    ///
    /// Default: `logs` in the working directory at the start. The last component is created where
    /// it is missing, with mode 0750 less the umask, or with [`dir_mode`](Config::dir_mode). Not
    /// used, nor created, unless the output is
    /// [`Output::File`].
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Config {
        self.dir = dir.into();
        self
    }

    /// The log's name, from which its file is called `<name>.jsonl`, or `<name>.flog` if it is
    /// binary.
    ///
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`, the first no dot. Default: the stem of the executable's
    /// file name, with `_` for characters that a name may not have. One engine at a time writes
    /// the log of a name: see [`in_use`](Config::in_use). Has no effect on consoles.
    pub fn name(mut self, name: impl Into<String>) -> Config {
        self.name = Some(name.into());
        self
    }

    /// The least level that is logged, where no directive of the filter says otherwise.
    ///
    /// Default: DEBUG with `Development`, INFO with the others. It is the filter's default
    /// directive: a bare level in [`filter`](Config::filter) or in the environment variable
    /// `FASTLOG` takes its place, whatever the order of the calls.
    pub fn level(mut self, level: Level) -> Config {
        self.level = level;
        self
    }

    /// Levels by target: `"info,app::db=debug,noisy=off"`.
    ///
    /// Directives are separated by commas: a bare level for everything, `target=level` for a
    /// target and whatever continues it with `::`. The longest target wins; of several directives
    /// for one target, the last. Levels in any case, or `off`. In targets `-` and `_` are the same,
    /// so that a package's name fits its modules. Default: no directive, so that
    /// [`level`](Config::level) holds for all.
    ///
    /// The environment variable `FASTLOG`, unless empty or [ignored](Config::ignore_env), takes the
    /// place of this whole list in the process's engine; one that is not understood, or no UTF-8,
    /// is ignored with a warning. [Detached](crate::Engine::detached) engines do not look at it.
    ///
    /// What can fit nothing is told with a warning, in the log and on the standard error: a
    /// directive whose target has an empty part or other characters than letters, digits, `_`, `-`
    /// and `.` (it is left out), and a level of which a feature `max_level_*` has left no call in
    /// the program.
    pub fn filter(mut self, directives: impl Into<String>) -> Config {
        self.filter = Some(directives.into());
        self
    }

    /// Where the lines go.
    ///
    /// Default: [`Output::Stdout`] with `Container`, [`Output::Stderr`] with `Development`,
    /// [`Output::File`] with the others. Without a file, [`SyncPolicy::EachBatch`] and
    /// [`Arena::InLogDir`] are errors where the program asks for them (the former also where
    /// `Durable` does), other sync policies have no effect, and the arena is
    /// [`Arena::Anonymous`] unless the program names one.
    pub fn output(mut self, output: Output) -> Config {
        self.output = output;
        self
    }

    /// How a record is written.
    ///
    /// Default: [`Format::Text`] with `Development`, [`Format::Binary`] with `Archive`,
    /// [`Format::Json`] with the others.
    pub fn format(mut self, format: Format) -> Config {
        self.format = format;
        self
    }

    /// Whether text is coloured.
    ///
    /// Default: [`Colour::Auto`]. JSON never is. `NO_COLOR` is not looked at after
    /// [`ignore_env`](Config::ignore_env).
    pub fn colour(mut self, colour: Colour) -> Config {
        self.colour = colour;
        self
    }

    /// Adds a detail to every line; call it once for each.
    ///
    /// Default: none.
    pub fn include(mut self, detail: Detail) -> Config {
        self.details.include(detail);
        self
    }

    /// What a call does when its thread's ring is full.
    ///
    /// Default: [`Overflow::BlockFor`] 10 ms with `Production` and `Container`, 50 ms with
    /// `Archive`, [`Overflow::Block`] with `Durable` and `Development`, [`Overflow::Drop`] with
    /// `LowLatency`.
    pub fn overflow(mut self, overflow: Overflow) -> Config {
        self.overflow = overflow;
        self
    }

    /// The size of each thread's ring, in bytes.
    ///
    /// A power of two from 16 KiB to 64 MiB, and at least eight times
    /// [`record_bytes`](Config::record_bytes). Default: 1 MiB with `Production`, `LowLatency` and
    /// `Archive`, 256 KiB with the others. Every thread that logs has one, all of it resident; a
    /// thread that ends leaves its ring to a later one. It is the burst that a thread can log
    /// before the [overflow policy](Config::overflow) decides.
    pub fn ring_bytes(mut self, bytes: usize) -> Config {
        self.ring_bytes = bytes;
        self
    }

    /// The most that one record's values and one rendered message may take, in bytes; longer
    /// values are cut, and the line says `"truncated":true`.
    ///
    /// A multiple of 8 from 1 KiB to 32 KiB. Default: 16 KiB. Two of them are the least that each
    /// ring reserves for ERROR and above.
    pub fn record_bytes(mut self, bytes: usize) -> Config {
        self.record_bytes = bytes;
        self
    }

    /// The most that segments may take while the output is slower than the program, in bytes;
    /// then records wait in the rings, and [`overflow`](Config::overflow) decides.
    ///
    /// 4 MiB to 1 GiB, of which whole segments of 1 MiB are used. Default: 64 MiB.
    pub fn staging_bytes(mut self, bytes: usize) -> Config {
        self.staging_bytes = bytes;
        self
    }

    /// How many threads at a time can have a ring in the arena's file. Those beyond log all the
    /// same, into rings in anonymous memory; `stats().crash_safe()` is false then.
    ///
    /// 16 to 4096. Default: 256. Rings are made as threads need them, not in advance.
    pub fn max_rings(mut self, rings: usize) -> Config {
        self.max_rings = rings;
        self
    }

    /// Where rings and segments live, which decides what of them outlives the process.
    ///
    /// Default with a file: [`Arena::SharedMemory`] with `LowLatency`, [`Arena::InLogDir`] with
    /// `Production`, `Durable` and `Archive`, [`Arena::Anonymous`] with the others; without a file
    /// always [`Arena::Anonymous`]. Where the place refuses, the engine starts with anonymous
    /// memory and says so on the standard error, in the log and in `stats().crash_safe()`.
    pub fn arena(mut self, arena: Arena) -> Config {
        self.arena = Some(arena);
        self
    }

    /// Short for [`arena`](Config::arena) with [`Arena::Dir`].
    pub fn arena_dir(self, dir: impl Into<PathBuf>) -> Config {
        self.arena(Arena::Dir(dir.into()))
    }

    /// Where records take their time from.
    ///
    /// Default: [`Clock::Tsc`]; on a machine whose counter is not fit for it the engine uses
    /// [`Clock::Monotonic`], which `stats().clock()` shows. Calls take the short path with `Tsc`,
    /// and with [`Clock::Coarse`] if the collector spins.
    pub fn clock(mut self, clock: Clock) -> Config {
        self.clock = Some(clock);
        self
    }

    /// Which CPU the collector runs on.
    ///
    /// Default: [`Pin::None`] with `Container` and `Development`, [`Pin::Auto`] with the others.
    pub fn pin(mut self, pin: Pin) -> Config {
        self.pin = pin;
        self
    }

    /// What the collector does while there is nothing to write.
    ///
    /// Default: [`Idle::Spin`] with `LowLatency`, [`Idle::Park`] with the others.
    pub fn idle(mut self, idle: Idle) -> Config {
        self.idle = idle;
        self
    }

    /// How long the collector holds a record back so that records of other threads can be put
    /// before it.
    ///
    /// 0 to 5 ms. Default: 50 us. It is part of the time until a record is visible; a record that
    /// is later still is written out of order, with its true time, and counted.
    pub fn order_window(mut self, window: Duration) -> Config {
        self.order_window = window;
        self
    }

    /// How long a written line waits at most before it is appended to the visible log.
    ///
    /// 100 us to 10 s. Default: 20 ms with `LowLatency`, 5 ms with the others. With
    /// [`SyncPolicy::EachBatch`] it also bounds how long a group of records waits for its sync.
    /// ERROR and above do not wait.
    pub fn publish_every(mut self, interval: Duration) -> Config {
        self.publish_every = interval;
        self
    }

    /// When the log file is synced to its device.
    ///
    /// Intervals from 1 ms to 1 h. Default: [`SyncPolicy::Every`] second with `Production`, each
    /// 5 s with `LowLatency`, each minute with `Archive`; [`SyncPolicy::EachBatch`] with `Durable`;
    /// [`SyncPolicy::Never`] with the others. `EachBatch` needs [`Output::File`]; without a file
    /// the others have no effect.
    pub fn sync(mut self, policy: SyncPolicy) -> Config {
        self.sync = policy;
        self
    }

    /// Short for [`sync`](Config::sync) with [`SyncPolicy::Every`].
    pub fn sync_every(self, interval: Duration) -> Config {
        self.sync(SyncPolicy::Every(interval))
    }

    /// Whether records of ERROR and above ask for a sync out of turn.
    ///
    /// Intervals from 1 ms to 1 h. Default: [`UrgentSync::AtMostEvery`] 100 ms with `Production`,
    /// [`UrgentSync::Never`] with the others. It adds to [`sync`](Config::sync), also to
    /// [`SyncPolicy::Never`]; without a file it has no effect.
    pub fn urgent_sync(mut self, policy: UrgentSync) -> Config {
        self.urgent_sync = policy;
        self
    }

    /// How long the output may make no progress before calls stop waiting for it and drop. Time in
    /// which the process is stopped does not count.
    ///
    /// 100 ms to 1 h. Default: 5 s. It ends every wait for room except that of
    /// [`Overflow::BlockForever`].
    pub fn stall_after(mut self, time: Duration) -> Config {
        self.stall_after = time;
        self
    }

    /// How long `flush`, `sync` and `drain` go on without progress before they give up. Time in
    /// which the process is stopped does not count.
    ///
    /// 10 ms to 1 h. Default: 10 s. It holds for their forms with `_timeout` too, which besides end
    /// at their own limit.
    pub fn barrier_patience(mut self, time: Duration) -> Config {
        self.barrier_patience = time;
        self
    }

    /// What to do when the log's directory, lock or file cannot be used.
    ///
    /// Default: [`OpenFailure::Error`].
    pub fn on_open_failure(mut self, reaction: OpenFailure) -> Config {
        self.on_open_failure = reaction;
        self
    }

    /// What to do when another engine writes the log of this name.
    ///
    /// Default: [`InUse::Suffix`].
    pub fn in_use(mut self, reaction: InUse) -> Config {
        self.in_use = reaction;
        self
    }

    /// What happens to the engine when the process exits normally.
    ///
    /// Default: [`ExitHook::Drain`].
    pub fn exit_hook(mut self, hook: ExitHook) -> Config {
        self.exit_hook = hook;
        self
    }

    /// Whether the process lives on when a page of the arena's files cannot be had.
    ///
    /// Default: [`SigbusGuard::Install`]. Nothing is installed while no file is mapped, as with
    /// [`Arena::Anonymous`].
    pub fn sigbus_guard(mut self, guard: SigbusGuard) -> Config {
        self.sigbus_guard = guard;
        self
    }

    /// Makes the environment variables `FASTLOG` and `NO_COLOR` count for nothing. A
    /// [detached](crate::Engine::detached) engine looks at `NO_COLOR` alone.
    pub fn ignore_env(mut self) -> Config {
        self.ignore_env = true;
        self
    }

    /// The system calls to use, so that tests can let them fail.
    #[doc(hidden)]
    pub fn io(mut self, io: Arc<dyn Io>) -> Config {
        self.io = io;
        self
    }
}

#[cfg(test)]
mod tests;
