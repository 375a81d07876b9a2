//! Tests of `io` and `open`.

use super::*;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

fn make_pipe_at(path: &Path) {
    let done = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(done.success());
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_log_is_created_once_and_written_where_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.jsonl");
    let log = OsIo.open_log(&path).unwrap();
    assert_eq!(mode_of(&path) & !0o640, 0);
    let flags = rustix::fs::fcntl_getfl(&log).unwrap();
    assert!(!flags.intersects(OFlags::NONBLOCK | OFlags::APPEND));
    assert_eq!(OsIo.pwrite(log.as_fd(), b"world\n", 6).unwrap(), 6);
    assert_eq!(OsIo.pwrite(log.as_fd(), b"hello ", 0).unwrap(), 6);
    let again = OsIo.open_log(&path).unwrap();
    assert_eq!(OsIo.fstat(again.as_fd()).unwrap().len, 12);
    OsIo.fdatasync(log.as_fd()).unwrap();
    OsIo.sync_dir(dir.path()).unwrap();

    let reader = OsIo.open_private(&path).unwrap();
    let mut bytes = [0; 20];
    assert_eq!(OsIo.pread(reader.as_fd(), &mut bytes, 6).unwrap(), 6);
    assert_eq!(&bytes[..6], b"world\n");
    assert_eq!(OsIo.pread(reader.as_fd(), &mut bytes, 12).unwrap(), 0);
    assert!(OsIo.pread(log.as_fd(), &mut bytes, 0).is_err(), "the log is for writing only");
    assert!(OsIo.pwrite(log.as_fd(), b"x", u64::MAX).is_err());
}

#[test]
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn an_append_to_a_file_that_was_cut_leaves_no_hole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.jsonl");
    let log = OsIo.open_log(&path).unwrap();
    assert_eq!(OsIo.append(log.as_fd(), b"first\n", 0).unwrap(), 6);
    assert_eq!(OsIo.append(log.as_fd(), b"second\n", 6).unwrap(), 7);
    log.set_len(0).unwrap();
    assert_eq!(OsIo.append(log.as_fd(), b"third\n", 13).unwrap(), 6);
    assert_eq!(std::fs::read(&path).unwrap(), b"third\n");
}

#[test]
fn what_is_no_regular_file_is_refused_by_its_kind_and_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("target"), "precious").unwrap();
    symlink(at("target"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    std::fs::create_dir(at("dir")).unwrap();
    make_pipe_at(&at("pipe"));
    make_pipe_at(&at("read pipe"));
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let _reader: OwnedFd = rustix::fs::open(at("read pipe"), flags, Mode::empty()).unwrap();
    let cases = [
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("loop", "a symbolic link"),
        ("dir", "a directory"),
        ("pipe", "a named pipe"),
        ("read pipe", "a named pipe"),
        ("socket", "a socket"),
    ];
    for (name, what) in cases {
        for opened in [OsIo.open_log(&at(name)), OsIo.open_private(&at(name))] {
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}: {error}");
            let text = error.to_string();
            assert!(text.contains(&format!("{name} is {what}, not a regular file")), "{text}");
        }
        let error = OsIo.create_private(&at(name)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name}: {error}");
    }
    let error = OsIo.open_log(Path::new("/dev/null")).unwrap_err();
    assert!(error.to_string().contains("/dev/null is a device"), "{error}");
    assert!(!at("nowhere").exists());
    assert_eq!(std::fs::read_to_string(at("target")).unwrap(), "precious");
}

#[test]
fn other_failures_keep_the_systems_reason() {
    let dir = tempfile::tempdir().unwrap();
    let error = OsIo.open_log(&dir.path().join("no/such/dir")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    let long = dir.path().join("x".repeat(300));
    assert_eq!(OsIo.open_log(&long).unwrap_err().raw_os_error(), Some(libc::ENAMETOOLONG));
    assert!(OsIo.open_log(Path::new("a\0b")).is_err());
    let deep = dir.path().join("./".repeat(400)).join("log");
    OsIo.open_log(&deep).unwrap();
    assert_eq!(OsIo.stat(&deep).unwrap().kind, FileKind::Regular);
    assert!(OsIo.sync_dir(&deep).is_err());
}

#[test]
fn private_files_and_directories_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let (made, lock) = (dir.path().join("made"), dir.path().join("lock"));
    OsIo.create_private(&made).unwrap();
    OsIo.open_private(&lock).unwrap();
    OsIo.open_private(&lock).unwrap();
    assert_eq!((mode_of(&made), mode_of(&lock)), (0o600, 0o600));
    let sub = dir.path().join("sub");
    OsIo.create_dir(&sub, 0o700).unwrap();
    assert_eq!(mode_of(&sub), 0o700);
    let again = OsIo.create_dir(&sub, 0o700).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn status_is_what_std_says() {
    let dir = tempfile::tempdir().unwrap();
    let (path, second) = (dir.path().join("a"), dir.path().join("b"));
    std::fs::write(&path, "12345").unwrap();
    let file = File::open(&path).unwrap();
    OsIo.link(&path, &second).unwrap();
    assert_eq!(OsIo.link(&path, &second).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    let expected = std::fs::metadata(&path).unwrap();
    let status = OsIo.stat(&path).unwrap();
    assert_eq!((status.dev, status.ino, status.len), (expected.dev(), expected.ino(), 5));
    assert_eq!((status.links, status.kind), (2, FileKind::Regular));
    assert_eq!(OsIo.fstat(file.as_fd()).unwrap(), status);

    OsIo.rename(&path, &dir.path().join("c")).unwrap();
    OsIo.unlink(&second).unwrap();
    assert_eq!(OsIo.stat(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(OsIo.read_dir_names(dir.path()).unwrap(), ["c"]);
    OsIo.unlink(&dir.path().join("c")).unwrap();
    assert_eq!(OsIo.fstat(file.as_fd()).unwrap().links, 0);
    assert!(OsIo.read_dir_names(dir.path()).unwrap().is_empty());

    symlink("/", dir.path().join("link")).unwrap();
    assert_eq!(OsIo.stat(&dir.path().join("link")).unwrap().kind, FileKind::Other);
    assert_eq!(OsIo.stat(dir.path()).unwrap().kind, FileKind::Other);
    let null = File::open("/dev/null").unwrap();
    assert_eq!(OsIo.fstat(null.as_fd()).unwrap().kind, FileKind::Other);
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_is_known_once_open() {
    // Opening this makes a new pseudo terminal.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(terminal) = rustix::fs::open("/dev/ptmx", flags, Mode::empty()) else {
        println!("skipped: no pseudo terminals here");
        return;
    };
    assert_eq!(OsIo.fstat(terminal.as_fd()).unwrap().kind, FileKind::Terminal);
    assert_eq!(OsIo.stat(Path::new("/dev/ptmx")).unwrap().kind, FileKind::Other);
}

#[test]
fn a_stream_is_polled_until_it_has_room() {
    let (writer, reader) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    let at_once = Duration::ZERO;
    assert!(OsIo.poll_writable(writer.as_fd(), at_once).unwrap());
    assert_eq!(OsIo.fstat(writer.as_fd()).unwrap().kind, FileKind::Other);
    let block = [b'x'; 4096];
    let full = loop {
        if let Err(error) = OsIo.write(writer.as_fd(), &block) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let start = Instant::now();
    assert!(!OsIo.poll_writable(writer.as_fd(), Duration::from_millis(20)).unwrap());
    assert!(start.elapsed() >= Duration::from_millis(20));
    drop(reader);
    // Hung up: no more waiting, even for ever, and the write says why.
    assert!(OsIo.poll_writable(writer.as_fd(), Duration::MAX).unwrap());
    let error = OsIo.write(writer.as_fd(), &block).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_pipe_is_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    make_pipe_at(&dir.path().join("pipe"));
    let pipe = File::options().read(true).write(true).open(dir.path().join("pipe")).unwrap();
    assert_eq!(OsIo.fstat(pipe.as_fd()).unwrap().kind, FileKind::Pipe);
    assert_eq!(OsIo.stat(&dir.path().join("pipe")).unwrap().kind, FileKind::Pipe);
    assert_eq!(OsIo.write(pipe.as_fd(), b"x").unwrap(), 1);
}

#[test]
fn space_is_reserved_with_and_without_length() {
    let file = tempfile::tempfile().unwrap();
    let fd = file.as_fd();
    let reserved = OsIo.fallocate(fd, Reserve::KeepSize, 0, 1 << 20);
    if cfg!(any(not(target_os = "linux"), fastlog_portable)) {
        assert_eq!(reserved.unwrap_err().kind(), io::ErrorKind::Unsupported);
        return;
    }
    if let Err(error) = reserved {
        println!("skipped: the file system cannot reserve ({error})");
        return;
    }
    assert_eq!(OsIo.fstat(fd).unwrap().len, 0);
    assert!(file.metadata().unwrap().blocks() * 512 >= 1 << 20);
    OsIo.fallocate(fd, Reserve::Extend, 0, 4096).unwrap();
    assert_eq!(OsIo.fstat(fd).unwrap().len, 4096);
    OsIo.ftruncate(fd, 100).unwrap();
    assert_eq!(OsIo.fstat(fd).unwrap().len, 100);
    assert!(OsIo.fallocate(fd, Reserve::KeepSize, 0, 0).is_err());
    assert!(OsIo.fallocate(fd, Reserve::KeepSize, 0, i64::MAX as u64).is_err());
    assert!(OsIo.ftruncate(fd, u64::MAX).is_err());
}

#[test]
fn a_file_system_has_room_or_not() {
    let space = OsIo.statvfs(&std::env::temp_dir()).unwrap();
    assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes);
    assert!(OsIo.statvfs(Path::new("/no/such/path")).is_err());
}

#[test]
fn a_test_can_be_the_disk() {
    #[derive(Debug)]
    struct FullDisk;
    impl Io for FullDisk {
        fn pwrite(&self, _: BorrowedFd<'_>, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        }
    }
    let file = tempfile::tempfile().unwrap();
    let disk: &dyn Io = &FullDisk;
    let error = disk.pwrite(file.as_fd(), b"x", 0).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(disk.write(file.as_fd(), b"x").unwrap(), 1);
}

#[test]
#[cfg(all(target_os = "linux", not(fastlog_portable)))]
fn blocks_that_are_freed_make_a_file_no_younger() {
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(dir.path().join("log")).unwrap();
    let fd = file.as_fd();
    OsIo.append(fd, b"line\n", 0).unwrap();
    if OsIo.fallocate(fd, Reserve::KeepSize, 5, 8 << 20).is_err() {
        eprintln!("skipped: no blocks can be reserved here");
        return;
    }
    let long_ago = UNIX_EPOCH + Duration::new(1_700_000_000, 500);
    OsIo.set_modified(fd, long_ago).unwrap();
    OsIo.free_behind_end(fd).unwrap();
    let after = OsIo.fstat(fd).unwrap();
    assert_eq!((after.len, after.modified), (5, long_ago));
    assert!(after.disk_bytes < 1 << 20, "{after:?}");
}
