//! One engine per name: a POSIX record lock on `.fastlog/<name>.lock`, and, because such a lock
//! does not keep out its own process, a table of the names that this process holds. In the file
//! stands who holds it, for the case that the lock is lost ([`signature`]). Runs on the owner.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::signature;
use crate::config::file_names;
use crate::keep::Engines;
use crate::primitive::{AtomicBool, Ordering};
use crate::publish::NameHeld;
use crate::sys::fork_safe::ForkSafe;
use crate::sys::io::Io;
use crate::sys::open;
use crate::sys::own_file::OwnFile;
use crate::sys::process::{self, LockHeld};

/// The locks of this process, by path.
static HELD: ForkSafe<Vec<(PathBuf, Use)>> = ForkSafe::new();

/// What a lock is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// An engine that writes files of the name.
    Engine,
    /// The keeper of another, which looks whether there is one.
    Look,
}

/// How long an engine waits for a look to be over.
const LOOK_MAX: Duration = Duration::from_secs(1);
const LOOK_PAUSE: Duration = Duration::from_millis(1);

/// In a forked child, which holds none of its parent's locks. Only stores.
pub(super) fn forget_after_fork() {
    HELD.forget();
}

/// How often a lock file is opened anew that was removed before its lock was had.
const TRIES: u32 = 100;

/// A held name; released when dropped.
#[derive(Debug)]
pub(super) struct NameLock {
    io: Arc<dyn Io>,
    path: PathBuf,
    how: Use,
    /// None once it is released; without a file while it is being taken.
    entry: Mutex<Option<Option<OwnFile>>>,
    keeps_signature: AtomicBool,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NotLocked {
    /// By this process or another; its number where the system tells.
    Held(Option<u32>),
    /// The file cannot be made, or the file system has no locks.
    Failed(io::Error),
}

impl NameLock {
    /// Takes the lock of a name. `dir` is the directory `.fastlog`, absolute.
    pub(super) fn take(io: &Arc<dyn Io>, dir: &Path, name: &str) -> Result<NameLock, NotLocked> {
        NameLock::take_for(Use::Engine, io, dir, name)
    }

    fn take_for(how: Use, io: &Arc<dyn Io>, dir: &Path, name: &str) -> Result<NameLock, NotLocked> {
        let path = path(dir, name);
        // Before any open: closing a second descriptor would drop our own lock. The table is not
        // locked meanwhile: a disk may hang, and others of this process start elsewhere.
        enter(&path, how)?;
        let (entry, keeps_signature) = (Mutex::new(Some(None)), AtomicBool::new(false));
        let lock = NameLock { io: Arc::clone(io), path, how, entry, keeps_signature };
        *lock.entry() = Some(Some(lock_file(how, &**io, &lock.path)?));
        Ok(lock)
    }

    /// Removes the lock's file while nobody else can hold it, and releases it. Only for a name that
    /// is used once: who waits for another's would find a new file each time.
    fn remove(&self) {
        // One that stays is removed the next time.
        let _ = self.io.unlink(&self.path);
        self.release();
    }

    /// Releases the name; again does nothing. The file stays.
    pub(super) fn release(&self) {
        if let Some(file) = self.entry().take() {
            let is_kept = self.keeps_signature.load(Ordering::Relaxed);
            if let (Some(file), Use::Engine, false) = (&file, self.how, is_kept) {
                self.erase(file);
            }
            leave(&self.path, file);
        }
    }

    /// Leaves the signature where it stands: of an engine that was given up, as on a disk that
    /// stands still nobody who drops the lock may wait for it. Others find the name taken until
    /// this process ends; this one does not.
    pub(super) fn keep_signature(&self) {
        self.keeps_signature.store(true, Ordering::Relaxed);
    }

    /// Takes the signature away, also where somebody has closed the file's descriptor.
    fn erase(&self, file: &OwnFile) {
        match file.checked() {
            Ok(file) => signature::erase(file),
            // The lock is lost as well: nothing hangs on closing another descriptor.
            Err(_) => {
                let again = self.io.open_existing_private(&self.path);
                let _ = again.map(|file| signature::erase(&file));
            }
        }
    }

    fn entry(&self) -> MutexGuard<'_, Option<Option<OwnFile>>> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock's file.
pub(super) fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.lock"))
}

/// Who holds the lock of this file, in the directory of another user: some process, by its number
/// where the system tells; none also where that cannot be seen.
pub(super) fn holder_at(path: &Path) -> Option<Option<u32>> {
    // As above: closing a file that this process has locked would drop its lock.
    if enter(path, Use::Look).is_err() {
        return Some(Some(process::pid()));
    }
    let holder = open::to_read(path).ok().and_then(|file| {
        process::locked_by(&file).or_else(|| signature::of_another(&file).map(Some))
    });
    leave(path, None);
    holder
}

/// Enters a path into the table of this process.
fn enter(path: &Path, how: Use) -> Result<(), NotLocked> {
    let start = Instant::now();
    loop {
        let mut held = HELD.lock();
        match held.iter().find(|(held, _)| held == path) {
            None => {
                held.push((path.to_owned(), how));
                return Ok(());
            }
            Some((_, Use::Look)) if how == Use::Engine && start.elapsed() < LOOK_MAX => {}
            Some(_) => return Err(NotLocked::Held(Some(process::pid()))),
        }
        drop(held);
        std::thread::sleep(LOOK_PAUSE);
    }
}

/// Takes it out again, once its file is closed.
fn leave(path: &Path, file: Option<OwnFile>) {
    let mut held = HELD.lock();
    drop(file);
    held.retain(|(held, _)| held != path);
}

impl Drop for NameLock {
    fn drop(&mut self) {
        self.release();
    }
}

impl NameHeld for NameLock {
    fn renew(&self, io: &dyn Io) -> io::Result<()> {
        let mut entry = self.entry();
        let Some(Some(file)) = &mut *entry else { return Ok(()) };
        if file.checked().is_ok() {
            return Ok(());
        }
        match lock_file(self.how, io, &self.path) {
            Ok(again) => {
                *file = again;
                Ok(())
            }
            Err(NotLocked::Failed(error)) => Err(error),
            Err(NotLocked::Held(holder)) => {
                let holder = holder.map(|pid| format!("process {pid}"));
                let holder = holder.unwrap_or_else(|| "another process".to_owned());
                Err(io::Error::other(format!("{holder} has taken the log's name meanwhile")))
            }
        }
    }
}

/// Opens the file, locks it and, for an engine, signs it.
fn lock_file(how: Use, io: &dyn Io, path: &Path) -> Result<OwnFile, NotLocked> {
    let (start, mut removed) = (Instant::now(), 0);
    while removed < TRIES {
        let file = io.open_private(path).and_then(OwnFile::new).map_err(NotLocked::Failed)?;
        match file.checked().map(process::record_lock).map_err(NotLocked::Failed)? {
            // Else somebody has removed it since it was opened, and may hold another one.
            Ok(()) if is_named(io, &file, path).map_err(NotLocked::Failed)? => {
                let open = file.checked().map_err(NotLocked::Failed)?;
                if let Some(holder) = signature::of_another(open) {
                    return Err(NotLocked::Held(Some(holder)));
                }
                if how == Use::Engine {
                    signature::sign(open);
                }
                return Ok(file);
            }
            Ok(()) => removed += 1,
            Err(LockHeld::By { .. }) if how == Use::Engine && is_look(&file, start) => {
                drop(file);
                std::thread::sleep(LOOK_PAUSE);
            }
            Err(LockHeld::By { holder }) => return Err(NotLocked::Held(holder)),
            Err(LockHeld::Unknown(error)) => return Err(NotLocked::Failed(error)),
        }
    }
    Err(NotLocked::Held(None))
}

/// Whether who holds the lock may be about to give it back: a keeper or `fastlog recover`, which
/// look whether there is an engine, do not sign.
fn is_look(file: &OwnFile, start: Instant) -> bool {
    let has_signed = file.checked().is_ok_and(|open| signature::of_another(open).is_some());
    !has_signed && start.elapsed() < LOOK_MAX
}

/// Whether the path still leads to the open file.
fn is_named(io: &dyn Io, file: &OwnFile, path: &Path) -> io::Result<bool> {
    match io.stat(path) {
        Ok(named) => Ok(named.identity() == file.identity()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The names of engines whose locks lie in one directory. Asked by the keeper.
#[derive(Debug)]
pub(super) struct NameLocks {
    io: Arc<dyn Io>,
    dir: PathBuf,
}

impl NameLocks {
    pub(super) fn new(io: Arc<dyn Io>, dir: PathBuf) -> NameLocks {
        NameLocks { io, dir }
    }
}

impl NameLocks {
    /// Does the work if no engine of this base lives, nor can begin to meanwhile; says whether. The
    /// lock's file goes where the name is used once.
    pub(super) fn while_free(&self, base: &str, work: &mut dyn FnMut()) -> bool {
        let Ok(lock) = NameLock::take_for(Use::Look, &self.io, &self.dir, base) else {
            return false;
        };
        work();
        if file_names::name_of_second(base).is_some() {
            lock.remove();
        }
        true
    }
}

impl Engines for NameLocks {
    fn while_gone(&self, base: &str, work: &mut dyn FnMut()) -> bool {
        let Ok(lock) = NameLock::take_for(Use::Look, &self.io, &self.dir, base) else {
            return false;
        };
        work();
        lock.remove();
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::io::OsIo;
    use crate::sys::process::Identity;
    use std::fs::File;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Removes the lock file behind the back of whoever opens it, so many times.
    #[derive(Debug)]
    struct Removing(AtomicU32);

    impl Io for Removing {
        fn open_private(&self, path: &Path) -> io::Result<File> {
            let file = OsIo.open_private(path)?;
            let left = self.0.load(Ordering::Relaxed);
            if left > 0 {
                self.0.store(left - 1, Ordering::Relaxed);
                OsIo.unlink(path)?;
            }
            Ok(file)
        }
    }

    #[test]
    fn a_lock_is_that_of_the_file_that_has_the_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let removing = Arc::new(Removing(AtomicU32::new(3)));
        let io: Arc<dyn Io> = removing.clone();
        let lock = NameLock::take(&io, dir.path(), "app").expect("the fourth is there");
        assert_eq!(removing.0.load(Ordering::Relaxed), 0);
        assert!(dir.path().join("app.lock").exists());
        assert!(matches!(NameLock::take(&io, dir.path(), "app"), Err(NotLocked::Held(_))));
        drop(lock);
        let always: Arc<dyn Io> = Arc::new(Removing(AtomicU32::new(u32::MAX)));
        assert!(matches!(NameLock::take(&always, dir.path(), "app"), Err(NotLocked::Held(_))));
    }

    #[test]
    fn work_for_a_gone_engine_is_done_under_its_lock_which_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let locks = NameLocks::new(Arc::new(OsIo), dir.path().to_owned());
        let path = dir.path().join("app@7.lock");
        let mut was_locked = false;
        assert!(locks.while_gone("app@7", &mut || {
            was_locked = path.exists() && !locks.while_gone("app@7", &mut || unreachable!());
        }));
        assert!(was_locked && !path.exists());
        let io: Arc<dyn Io> = Arc::new(OsIo);
        let lives = NameLock::take(&io, dir.path(), "app@7").expect("free");
        assert!(!locks.while_gone("app@7", &mut || unreachable!("it lives")));
        assert!(path.exists());
        drop(lives);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(fastlog_portable)))]
    fn a_name_whose_holder_has_lost_the_lock_is_free_once_he_is_dead() {
        let dir = tempfile::tempdir().expect("a directory");
        let io: Arc<dyn Io> = Arc::new(OsIo);
        let path = dir.path().join("app.lock");
        let take = || NameLock::take(&io, dir.path(), "app");
        let own = take().expect("free");
        let signed = std::fs::read(&path).expect("signed");
        assert_eq!(Identity::of_line(&signed), Some(Identity::own()));
        drop(own);
        assert_eq!(std::fs::read(&path).expect("there"), b"", "the signature ends with the lock");
        // A process that lives, and no lock.
        let other = std::process::Command::new("sleep").arg("1000").spawn();
        let mut other = other.expect("it starts");
        let start_time = process::start_time_of(other.id()).expect("it lives");
        let signed = Identity { pid: other.id(), start_time, ..Identity::own() };
        std::fs::write(&path, signed.to_line()).expect("written");
        assert!(matches!(take(), Err(NotLocked::Held(Some(pid))) if pid == other.id()));
        assert_eq!(holder_at(&path), Some(Some(other.id())));
        let locks = NameLocks::new(Arc::clone(&io), dir.path().to_owned());
        assert!(!locks.while_gone("app", &mut || unreachable!("it lives")));
        assert_eq!(std::fs::read(&path).expect("there"), signed.to_line().as_bytes());
        other.kill().expect("ours");
        other.wait().expect("ours");
        assert_eq!(holder_at(&path), None);
        // Of this process, which executes another program: the table is empty then.
        drop(take().expect("it is dead"));
        std::fs::write(&path, Identity::own().to_line()).expect("written");
        drop(take().expect("it was this process's"));
    }
}
