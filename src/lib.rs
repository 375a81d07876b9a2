//! An in-process logging engine: a call neither waits for I/O nor loses a record in silence.
//!
//! A call copies raw values into a ring of its own thread and returns. Three threads of the engine
//! do the rest: they merge the rings by time, format, append to the log, and sync it.
//!
//! ```
//! use fastlog::{Config, Engine, Preset, error, fastlog};
//!
//! # fn main() -> Result<(), fastlog::Error> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let logs = dir.path().join("logs");
//! let config = Config::preset(Preset::Production).dir(&logs).name("shop");
//! # let config = config.ignore_env();
//! let engine = Engine::start(config)?; // from here on `fastlog!` logs to logs/shop.jsonl
//!
//! let user_id = 42;
//! fastlog!(INFO, "user {user_id} signed in after {ms:.1} ms", user_id, ms = 1.3);
//! if let Err(cause) = "ten".parse::<u32>() {
//!     error!("bad quantity", error = %cause, given = "ten", user_id);
//! }
//!
//! let report = engine.drain()?; // all of it is in the log, synced, and counted
//! assert_eq!((report.written(), report.dropped(), report.pending()), (2, 0, 0));
//! let log = std::fs::read_to_string(logs.join("shop.jsonl")).unwrap();
//! assert!(log.contains(r#""message":"user 42 signed in after 1.3 ms","user_id":42,"ms":1.3}"#));
//! # Ok(())
//! # }
//! ```
//!
//! Start with [`Engine`], [`Config`] and [`Preset`], with the macro [`fastlog!`], and with
//! [`Value`] for what a field may be. How to use the crate in `main`, in async programs, in
//! libraries and in tests is in `docs/using.md`, how it works in `docs/architecture.md`.
//!
//! # The journey of a record
//!
//! | stage | module | runs on | allocates | may block |
//! |---|---|---|---|---|
//! | call | `macros`, `callsite` | caller | no | no (1) |
//! | emit | `emit`, `envelope`, `ring` | caller | no (2) | if the ring is full (3) |
//! | collect | `collector`, `clock` | collector | no (4) | if no segment is free |
//! | format | `format`, `segment` | collector | no (4) | no |
//! | publish | `publish` | publisher | no (5) | on appends |
//! | keep | `keep` | keeper | no (5) | on syncs |
//!
//! (1) A callsite's first call after a start or a change of the filter takes a lock. (2) A thread's
//! first record allocates its ring, its first rendered value a scratch of 16 KiB. (3) As the
//! [`Overflow`] policy says. (4) A new ring, a callsite's first record, and the engine's own
//! records allocate. (5) Going on in another file, a look at old files once a minute, and reporting
//! a failure allocate.
//!
//! A record is **committed** (in a ring), then **written** (in a segment), **published** (in the
//! visible log: [`Engine::flush`] waits for that), and **synced** (on the device: [`Engine::sync`]
//! and [`Engine::drain`] wait for that).
//!
//! # Promises
//!
//! - The caller does not wait for I/O. It waits only for room in its ring, if the [`Overflow`]
//!   policy says so.
//! - Nothing is lost in silence: `submitted == written + dropped + pending`, in [`Stats`] and
//!   [`DrainReport`], and a record in the log tells each loss.
//! - What [`Engine::sync`] or [`Engine::drain`] confirmed has been through `fdatasync`.
//! - A full disk, a failed write, a renamed log, a fork, a `Display` that panics leave the host
//!   alive; what failed in the background shows in [`Stats`].
//! - One record is one line of valid JSON, whatever bytes its values hold.
//! - No allocation on the caller or the engine's threads in steady state.
//! - Records of one thread keep their order; all threads come out merged by time.
//! - `kill -9` loses no record whose call had returned, and writes none twice, where the output is
//!   a file and the arena is in files: the next start brings back what was not in the log.

#![cfg_attr(loom, allow(dead_code, unused_imports))]

/// Compiles and runs the code in the documents.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/using.md")]
    struct Using;
}

// What a record is. Loom models only what stands outside `not_loom!`.
pub mod level;

// Between the threads.
mod ring;
/// Of the arena, loom models the two slots alone.
#[cfg(loom)]
mod arena {
    mod two_slots;
}

// Ground.
mod primitive;

macro_rules! not_loom {
    ($($item:item)*) => { $(#[cfg(not(loom))] $item)* };
}

not_loom! {
    // What a record is.
    pub mod value;
    mod template;
    mod callsite;

    // Caller thread.
    mod macros;
    #[doc(hidden)]
    pub mod macro_support;
    mod emit;
    mod envelope;

    // Between the threads.
    mod registry;
    mod arena;

    // Collector thread.
    mod collector;
    mod clock;
    mod format;
    mod segment;

    // Publisher thread.
    mod publish;

    // Keeper thread.
    mod keep;

    // What killed processes left.
    mod recover;

    // What the threads know of each other's progress.
    mod flush;
    mod shared;

    // Owner's side.
    mod engine;
    mod config;
    mod preset;
    mod report;

    // Beside the journey: what benches and fuzz targets see of it.
    #[cfg(feature = "bench-internals")]
    #[doc(hidden)]
    pub mod bench_support;

    // Beside the journey: what the command line sees of it.
    #[cfg(feature = "cli")]
    #[doc(hidden)]
    pub mod cli_support;

    // Beside the journey: publisher and keeper on a disk in memory, driven by a seed.
    #[cfg(test)]
    mod simulation;

    // Ground.
    mod error;
    mod stats;
    mod sys;

    #[doc(hidden)]
    pub use macro_support as __private;
    pub use clock::Clock;
    #[cfg(feature = "compress")]
    pub use config::Compression;
    pub use config::{
        Also, Arena, Colour, Config, ExitHook, FlushControl, Idle, InUse, OpenFailure, Output,
        Overflow, Pin, Rotate, RotateZone, Shed, SigbusGuard, SyncPolicy, UrgentSync,
        UrlPasswords,
    };
    pub use engine::{Engine, Logger};
    pub use error::{BarrierError, ConfigError, Error, FilterError};
    pub use flush::pressure::Pressure;
    pub use format::{Detail, Format};
    pub use level::Level;
    pub use preset::Preset;
    pub use report::{DrainError, DrainReport};
    pub use stats::{DropReason, Dropped, Flow, Stats};
    pub use value::{Redacted, Value, chain, debug, display};
    #[doc(hidden)]
    pub use sys::io::{FileKind, FileStatus, Io, OsIo, Reserve, Space};

    /// How many calls of this process no engine heard: made before a start, after a drain, during
    /// one and too late for its last pass, in a forked child, or from within the engine (by a
    /// signal's handler, by an allocator that logs). They are in no engine's counts.
    /// Calls that a filter or a cut-off feature refused are not among them while an engine runs.
    pub fn unheard() -> u64 {
        registry::process::unheard()
    }
}
