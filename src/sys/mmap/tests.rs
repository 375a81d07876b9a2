//! Tests of `mmap`.

use super::*;
use crate::sys::bus_guard::SigbusGuard;
use proptest::prelude::*;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn file_of(len: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(len).unwrap();
    file
}

/// Without a guard: what a page that cannot be had does then is what is tested here.
fn mapped(file: &File) -> Arc<MappedFile> {
    let file = file.try_clone().unwrap();
    Arc::new(MappedFile::new(file, SigbusGuard::Off).unwrap())
}

fn panics(body: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
}

#[test]
fn a_file_shows_what_its_region_was_given() {
    let page = page_bytes();
    let mut file = file_of(3 * page as u64);
    let region = Region::of_file(&mapped(&file), page as u64, page + 5).unwrap();
    assert_eq!(region.len(), page + 5);
    region.populate(0, region.len()).unwrap();
    region.write_bytes(page, b"hello");
    region.word(8).store(u64::from_ne_bytes(*b"a word !"), Ordering::Relaxed);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(page as u64)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(&bytes[8..16], b"a word !");
    assert_eq!(&bytes[page..page + 8], b"hello\0\0\0");

    file.seek(SeekFrom::Start(page as u64)).unwrap();
    file.write_all(b"from outside").unwrap();
    let mut seen = [0; 12];
    region.read_bytes(0, &mut seen);
    assert_eq!(&seen, b"from outside");
    // SAFETY: the byte is inside the region, and no other thread uses it.
    assert_eq!(unsafe { region.as_ptr().add(5).read() }, b'o');
}

#[test]
fn impossible_maps_are_refused_with_a_sentence() {
    let page = page_bytes();
    let file = file_of(page as u64);
    let refused = |offset: u64, len: usize| {
        let error = Region::of_file(&mapped(&file), offset, len).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        error.to_string()
    };
    assert!(refused(0, page + 1).contains("extend the file first"));
    assert!(refused(page as u64, 1).contains("extend the file first"));
    assert!(refused(u64::MAX / page as u64 * page as u64, page).contains("extend"));
    assert!(refused(0, usize::MAX).contains("extend"));
    assert!(refused(8, 8).contains("multiple"));
    assert!(refused(0, 0).contains("0 bytes"));
    assert_eq!(Region::anonymous(0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(Region::anonymous(usize::MAX).is_err());
}

#[test]
fn ranges_outside_of_the_region_panic() {
    let region = Region::anonymous(100).unwrap();
    for (offset, len) in [(0, 101), (101, 0), (99, 2), (usize::MAX, 1), (1, usize::MAX)] {
        assert!(panics(|| drop(region.populate(offset, len))), "{offset} {len}");
    }
    for offset in [1, 4, 7, 96, 104, usize::MAX - 7] {
        assert!(panics(|| _ = region.word(offset)), "{offset}");
    }
    assert!(panics(|| region.write_bytes(97, b"four")));
    assert!(panics(|| region.read_bytes(97, &mut [0; 4])));
    assert_eq!(region.word(88).load(Ordering::Relaxed), 0);
    region.populate(100, 0).unwrap();
}

#[test]
fn a_file_cut_after_mapping_is_an_error_to_populate() {
    if cfg!(any(not(target_os = "linux"), fastlog_portable)) {
        return;
    }
    let page = page_bytes();
    let file = file_of(2 * page as u64);
    let region = Region::of_file(&mapped(&file), 0, 2 * page).unwrap();
    file.set_len(page as u64).unwrap();
    region.populate(0, page).unwrap();
    let error = region.populate(page, page).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
}

/// For each page of the region, whether it has memory of its own: a page that was only read shows
/// the kernel's page of zeros, which is nobody's own (Documentation/admin-guide/mm/pagemap.rst).
#[cfg(target_os = "linux")]
fn own_pages(region: &Region) -> Vec<bool> {
    const PRESENT_AND_EXCLUSIVE: u64 = 1 << 63 | 1 << 56;
    let page = page_bytes();
    let mut map = File::open("/proc/self/pagemap").unwrap();
    map.seek(SeekFrom::Start((region.as_ptr() as usize / page * WORD_BYTES) as u64)).unwrap();
    let mut entries = vec![0; region.len() / page * WORD_BYTES];
    map.read_exact(&mut entries).unwrap();
    let entries = entries.chunks(WORD_BYTES).map(|e| u64::from_ne_bytes(e.try_into().unwrap()));
    entries.map(|entry| entry & PRESENT_AND_EXCLUSIVE == PRESENT_AND_EXCLUSIVE).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn populate_and_its_fallback_bring_every_page_in_and_change_none() {
    let page = page_bytes();
    for populate in [|region: &Region, at, len| region.populate(at, len).unwrap(), Region::touch] {
        let region = Region::anonymous(8 * page).unwrap();
        let _read_only = region.word(0).load(Ordering::Relaxed);
        assert_eq!(own_pages(&region), [false; 8]);
        // From the last byte of page 1 to the first of page 5.
        populate(&region, 2 * page - 1, 3 * page + 2);
        assert_eq!(own_pages(&region)[1..6], [true; 5]);
        let bytes: Vec<u8> = (0..8 * page).map(|at| (at % 251) as u8).collect();
        region.write_bytes(0, &bytes);
        populate(&region, 0, 8 * page);
        let mut seen = vec![0; 8 * page];
        region.read_bytes(0, &mut seen);
        assert!(seen == bytes);
    }
}

/// Mounts a file system of `size` on `path`, seen by the calling thread alone.
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn mount_tmpfs(path: &std::path::Path, size: &str) -> io::Result<()> {
    let at = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let options = std::ffi::CString::new(format!("size={size}")).unwrap();
    let done = |answer: libc::c_int| match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    let (nothing, data) = (std::ptr::null(), options.as_ptr().cast());
    let private = libc::MS_PRIVATE | libc::MS_REC;
    // SAFETY: all strings end in zero and live through the calls; what they change is this
    // thread's view of the mounts, which ends with the thread.
    unsafe {
        done(libc::unshare(libc::CLONE_NEWNS))?;
        done(libc::mount(nothing, c"/".as_ptr(), nothing, private, nothing.cast()))?;
        done(libc::mount(c"none".as_ptr(), at.as_ptr(), c"tmpfs".as_ptr(), 0, data))
    }
}

#[test]
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn a_hole_on_a_full_file_system_is_an_error_to_populate() {
    let dir = tempfile::tempdir().unwrap();
    let test = || {
        if let Err(error) = mount_tmpfs(dir.path(), "64k") {
            println!("skipped: cannot mount a tmpfs here ({error})");
            return;
        }
        let file = tempfile::tempfile_in(dir.path()).unwrap();
        file.set_len(1 << 20).unwrap();
        let region = Region::of_file(&mapped(&file), 0, 1 << 20).unwrap();
        region.populate(0, 32 << 10).unwrap();
        let error = region.populate(0, 1 << 20).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
        assert!(!region.lock_in_memory());
        region.write_bytes(100, b"what fitted is there");
    };
    std::thread::scope(|scope| scope.spawn(test).join().unwrap());
}

#[test]
fn locking_is_best_effort() {
    let region = Region::anonymous(page_bytes()).unwrap();
    let is_locked = region.lock_in_memory();
    assert!(!is_locked || cfg!(all(target_os = "linux", not(fastlog_portable))));
    region.write_bytes(3, b"still works");
}

#[test]
fn neighbouring_bytes_of_one_word_are_written_side_by_side() {
    const ROUNDS: u32 = 20_000;
    let region = Region::anonymous(16).unwrap();
    std::thread::scope(|scope| {
        for (offset, len) in [(0, 3), (3, 7), (10, 6)] {
            let region = &region;
            scope.spawn(move || {
                let mut seen = vec![0; len];
                for round in 0..ROUNDS {
                    let bytes = vec![round as u8; len];
                    region.write_bytes(offset, &bytes);
                    region.read_bytes(offset, &mut seen);
                    assert_eq!(seen, bytes);
                }
            });
        }
    });
}

proptest! {
    #[test]
    fn writes_are_those_of_a_byte_vector(
        steps in prop::collection::vec(
            (0usize..77, prop::collection::vec(any::<u8>(), 0..40)), 1..20,
        ),
    ) {
        let region = Region::anonymous(77).unwrap();
        let mut model = vec![0u8; 77];
        for (offset, bytes) in &steps {
            let len = bytes.len().min(77 - offset);
            region.write_bytes(*offset, &bytes[..len]);
            model[*offset..offset + len].copy_from_slice(&bytes[..len]);
            let mut all = vec![0xEE; 77];
            region.read_bytes(0, &mut all);
            prop_assert_eq!(&all, &model);
            let mut part = vec![0xEE; len];
            region.read_bytes(*offset, &mut part);
            prop_assert_eq!(&part, &model[*offset..offset + len]);
        }
    }
}
