//! What a run is like: drawn from a seed, by the parent and by its children alike.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fastlog::{Config, Detail, Format, Output, Overflow, Preset, Rotate};

use crate::common::random::Random;

/// Where the log goes and where the rings lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Json,
    Binary,
    /// The arena in `/dev/shm`, and a collector that spins.
    SharedMemory,
    /// The arena in a directory of its own.
    Elsewhere,
    Durable,
    /// The standard output, into a file.
    Console,
}

const KINDS: [(&str, Kind); 6] = [
    ("json", Kind::Json),
    ("binary", Kind::Binary),
    ("shared", Kind::SharedMemory),
    ("elsewhere", Kind::Elsewhere),
    ("durable", Kind::Durable),
    ("console", Kind::Console),
];

impl Kind {
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).expect("each has a name").0
    }

    pub fn of(name: &str) -> Kind {
        KINDS.iter().find(|(known, _)| *known == name).expect("a kind").1
    }

    /// Lines rather than segments.
    pub fn is_lines(self) -> bool {
        self != Kind::Binary
    }
}

/// Whether a second engine of the process logs under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engines {
    One,
    Two,
}

/// What the children of a run do.
#[derive(Clone, Debug)]
pub struct Plan {
    pub kind: Kind,
    pub seed: u64,
    pub threads: u64,
    pub engines: Engines,
    /// How many records a thread logs before another takes its place; none: for ever.
    pub thread_records: Option<u64>,
    pub record_bytes: usize,
    ring_bytes: usize,
    rotate_bytes: u64,
    /// One text in so many is long, up to half more than a record may be.
    pub long_every: u64,
}

/// Rings and the longest records that fit them: the smallest allowed twice, and the usual.
const SIZES: [(usize, usize); 4] =
    [(16 << 10, 1 << 10), (16 << 10, 2 << 10), (64 << 10, 4 << 10), (256 << 10, 16 << 10)];

impl Plan {
    pub fn new(kind: Kind, seed: u64) -> Plan {
        let random = &mut Random::new(seed);
        let (ring_bytes, record_bytes) = random.of(&SIZES);
        let few = random.once_in(2);
        Plan {
            kind,
            seed,
            threads: random.within(1..=8),
            engines: match kind {
                // Two consoles would be one.
                Kind::Console => Engines::One,
                _ => random.of(&[Engines::One, Engines::One, Engines::Two]),
            },
            thread_records: Some(random.within(5..=500)).filter(|_| few),
            record_bytes,
            ring_bytes,
            rotate_bytes: random.of(&[64 << 10, 300 << 10, 1 << 40]),
            long_every: random.of(&[3, 20, 1_000]),
        }
    }

    /// The log's name, which no other run has: arenas in shared memory lie beside those of others.
    pub fn name(&self) -> String {
        format!("k{:016x}", self.seed)
    }

    pub fn config(&self, dir: &Path) -> Config {
        const PATIENCE: Duration = Duration::from_secs(300);
        let preset = match self.kind {
            Kind::Json | Kind::Elsewhere => Preset::Production,
            Kind::Binary => Preset::Archive,
            Kind::SharedMemory => Preset::LowLatency,
            Kind::Durable => Preset::Durable,
            Kind::Console => Preset::Container,
        };
        let config = Config::preset(preset).dir(log_dir(dir)).name(self.name()).ignore_env();
        let config = config.ring_bytes(self.ring_bytes).record_bytes(self.record_bytes);
        let config = config.rotate(Rotate::Never).rotate_bytes(self.rotate_bytes);
        let config = config.keep_free_bytes(0).include(Detail::Thread);
        let config = config.overflow(Overflow::BlockForever).barrier_patience(PATIENCE);
        let config = match self.kind {
            Kind::Elsewhere | Kind::Console => config.arena_dir(arena_dir(dir)),
            _ => config,
        };
        match self.kind {
            Kind::Console => config.output(Output::Stdout).format(Format::Json),
            _ => config,
        }
    }
}

pub fn log_dir(dir: &Path) -> PathBuf {
    dir.join("log")
}

/// Where the arena lies that was moved.
pub fn arena_dir(dir: &Path) -> PathBuf {
    dir.join("arena")
}

/// What the standard output went to.
pub fn console_path(dir: &Path) -> PathBuf {
    dir.join("console")
}
