//! Tests of the guard. What a process cannot undo runs in one of its own.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::sys::mapped_file::MappedFile;
use crate::sys::mmap::Region;
use crate::sys::process::page_bytes;
use crate::sys::rerun;

const PAGES: usize = 8;

/// A guarded file of some pages, each of which is full of its number, and a descriptor beside it.
fn guarded() -> (Arc<MappedFile>, Region, File) {
    let page = page_bytes();
    let file = tempfile::tempfile().expect("a file");
    for n in 0..PAGES {
        let bytes = vec![n as u8 + 1; page];
        file.write_all_at(&bytes, (n * page) as u64).expect("room");
    }
    let other = file.try_clone().expect("a descriptor");
    let mapped = Arc::new(MappedFile::new(file, SigbusGuard::Install).expect("a file"));
    let region = Region::of_file(&mapped, 0, PAGES * page).expect("a mapping");
    region.witness();
    (mapped, region, other)
}

/// The first byte of each page.
fn firsts(region: &Region) -> Vec<u8> {
    let page = page_bytes();
    (0..PAGES).map(|n| region.word(n * page).load(Ordering::Relaxed) as u8).collect()
}

#[test]
fn what_lies_behind_a_cut_becomes_zeros_and_the_rest_stays() {
    let (mapped, region, file) = guarded();
    assert!(region.is_intact() && mapped.faults() == 0);
    file.set_len(3 * page_bytes() as u64).expect("cut");
    assert_eq!(firsts(&region), [1, 2, 3, 0, 0, 0, 0, 0]);
    assert_eq!(mapped.faults(), 1, "all of it at once");
    assert!(!region.is_intact());
    // It is memory as any other now.
    region.word(5 * page_bytes()).store(7, Ordering::Relaxed);
    assert_eq!(firsts(&region), [1, 2, 3, 0, 0, 7, 0, 0]);
    file.set_len(0).expect("cut");
    assert_eq!(firsts(&region), [0, 0, 0, 0, 0, 7, 0, 0], "the later memory is kept");
    assert_eq!(mapped.faults(), 2);
}

/// Nothing faults then: the last word tells.
#[test]
fn a_file_that_was_cut_and_grew_again_is_not_intact() {
    let (mapped, region, file) = guarded();
    let len = (PAGES * page_bytes()) as u64;
    file.set_len(len - 1).expect("cut");
    file.set_len(len).expect("grown");
    assert!(!region.is_intact());
    assert_eq!((firsts(&region).len(), mapped.faults()), (PAGES, 0));
    region.leave_file().expect("memory");
    assert_eq!(firsts(&region), [0; PAGES]);
    assert!(region.is_intact() && !region.is_of_file());
}

#[test]
fn many_threads_with_one_fault_lose_no_store() {
    let (_mapped, region, file) = guarded();
    for turn in 0..50 {
        file.set_len(0).expect("cut");
        let word = |thread: usize| region.word(thread * 8);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || word(thread).store(turn + 1, Ordering::Relaxed));
            }
        });
        let stored: Vec<u64> = (0..4).map(|n| word(n).load(Ordering::Relaxed)).collect();
        assert_eq!(stored, [turn + 1; 4]);
    }
}

#[test]
fn slots_are_found_left_and_taken_again() {
    let (mapped, region, _file) = guarded();
    let start = region.as_ptr() as usize;
    let slot = table::find(start + 5).expect("entered");
    assert!(std::ptr::eq(slot, table::find(start + region.len() - 1).expect("entered")));
    assert!(table::find(start + region.len()).is_none_or(|other| !std::ptr::eq(slot, other)));
    // More than one chunk holds.
    let far = usize::MAX / 2;
    let slots: Vec<_> = (0..200).map(|n| table::register(far + n * 10, 10, &mapped, 0)).collect();
    for (n, slot) in slots.iter().enumerate() {
        assert!(std::ptr::eq(*slot, table::find(far + n * 10 + 9).expect("entered")));
    }
    slots.iter().for_each(|slot| slot.leave());
    assert!(table::find(far).is_none());
}

static CALLS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: libc::c_int) {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// Somebody else's signal, sent and not caused.
#[test]
fn what_is_not_ours_goes_to_who_was_there_before() {
    let test = "sys::bus_guard::tests::what_is_not_ours_goes_to_who_was_there_before";
    let Some(role) = rerun::role() else {
        for (role, is_killed) in [("handler", false), ("ignored", false), ("default", true)] {
            let output = rerun::command(test, role).output().expect("a child");
            assert_eq!(output.status.success(), !is_killed, "{role}: {output:?}");
        }
        return;
    };
    let before = match role.as_str() {
        "handler" => count as *const () as usize,
        "ignored" => libc::SIG_IGN,
        _ => libc::SIG_DFL,
    };
    // SAFETY: a function that only counts, or one of the two constants.
    unsafe { libc::signal(libc::SIGBUS, before) };
    let (_mapped, region, file) = guarded();
    // SAFETY: sends a signal to this thread.
    let raise = || assert_eq!(unsafe { libc::raise(libc::SIGBUS) }, 0);
    raise();
    file.set_len(0).expect("cut");
    assert_eq!(firsts(&region), [0; PAGES], "ours are ours");
    assert!(!is_replaced());
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGBUS, count as *const () as usize) };
    assert!(is_replaced());
    raise();
    assert_eq!(CALLS.load(Ordering::Relaxed), if role == "handler" { 2 } else { 1 });
}
