//! What each preset sets, in one table. Data, read on the owner's thread when a configuration is
//! begun.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{Arena, Idle, Output, Overflow, Pin, SyncPolicy, UrgentSync, UrlPasswords};
use crate::error::ConfigError;
use crate::format::Format;
use crate::level::Level;

/// A set of options that fit together, for a common use. Each can be changed afterwards, with the
/// [`Config`](crate::Config) that [`Config::preset`](crate::Config::preset) begins.
///
/// | preset | `level` | `output` | `format` | `ring_bytes` | `overflow` | `arena` |
/// |---|---|---|---|---|---|---|
/// | `Production` | INFO | `File` | `Json` | 1 MiB | `BlockFor(10ms)` | `InLogDir` |
/// | `Durable` | INFO | `File` | `Json` | 256 KiB | `Block` | `InLogDir` |
/// | `LowLatency` | INFO | `File` | `Json` | 1 MiB | `Drop` | `SharedMemory` |
/// | `Archive` | INFO | `File` | `Binary` | 1 MiB | `BlockFor(50ms)` | `InLogDir` |
/// | `Container` | INFO | `Stdout` | `Json` | 256 KiB | `BlockFor(10ms)` | `Anonymous` |
/// | `Development` | DEBUG | `Stderr` | `Text` | 256 KiB | `Block` | `Anonymous` |
///
/// | preset | `pin` | `idle` | `publish_every` | `sync` | `urgent_sync` |
/// |---|---|---|---|---|---|
/// | `Production` | `Auto` | `Park` | 5ms | `Every(1s)` | `AtMostEvery(100ms)` |
/// | `Durable` | `Auto` | `Park` | 5ms | `EachBatch` | `Never` |
/// | `LowLatency` | `Auto` | `Spin` | 20ms | `Every(5s)` | `Never` |
/// | `Archive` | `Auto` | `Park` | 5ms | `Every(60s)` | `Never` |
/// | `Container` | `None` | `Park` | 5ms | `Never` | `Never` |
/// | `Development` | `None` | `Park` | 5ms | `Never` | `Never` |
///
/// `Durable` masks passwords in addresses ([`UrlPasswords`](crate::UrlPasswords)), the others show
/// them. All other options have one default, named at their setter.
///
/// ```
/// use fastlog::Preset;
/// assert_eq!("prod".parse(), Ok(Preset::Production));
/// assert!("fast".parse::<Preset>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// A service that writes its log to a file, synced each second. The default.
    #[default]
    Production,
    /// Every batch is synced right after its append. Calls wait for room rather than drop, as long
    /// as the output makes progress.
    Durable,
    /// The shortest calls: rings in shared memory, a collector that spins, records dropped rather
    /// than waited for.
    LowLatency,
    /// For logs that are kept and seldom read: binary, a quarter of JSON's size, and synced each
    /// minute. `fastlog cat` prints them as JSON.
    Archive,
    /// JSON on the standard output, for whoever runs the container to collect.
    Container,
    /// For people at a terminal: coloured text on the standard error, from DEBUG up.
    Development,
}

/// The values that differ from preset to preset.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) level: Level,
    pub(crate) output: Output,
    pub(crate) format: Format,
    pub(crate) ring_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) arena: Arena,
    pub(crate) pin: Pin,
    pub(crate) idle: Idle,
    pub(crate) publish_every: Duration,
    pub(crate) sync: SyncPolicy,
    pub(crate) urgent_sync: UrgentSync,
    pub(crate) url_passwords: UrlPasswords,
}

impl Preset {
    /// What the preset sets: its row of the table.
    pub(crate) const fn row(self) -> Row {
        match self {
            Preset::Production => PRODUCTION,
            Preset::Durable => DURABLE,
            Preset::LowLatency => LOW_LATENCY,
            Preset::Archive => ARCHIVE,
            Preset::Container => CONTAINER,
            Preset::Development => DEVELOPMENT,
        }
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

// The table.
const PRODUCTION: Row = Row {
    level: Level::INFO,
    output: Output::File,
    format: Format::Json,
    ring_bytes: MIB,
    overflow: Overflow::BlockFor(ms(10)),
    arena: Arena::InLogDir,
    pin: Pin::Auto,
    idle: Idle::Park,
    publish_every: ms(5),
    sync: SyncPolicy::Every(ms(1000)),
    urgent_sync: UrgentSync::AtMostEvery(ms(100)),
    url_passwords: UrlPasswords::Shown,
};

const DURABLE: Row = Row {
    level: Level::INFO,
    output: Output::File,
    format: Format::Json,
    ring_bytes: 256 * KIB,
    overflow: Overflow::Block,
    arena: Arena::InLogDir,
    pin: Pin::Auto,
    idle: Idle::Park,
    publish_every: ms(5),
    sync: SyncPolicy::EachBatch,
    urgent_sync: UrgentSync::Never,
    url_passwords: UrlPasswords::Masked,
};

const LOW_LATENCY: Row = Row {
    level: Level::INFO,
    output: Output::File,
    format: Format::Json,
    ring_bytes: MIB,
    overflow: Overflow::Drop,
    arena: Arena::SharedMemory,
    pin: Pin::Auto,
    idle: Idle::Spin,
    publish_every: ms(20),
    sync: SyncPolicy::Every(ms(5000)),
    urgent_sync: UrgentSync::Never,
    url_passwords: UrlPasswords::Shown,
};

const ARCHIVE: Row = Row {
    level: Level::INFO,
    output: Output::File,
    format: Format::Binary,
    ring_bytes: MIB,
    overflow: Overflow::BlockFor(ms(50)),
    arena: Arena::InLogDir,
    pin: Pin::Auto,
    idle: Idle::Park,
    publish_every: ms(5),
    sync: SyncPolicy::Every(ms(60_000)),
    urgent_sync: UrgentSync::Never,
    url_passwords: UrlPasswords::Shown,
};

const CONTAINER: Row = Row {
    level: Level::INFO,
    output: Output::Stdout,
    format: Format::Json,
    ring_bytes: 256 * KIB,
    overflow: Overflow::BlockFor(ms(10)),
    arena: Arena::Anonymous,
    pin: Pin::None,
    idle: Idle::Park,
    publish_every: ms(5),
    sync: SyncPolicy::Never,
    urgent_sync: UrgentSync::Never,
    url_passwords: UrlPasswords::Shown,
};

const DEVELOPMENT: Row = Row {
    level: Level::DEBUG,
    output: Output::Stderr,
    format: Format::Text,
    ring_bytes: 256 * KIB,
    overflow: Overflow::Block,
    arena: Arena::Anonymous,
    pin: Pin::None,
    idle: Idle::Park,
    publish_every: ms(5),
    sync: SyncPolicy::Never,
    urgent_sync: UrgentSync::Never,
    url_passwords: UrlPasswords::Shown,
};

const PRESETS: [Preset; 6] = [
    Preset::Production,
    Preset::Durable,
    Preset::LowLatency,
    Preset::Archive,
    Preset::Container,
    Preset::Development,
];

const SYNONYMS: [(&str, Preset); 7] = [
    ("prod", Preset::Production),
    ("hardened", Preset::Durable),
    ("web", Preset::Container),
    ("fastapi", Preset::Container),
    ("minimal", Preset::Container),
    ("serverless", Preset::Container),
    ("dev", Preset::Development),
];

impl Preset {
    /// The name as a setting has it: `low-latency`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Preset::Production => "production",
            Preset::Durable => "durable",
            Preset::LowLatency => "low-latency",
            Preset::Archive => "archive",
            Preset::Container => "container",
            Preset::Development => "development",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Preset {
    type Err = ConfigError;

    /// Any case; `low_latency` and `LowLatency` are `low-latency`. Understood besides: `prod`;
    /// `hardened` (durable); `web`, `fastapi`, `minimal` and `serverless` (container); `dev`.
    fn from_str(text: &str) -> Result<Preset, ConfigError> {
        let wanted = plain(text.trim());
        PRESETS
            .iter()
            .map(|preset| (preset.as_str(), *preset))
            .chain(SYNONYMS)
            .find(|(name, _)| plain(name) == wanted)
            .map(|(_, preset)| preset)
            .ok_or_else(|| ConfigError::Value {
                option: "preset",
                value: text.to_owned(),
                allowed: format!("one of {}", PRESETS.map(Preset::as_str).join(", ")),
            })
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
