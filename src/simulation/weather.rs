//! What goes wrong with the simulated disk: which calls fail, how, and how often.

use std::collections::BTreeMap;
use std::io;

use super::random::Random;

/// The calls of the engine that can fail by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Open,
    Create,
    Append,
    Read,
    Sync,
    SyncDir,
    Reserve,
    FreeBehindEnd,
    Fstat,
    Stat,
    List,
    Space,
    Link,
    Rename,
    Unlink,
    MakeDir,
    Attributes,
}

/// Numbers of Linux.
const EPERM: i32 = 1;
const EINTR: i32 = 4;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const EMFILE: i32 = 24;
const EFBIG: i32 = 27;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EOPNOTSUPP: i32 = 95;
const EDQUOT: i32 = 122;

impl Call {
    fn errors(self) -> &'static [i32] {
        match self {
            Call::Open => &[EMFILE, EACCES, EIO, EINTR],
            Call::Create => &[EMFILE, EACCES, EIO, ENOSPC, EROFS],
            Call::Append => &[EIO, ENOSPC, EFBIG, EDQUOT, EINTR, EROFS],
            Call::Read | Call::Fstat | Call::Space => &[EIO],
            Call::Sync => &[EIO, ENOSPC, EDQUOT],
            Call::SyncDir => &[EIO, ENOSPC, EMFILE],
            Call::Reserve => &[ENOSPC, EOPNOTSUPP, EDQUOT],
            Call::FreeBehindEnd => &[EIO, EAGAIN],
            Call::Stat => &[EIO, EACCES],
            Call::List => &[EIO, EMFILE],
            Call::Link => &[EIO, ENOSPC, EPERM, EROFS],
            Call::Rename => &[EIO, ENOSPC, EROFS],
            Call::Unlink => &[EIO, EBUSY, EROFS],
            Call::MakeDir => &[EACCES, ENOSPC, EROFS],
            Call::Attributes => &[EPERM],
        }
    }
}

const EAGAIN: i32 = 11;

/// How the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing goes wrong.
    Fair,
    /// So many of a thousand calls fail, of whatever kind.
    Rough(u64),
    /// So many of a thousand calls of this kind fail.
    Only(Call, u64),
    /// Nothing more fits.
    Full,
}

impl Weather {
    pub(super) fn of(random: &mut Random) -> Weather {
        const KINDS: [Call; 7] = [
            Call::Append,
            Call::Sync,
            Call::SyncDir,
            Call::Rename,
            Call::Link,
            Call::Create,
            Call::Fstat,
        ];
        match random.within(0..10) {
            0..5 => Weather::Fair,
            5..7 => Weather::Rough(random.within(5..200)),
            7..9 => Weather::Only(*random.pick(&KINDS), random.within(100..1001)),
            _ => Weather::Full,
        }
    }

    /// The error with which a call fails, if it does.
    fn error(self, call: Call, random: &mut Random) -> Option<i32> {
        let fails = match self {
            Weather::Fair => false,
            Weather::Rough(chance) => random.permille(chance),
            Weather::Only(kind, chance) => kind == call && random.permille(chance),
            Weather::Full => return call.errors().iter().find(|error| **error == ENOSPC).copied(),
        };
        fails.then(|| *random.pick(call.errors()))
    }

    /// How many of so many bytes an append takes that does not fail.
    pub(super) fn taken(self, bytes: usize, random: &mut Random) -> usize {
        let is_short = match self {
            Weather::Rough(chance) => random.permille(chance),
            Weather::Only(Call::Append, _) => random.permille(500),
            _ => false,
        };
        if is_short { random.within(0..bytes as u64 + 1) as usize } else { bytes }
    }
}

/// Counts the calls that failed, since it was asked last.
#[derive(Debug, Default)]
pub(super) struct Failed(BTreeMap<Call, u64>);

impl Failed {
    /// Lets the call fail, if the weather says so.
    pub(super) fn consider(
        &mut self,
        weather: Weather,
        call: Call,
        random: &mut Random,
    ) -> io::Result<()> {
        let Some(error) = weather.error(call, random) else { return Ok(()) };
        self.note(call);
        Err(io::Error::from_raw_os_error(error))
    }

    pub(super) fn note(&mut self, call: Call) {
        *self.0.entry(call).or_default() += 1;
    }

    pub(super) fn of(&self, call: Call) -> u64 {
        self.0.get(&call).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}
