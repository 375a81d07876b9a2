//! Tests of `process`.

use super::super::rerun;
use super::*;
use proptest::prelude::*;
use std::io::{BufRead, BufReader};

#[test]
fn start_time_is_found_behind_any_name() {
    let fields = "S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345678 1000 200 9999\n";
    let hostile: [&[u8]; 6] =
        [b"app", b"a b", b"a) S 1 (b", b")", b")))) 1 2 3 ((", b"\xff\xfe\n1 2"];
    for name in hostile {
        let stat = [b"77 (", name, b") ", fields.as_bytes()].concat();
        assert_eq!(start_time_in(&stat), Some(12_345_678), "{name:?}");
    }
    for broken in
        ["", ")", "1 (a", "1 (a) S 1 2 3", "1 (a) S 1 2 3 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 x"]
    {
        assert_eq!(start_time_in(broken.as_bytes()), None, "{broken:?}");
    }
}

#[test]
fn a_process_that_is_dead_but_for_its_number_has_no_start_time() {
    let stat = |state: &str, threads: u32, memory: u64| {
        let text = format!(
            "77 (a) {state} 1 2 3 0 -1 4 1 2 3 4 5 6 7 8 20 0 {threads} 0 1234 {memory} 200"
        );
        start_time_in(text.as_bytes())
    };
    assert_eq!([stat("S", 1, 4096), stat("R", 3, 4096)], [Some(1234); 2]);
    assert_eq!([stat("Z", 1, 0), stat("X", 0, 0), stat("R", 1, 0)], [None; 3]);
    assert_eq!(stat("Z", 3, 0), Some(1234), "its first thread has ended, others run");
}

#[test]
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn a_killed_child_is_dead_before_anybody_asks_for_it() {
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().expect("it starts");
    let of_child = || start_time_of(child.id());
    assert!(of_child().is_some_and(|start| start >= start_time()));
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(child.id() as i32).expect("a number"),
        rustix::process::Signal::KILL,
    )
    .expect("killed");
    let start = std::time::Instant::now();
    while of_child().is_some() {
        assert!(start.elapsed().as_secs() < 60, "it lives on");
        std::thread::yield_now();
    }
    assert!(std::path::Path::new(&format!("/proc/{}", child.id())).exists());
    child.wait().expect("ours");
}

#[test]
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn processes_are_told_apart() {
    assert_ne!(start_time(), 0);
    assert_eq!(start_time_of(pid()), Some(start_time()));
    assert!(start_time_of(1).is_none_or(|first| first <= start_time()));
    assert_eq!(start_time_of(u32::MAX), None);
    assert_ne!(boot_id(), [0; 16]);
    assert_eq!(boot_id(), boot_id());
}

#[test]
fn a_uuid_is_exactly_32_digits() {
    let id = uuid_in("0123abcd-4567-89ab-CDEF-0123456789ff").unwrap();
    assert_eq!(id[..4], [0x01, 0x23, 0xab, 0xcd]);
    assert_eq!(id[15], 0xff);
    for broken in ["", "-", "0123", "0123abcd-4567-89ab-cdef-0123456789f", "g", "é"] {
        assert_eq!(uuid_in(broken), None, "{broken:?}");
    }
    assert_eq!(uuid_in(&"0".repeat(33)), None);
    assert_eq!(uuid_in(&"f".repeat(1000)), None);
}

#[test]
fn numbers_of_the_system_are_sane() {
    assert!(page_bytes().is_power_of_two());
    assert_eq!(pid(), std::process::id());
    let drawn: std::collections::HashSet<u64> = (0..1000).map(|_| random_u64()).collect();
    assert_eq!(drawn.len(), 1000);
    let _ = effective_uid();
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(
        stat in prop::collection::vec(any::<u8>(), 0..200), id in ".{0,40}",
    ) {
        let _ = (start_time_in(&stat), uuid_in(&id));
    }
}

#[test]
fn a_lock_names_its_holder_and_ends_with_it() {
    let test = "sys::process::tests::a_lock_names_its_holder_and_ends_with_it";
    if let Some(path) = rerun::role() {
        let file = File::options().write(true).open(path).unwrap();
        record_lock(&file).unwrap();
        eprintln!("locked");
        // Until killed, or until the parent is gone.
        let _ = io::stdin().read_line(&mut String::new());
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut holder = rerun::command(test, file.path().to_str().unwrap()).spawn().unwrap();
    let mut lines = BufReader::new(holder.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "locked"));
    match record_lock(file.as_file()) {
        Err(LockHeld::By { holder: found }) => assert_eq!(found, Some(holder.id())),
        other => panic!("{other:?}"),
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    record_lock(file.as_file()).unwrap();
    record_lock(file.as_file()).unwrap();
}

#[test]
fn a_forked_child_neither_holds_nor_drops_the_lock() {
    const HELD_BY_PARENT: i32 = 42;
    let file = tempfile::tempfile().unwrap();
    record_lock(&file).unwrap();
    let parent = pid();
    let ask = || {
        // SAFETY: the child calls fcntl and close, which are async-signal-safe, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let answer = match record_lock(&file) {
                Err(LockHeld::By { holder }) if holder == Some(parent) => HELD_BY_PARENT,
                _ => 1,
            };
            // SAFETY: the child's own copy of the descriptor; it ends at once.
            unsafe {
                libc::close(file.as_raw_fd());
                libc::_exit(answer);
            }
        }
        let mut status = 0;
        // SAFETY: `status` is valid for the call.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        libc::WEXITSTATUS(status)
    };
    assert_eq!(ask(), HELD_BY_PARENT);
    // The first child closed its descriptor: the lock is still there.
    assert_eq!(ask(), HELD_BY_PARENT);
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_of_an_open_file_has_no_process_and_is_no_panic() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let other = File::options().write(true).open(file.path()).unwrap();
    // SAFETY: a structure of numbers, for which zeros are valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as _;
    // SAFETY: the descriptor is open, `lock` is valid for the call.
    let answer = unsafe { libc::fcntl(other.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    assert_eq!(answer, 0);
    let answer = record_lock(file.as_file());
    assert!(matches!(answer, Err(LockHeld::By { holder: None })), "{answer:?}");
    assert!(is_locked(file.as_file()));
    drop(other);
    assert!(!is_locked(file.as_file()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_cannot_be_asked_counts_as_locked() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(!is_locked(file.as_file()));
    let path = rustix::fs::OFlags::PATH;
    let unreadable = rustix::fs::open(file.path(), path, rustix::fs::Mode::empty()).unwrap();
    assert!(is_locked(&File::from(unreadable)));
}

#[test]
fn a_file_that_cannot_be_locked_says_why() {
    let dir = tempfile::NamedTempFile::new().unwrap();
    let read_only = File::open(dir.path()).unwrap();
    let answer = record_lock(&read_only);
    let Err(LockHeld::Unknown(error)) = answer else { panic!("{answer:?}") };
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
}
