//! An arena's header, checked before anything of it is used.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::arena::layout::{
    COUNTERS_AT, DIRECTORY_BYTES_MAX, MAGIC, NAME_BYTES_MAX, PAGE, RINGS_AT, VERSION, header,
    ring_stride,
};
use crate::sys::process;

/// The header and the counters' page behind it.
pub(super) const FIXED_BYTES: usize = COUNTERS_AT + PAGE;

/// Rings of an arena, and sizes of theirs, at most: what `Config` allows, in bytes where it is one.
const RINGS_MAX: u64 = 4096;
const RING_BYTES_MAX: u64 = 64 << 20;
const RECORD_BYTES_MAX: u64 = 32 << 10;

/// What the numbers of the formats and of the outputs mean, from 1 on.
const FORMATS: [&str; 4] = ["json", "text", "logfmt", "binary"];
const OUTPUTS: [&str; 4] = ["file", "stdout", "stderr", "none"];
const UNKNOWN: &str = "unknown";

/// What a header says, all of it possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) pid: u64,
    start_time: u64,
    boot_id: [u8; 16],
    pub(super) ring_bytes: usize,
    pub(super) record_bytes: usize,
    /// Rings whose blocks are allocated.
    pub(super) rings: u64,
    pub(super) name: String,
    file_name: PathBuf,
    pub(super) directory: PathBuf,
    format: u64,
    output: u64,
}

/// The word at an offset; 0 where the bytes end before.
pub(super) fn word(bytes: &[u8], offset: usize) -> u64 {
    let word = bytes.get(offset..offset + 8).and_then(|word| word.try_into().ok());
    u64::from_le_bytes(word.unwrap_or_default())
}

impl Header {
    /// Reads the beginning of a file.
    ///
    /// # Errors
    /// Why it is no arena's, as a sentence.
    pub(super) fn parse(bytes: &[u8]) -> Result<Header, String> {
        if bytes.len() < FIXED_BYTES {
            let len = bytes.len();
            return Err(format!("it ends after {len} bytes, within its header"));
        }
        match word(bytes, header::MAGIC) {
            MAGIC => {}
            0 => return Err("its header was never completed".to_owned()),
            _ => return Err("it does not begin as an arena does".to_owned()),
        }
        let version = word(bytes, header::VERSION);
        if version != VERSION {
            return Err(format!("its version is {version}, and {VERSION} is what is known here"));
        }
        let ring_bytes = size(bytes, header::RING_BYTES, RING_BYTES_MAX)?;
        let record_bytes = size(bytes, header::RECORD_BYTES, RECORD_BYTES_MAX)?;
        let stride = word(bytes, header::RING_STRIDE);
        let rings = word(bytes, header::RINGS);
        let is_whole = ring_bytes.is_power_of_two()
            && record_bytes < ring_bytes
            && stride == ring_stride(ring_bytes, record_bytes) as u64
            && word(bytes, header::RINGS_AT) == RINGS_AT as u64
            && rings <= RINGS_MAX;
        if !is_whole {
            return Err("its header is damaged: sizes that no engine has".to_owned());
        }
        let mut boot_id = [0; 16];
        boot_id.copy_from_slice(&bytes[header::BOOT_ID..][..16]);
        Ok(Header {
            pid: word(bytes, header::PID),
            start_time: word(bytes, header::START_TIME),
            boot_id,
            ring_bytes,
            record_bytes,
            rings,
            name: String::from_utf8_lossy(text(bytes, header::NAME, NAME_BYTES_MAX)?).into_owned(),
            file_name: path(text(bytes, header::FILE_NAME, NAME_BYTES_MAX)?),
            directory: path(text(bytes, header::DIRECTORY, DIRECTORY_BYTES_MAX)?),
            format: word(bytes, header::FORMAT),
            output: word(bytes, header::OUTPUT),
        })
    }

    /// Whether the process lives, as far as the numbers of processes are seen from here.
    pub(super) fn is_alive(&self) -> bool {
        let start_time = u32::try_from(self.pid).ok().and_then(process::start_time_of);
        self.start_time != 0
            && start_time == Some(self.start_time)
            && self.boot_id == process::boot_id()
    }

    pub(super) fn format(&self) -> &'static str {
        named(&FORMATS, self.format)
    }

    pub(super) fn output(&self) -> &'static str {
        named(&OUTPUTS, self.output)
    }

    /// The visible log, where there is one.
    pub(super) fn log_path(&self) -> Option<PathBuf> {
        if self.output() != OUTPUTS[0] || self.file_name == Path::new("") {
            return None;
        }
        Some(self.directory.join(&self.file_name))
    }
}

fn named(names: &[&'static str], number: u64) -> &'static str {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| names.get(index)).copied().unwrap_or(UNKNOWN)
}

/// A size in granules.
fn size(bytes: &[u8], offset: usize, max: u64) -> Result<usize, String> {
    let size = word(bytes, offset);
    if size == 0 || size % 8 != 0 || size > max {
        return Err("its header is damaged: sizes that no engine has".to_owned());
    }
    Ok(size as usize)
}

/// Length and bytes.
fn text(bytes: &[u8], offset: usize, max: usize) -> Result<&[u8], String> {
    let len = usize::try_from(word(bytes, offset)).ok().filter(|len| *len <= max);
    let len = len.ok_or_else(|| "its header is damaged: a name without end".to_owned())?;
    Ok(&bytes[offset + 8..][..len])
}

fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}
