//! When the log goes on in a new file, and how long old files stay. The setters; `settings` checks
//! what they are given.

use std::time::Duration;

use super::Config;

/// When the log goes on in a new file, besides [`Config::rotate_bytes`].
///
/// Decided when lines are appended: a log that nobody writes to is not rotated, and an empty file
/// never is. Times are those of [`Config::rotate_in`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotate {
    /// Not by time.
    Never,
    /// With the first lines of an hour.
    Hourly,
    /// With the first lines after midnight.
    Daily,
}

/// Whose midnights and hours [`Rotate`] means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotateZone {
    /// Those of UTC.
    #[default]
    Utc,
    /// Those of this machine's time zone: the variable `TZ`, else `/etc/localtime`. Needs the
    /// feature `local-time`.
    ///
    /// Looked up when the engine starts; a later change counts from the next start on. Where clocks
    /// are put forward or back, a day has 23 or 25 hours, and the hour that is repeated is one file
    /// of two hours.
    #[cfg(feature = "local-time")]
    Local,
}

/// Whether rotated files are compressed. Needs the feature `compress`.
///
/// A thread of its own does it, `fastlog-packer`, which is there only meanwhile: on Linux of nice
/// 19 and the idle I/O class, so that neither the program nor a sync waits for it. A file that
/// cannot be compressed stays as it is; `stats().keeper_failures()` counts.
#[cfg(feature = "compress")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// No.
    None,
    /// `<name>-<start>-<number>.jsonl.zst` (RFC 8878), level 3.
    Zstd,
    /// `<name>-<start>-<number>.jsonl.gz` (RFC 1952), level 6.
    Gzip,
}

#[cfg(feature = "compress")]
impl Compression {
    /// What a compressed file's name ends with; none where nothing is compressed.
    pub(crate) fn suffix(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Zstd => Some(".zst"),
            Compression::Gzip => Some(".gz"),
        }
    }
}

/// What was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    pub(crate) bytes: u64,
    pub(crate) period: Rotate,
    pub(crate) zone: RotateZone,
    /// Of a binary log.
    pub(crate) segment_age: Duration,
}

/// What was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
    pub(crate) free_bytes: u64,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Rotation {
    pub(super) const DEFAULT: Rotation = Rotation {
        bytes: 256 << 20,
        period: Rotate::Daily,
        zone: RotateZone::Utc,
        segment_age: Duration::from_secs(60),
    };
}

impl Retention {
    pub(super) const DEFAULT: Retention = Retention {
        files: 100_000,
        bytes: 2 << 30,
        age: Duration::from_secs(30 * DAY.as_secs()),
        free_bytes: 1 << 30,
    };
}

impl Config {
    /// The most that one log file may hold, in bytes: lines that would not fit go to a new one. The
    /// full file keeps its lines under a name of its own, `<name>-<start>-<number>.jsonl`.
    ///
    /// 64 KiB to 1 TiB. Default: 256 MiB. Only a line that is longer by itself makes a file longer,
    /// a rotation that fails, and a device that is slower than the log: once 16 files wait for
    /// their sync, it goes on in the present one. [`rotate`](Config::rotate) adds to it.
    pub fn rotate_bytes(mut self, bytes: u64) -> Config {
        self.rotation.bytes = bytes;
        self
    }

    /// When the log goes on in a new file whatever its size.
    ///
    /// Default: [`Rotate::Daily`].
    pub fn rotate(mut self, period: Rotate) -> Config {
        self.rotation.period = period;
        self
    }

    /// Whose midnights and hours [`rotate`](Config::rotate) means.
    ///
    /// Default: [`RotateZone::Utc`]. The names of files and the times in them are UTC whatever this
    /// is. A start with `RotateZone::Local` fails where the time zone cannot be found out.
    pub fn rotate_in(mut self, zone: RotateZone) -> Config {
        self.rotation.zone = zone;
        self
    }

    /// How long after its first record a segment of a binary log ends, full or not. Such a log goes
    /// on in a new file only where a segment begins, so that this is how late it may be rotated.
    ///
    /// 10 ms to 24 h. Default: 60 s. Each segment begins with what its records have in common, some
    /// hundred bytes. Without [`Format::Binary`](crate::Format::Binary) it has no effect.
    pub fn segment_age(mut self, age: Duration) -> Config {
        self.rotation.segment_age = age;
        self
    }

    /// How many rotated files stay; the oldest go first.
    ///
    /// 0 to 100,000. Default: 100,000. All `retain_*` options hold at once, for all files of the
    /// name, those of second engines ([`InUse::Suffix`](crate::InUse::Suffix)) and compressed ones
    /// as well. The oldest is the one of the lowest number, whatever its date is. Each that goes is
    /// told in the log, with its name, its length and the option that asked for it; where more than
    /// 100 go at once, those beyond are told together, one record for each run of one option.
    ///
    /// Never removed are the file that is being written, and what was there under the log's name
    /// before its first engine: that is rotated as number `000000`, and counts for nothing. Nor is
    /// the newest rotated file, so that a limit which is too low for one does not cost all history:
    /// only 0 here lets it go.
    pub fn retain_files(mut self, files: usize) -> Config {
        self.retention.files = files;
        self
    }

    /// How many bytes of the disk all files of the name may take, the one that is being written
    /// included.
    ///
    /// 0 to 1 PiB. Default: 2 GiB. Looked at after each rotation and once a minute, so that the
    /// files may take as much as one more of [`rotate_bytes`](Config::rotate_bytes) for a while.
    /// Not more than that, it leaves of full files the newest alone.
    pub fn retain_bytes(mut self, bytes: u64) -> Config {
        self.retention.bytes = bytes;
        self
    }

    /// How long rotated files stay after their last line was written; the newest stays longer.
    ///
    /// 1 s to 100 years. Default: 30 days. A date before 2020 or in the future, as a clock that was
    /// wrong leaves it, counts as that of the file before.
    pub fn retain_age(mut self, age: Duration) -> Config {
        self.retention.age = age;
        self
    }

    /// Whether rotated files are compressed.
    ///
    /// Default: [`Compression::None`]. Compressed files count for the `retain_*` options with their
    /// compressed length. Rotated files that a former process left are compressed as well, those of
    /// engines that found the name in use are not, nor is number `000000`.
    #[cfg(feature = "compress")]
    pub fn compress(mut self, compression: Compression) -> Config {
        self.compression = compression;
        self
    }

    /// How many bytes of the disk stay free: rotated files go, the oldest first, while less is, and
    /// no blocks are reserved ahead. Lines are appended all the same until the disk is full.
    ///
    /// 0 to 1 PiB. Default: 1 GiB. Never more than a twentieth of the disk. Half of
    /// [`retain_bytes`](Config::retain_bytes), or of the disk where that is smaller, stays: a disk
    /// that others fill takes all that is freed. A warning in the log says so then.
    pub fn keep_free_bytes(mut self, bytes: u64) -> Config {
        self.retention.free_bytes = bytes;
        self
    }
}
