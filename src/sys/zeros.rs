//! Zeros for a part of a file that holds nothing yet and is to be mapped. Any thread.

use std::fs::File;
use std::io;

use super::write_signals::WriteSignalsHeld;

/// The smallest page of any system.
const PAGE_BYTES: usize = 4096;
/// A page cache takes what comes in one call as one piece. Static, as whoever needs zeros may have
/// a small stack and must not allocate.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
const PAGES_AT_ONCE: usize = 16;

static PAGE: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// Writes `len` zeros from `offset`, so that the file's pages are in memory.
///
/// To be done before pages are mapped and populated: where blocks are allocated but were never
/// written, the kernel otherwise makes each page by a fault of its own. With both, 1 MiB takes
/// 0.24 ms, without the zeros 0.9 to 2.5 (ext4, Linux 6.18, AMD EPYC). No difference on tmpfs.
///
/// # Errors
/// The system's.
pub(crate) fn write_zeros(file: &File, offset: u64, len: usize) -> io::Result<()> {
    let _held = WriteSignalsHeld::hold();
    let mut done = 0;
    while done < len {
        done += write_some(file, offset + done as u64, len - done)?;
    }
    Ok(())
}

/// One call's worth, `most` at most; how much.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn write_some(file: &File, offset: u64, most: usize) -> io::Result<usize> {
    use std::io::IoSlice;

    let first = &PAGE[..most.min(PAGE_BYTES)];
    let pages = (most / PAGE_BYTES).clamp(1, PAGES_AT_ONCE);
    let slices = [IoSlice::new(first); PAGES_AT_ONCE];
    match rustix::io::pwritev(file, &slices[..pages], offset) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(rustix::io::Errno::INTR) => Ok(0),
        outcome => Ok(outcome?),
    }
}

#[cfg(not(all(target_os = "linux", not(fastlog_portable))))]
fn write_some(file: &File, offset: u64, most: usize) -> io::Result<usize> {
    let len = most.min(PAGE_BYTES);
    std::os::unix::fs::FileExt::write_all_at(file, &PAGE[..len], offset)?;
    Ok(len)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn exactly_what_was_asked_for_is_zero() {
        for (offset, len) in
            [(0, 0), (1, 1), (100, 4096), (4096, 65_536), (5, 70_000), (8, 131_073)]
        {
            let file = tempfile::tempfile().expect("a file");
            let before = vec![7; 200_000];
            file.write_all_at(&before, 0).expect("room");
            write_zeros(&file, offset, len).expect("room");
            let mut after = vec![1; before.len()];
            file.read_exact_at(&mut after, 0).expect("all of it");
            let from = offset as usize;
            assert!(after[..from].iter().chain(&after[from + len..]).all(|byte| *byte == 7));
            assert!(after[from..from + len].iter().all(|byte| *byte == 0), "{offset} {len}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let file = File::open("/dev/null").expect("it is there");
        assert!(write_zeros(&file, 0, 1).is_err(), "opened for reading");
    }
}
