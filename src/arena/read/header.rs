//! An arena's header, checked before anything of it is used.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::Unfit;
use crate::arena::layout::{
    COUNTERS_AT, DIRECTORY_BYTES_MAX, EngineState, MAGIC, NAME_BYTES_MAX, PAGE, RINGS_AT, VERSION,
    header, ring_stride,
};
use crate::envelope::RECORD_BYTES_MAX;
use crate::sys::process;

/// The header and the counters' page behind it.
pub(crate) const FIXED_BYTES: usize = COUNTERS_AT + PAGE;

/// Rings of an arena, and their size, at most: what `Config` allows.
const RINGS_MAX: u64 = 4096;
const RING_BYTES_MAX: u64 = 64 << 20;

/// What the numbers of the formats and of the outputs mean, from 1 on.
#[cfg(feature = "cli")]
const FORMATS: [&str; 4] = ["json", "text", "logfmt", "binary"];
const OUTPUTS: [&str; 4] = ["file", "stdout", "stderr", "none"];
const UNKNOWN: &str = "unknown";

const SIZES: &str = "its header is damaged: sizes that no engine has";

/// What a header says, all of it possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Random; segments carry it.
    pub(crate) id: u64,
    /// The process, in its own namespace.
    pub(crate) pid: u64,
    /// When it started, in clock ticks since boot.
    pub(crate) start_time: u64,
    pub(crate) boot_id: [u8; 16],
    /// How its engine ended; none where that is nothing known here.
    pub(crate) state: Option<EngineState>,
    pub(crate) ring_bytes: usize,
    pub(crate) record_bytes: usize,
    /// Rings whose blocks are allocated.
    pub(crate) rings: u64,
    /// The engine's name.
    pub(crate) name: String,
    /// The name, or the one with a suffix that is used instead.
    pub(crate) base: String,
    /// The visible file's name within its directory; empty for consoles.
    pub(crate) file_name: PathBuf,
    /// The log's directory, absolute; empty for consoles.
    pub(crate) directory: PathBuf,
    /// In the numbers of the layout.
    pub(crate) format: u64,
    pub(crate) details: u64,
    pub(crate) output: u64,
    pub(crate) colour: u64,
    /// Where a rendered message is cut, in bytes.
    pub(crate) message_max: usize,
    /// Whether passwords in addresses are masked.
    pub(crate) masks_url_passwords: bool,
}

/// The word at an offset; 0 where the bytes end before.
pub(crate) fn word(bytes: &[u8], offset: usize) -> u64 {
    let word = bytes.get(offset..offset + 8).and_then(|word| word.try_into().ok());
    u64::from_le_bytes(word.unwrap_or_default())
}

impl Header {
    /// Reads the beginning of a file.
    ///
    /// # Errors
    /// Why it is no arena's.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Header, Unfit> {
        if bytes.len() < header::VERSION + 8 {
            // Its process may have died before the file had any blocks.
            let is_unused = bytes.iter().all(|byte| *byte == 0);
            return Err(if is_unused { Unfit::Unused } else { too_short(bytes) });
        }
        match word(bytes, header::MAGIC) {
            MAGIC => {}
            0 => return Err(Unfit::Unused),
            _ => return Err(damaged("it does not begin as an arena does")),
        }
        let version = word(bytes, header::VERSION);
        if version != VERSION {
            return Err(Unfit::Version(version));
        }
        if bytes.len() < FIXED_BYTES {
            return Err(too_short(bytes));
        }
        let ring_bytes = size(bytes, header::RING_BYTES, RING_BYTES_MAX)?;
        let record_bytes = size(bytes, header::RECORD_BYTES, RECORD_BYTES_MAX as u64)?;
        let stride = word(bytes, header::RING_STRIDE);
        let rings = word(bytes, header::RINGS);
        let message_max = word(bytes, header::MESSAGE_MAX);
        let is_whole = ring_bytes.is_power_of_two()
            && record_bytes < ring_bytes
            && stride == ring_stride(ring_bytes, record_bytes) as u64
            && word(bytes, header::RINGS_AT) == RINGS_AT as u64
            && rings <= RINGS_MAX
            && message_max <= RECORD_BYTES_MAX as u64;
        if !is_whole {
            return Err(damaged(SIZES));
        }
        let mut boot_id = [0; 16];
        boot_id.copy_from_slice(&bytes[header::BOOT_ID..][..16]);
        Ok(Header {
            id: word(bytes, header::ARENA_ID),
            pid: word(bytes, header::PID),
            start_time: word(bytes, header::START_TIME),
            boot_id,
            state: state(word(bytes, header::STATE)),
            ring_bytes,
            record_bytes,
            rings,
            name: name(bytes, header::NAME)?,
            base: name(bytes, header::BASE)?,
            file_name: path(text(bytes, header::FILE_NAME, NAME_BYTES_MAX)?),
            directory: path(text(bytes, header::DIRECTORY, DIRECTORY_BYTES_MAX)?),
            format: word(bytes, header::FORMAT),
            details: word(bytes, header::DETAILS),
            output: word(bytes, header::OUTPUT),
            colour: word(bytes, header::COLOUR),
            message_max: message_max as usize,
            masks_url_passwords: word(bytes, header::URL_PASSWORDS) != 0,
        })
    }

    /// Whether the process lives, as far as the numbers of processes are seen from here.
    #[cfg(feature = "cli")]
    pub(crate) fn is_alive(&self) -> bool {
        let start_time = u32::try_from(self.pid).ok().and_then(process::start_time_of);
        self.start_time != 0
            && start_time == Some(self.start_time)
            && self.boot_id == process::boot_id()
    }

    /// Whether it ran since the machine was booted last.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.boot_id == process::boot_id()
    }

    #[cfg(feature = "cli")]
    pub(crate) fn format_name(&self) -> &'static str {
        named(&FORMATS, self.format)
    }

    pub(crate) fn output_name(&self) -> &'static str {
        named(&OUTPUTS, self.output)
    }

    /// The visible log, where there is one.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn log_path(&self) -> Option<PathBuf> {
        if self.output_name() != OUTPUTS[0] || self.file_name.as_os_str().is_empty() {
            return None;
        }
        Some(self.directory.join(&self.file_name))
    }
}

fn damaged(why: &str) -> Unfit {
    Unfit::Damaged(why.to_owned())
}

fn too_short(bytes: &[u8]) -> Unfit {
    Unfit::Damaged(format!("it ends after {} bytes, within its header", bytes.len()))
}

fn state(number: u64) -> Option<EngineState> {
    [EngineState::Live, EngineState::Drained].into_iter().find(|state| *state as u64 == number)
}

fn named(names: &[&'static str], number: u64) -> &'static str {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| names.get(index)).copied().unwrap_or(UNKNOWN)
}

/// A size in granules.
fn size(bytes: &[u8], offset: usize, max: u64) -> Result<usize, Unfit> {
    let size = word(bytes, offset);
    if size == 0 || size % 8 != 0 || size > max {
        return Err(damaged(SIZES));
    }
    Ok(size as usize)
}

/// Length and bytes.
fn text(bytes: &[u8], offset: usize, max: usize) -> Result<&[u8], Unfit> {
    let len = usize::try_from(word(bytes, offset)).ok().filter(|len| *len <= max);
    let len = len.ok_or_else(|| damaged("its header is damaged: a name without end"))?;
    Ok(&bytes[offset + 8..][..len])
}

/// An engine's name: it is text.
fn name(bytes: &[u8], offset: usize) -> Result<String, Unfit> {
    let name = std::str::from_utf8(text(bytes, offset, NAME_BYTES_MAX)?);
    name.map(str::to_owned).map_err(|_| damaged("its header is damaged: a name that is no text"))
}

fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}
