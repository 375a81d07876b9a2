//! Where the files of a log are, and which names they get when they are complete. Used on the
//! publisher; made by the owner at start.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::Modes;
use crate::config::file_names::{self, NUMBER_MAX, NUMBER_OF_FORMER, Unit};
use crate::config::listing;
use crate::sys::io::Io;

/// How many names are tried in one attempt, should somebody else have taken them.
const NUMBERS_MAX: u64 = 100;

/// Where the files of a log are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) dir: PathBuf,
    /// Beside the log, for files that are not part of it yet.
    pub(crate) private_dir: PathBuf,
    /// `app`, or `app@4711` where the name was in use.
    pub(crate) base: String,
    pub(crate) unit: Unit,
    pub(crate) modes: Modes,
    /// Whether no engine has written the log before: what is there is somebody else's.
    pub(crate) has_former: bool,
}

impl Places {
    /// The log's name.
    pub(crate) fn live(&self) -> PathBuf {
        self.dir.join(file_names::live(&self.base, self.unit))
    }

    /// Where the next file waits that the keeper makes.
    pub(crate) fn next(&self) -> PathBuf {
        self.private_dir.join(format!("{}.next", self.base))
    }

    /// Where the publisher makes one when none waits.
    pub(super) fn own_next(&self) -> PathBuf {
        self.private_dir.join(format!("{}.now", self.base))
    }

    /// Where it makes one if that is on another file system: hidden, in the log's directory.
    pub(super) fn next_beside(&self) -> PathBuf {
        self.dir.join(format!(".{}.now", self.base))
    }

    /// The complete files of this base, compressed ones too, in the order of their numbers.
    pub(super) fn complete(&self, io: &dyn Io) -> io::Result<Vec<(u64, PathBuf)>> {
        let files = listing::rotated(io, &self.dir, &self.base)?.into_iter();
        let files = files.filter_map(|file| Some((file.place?.number, self.dir.join(file.name))));
        Ok(files.collect())
    }
}

/// The claim to a log's name, which hangs on an open file as well.
pub(crate) trait NameHeld: fmt::Debug + Send + Sync {
    /// Takes it again, if somebody closed the file and so gave it away.
    ///
    /// # Errors
    /// A sentence that says why it is not held.
    fn renew(&self, io: &dyn Io) -> io::Result<()>;
}

/// A file that is to get a complete file's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unnamed<'a> {
    /// Its present name.
    pub(super) path: &'a Path,
    /// When it began, in nanoseconds since 1970: a part of the name to come.
    pub(super) start_ns: i64,
}

/// What a complete file is called, and how it came to that.
#[derive(Debug)]
pub(super) enum Complete {
    /// It has both names.
    Linked(PathBuf),
    /// It has lost the log's name.
    Moved(PathBuf),
}

impl From<Complete> for PathBuf {
    fn from(complete: Complete) -> PathBuf {
        match complete {
            Complete::Linked(path) | Complete::Moved(path) => path,
        }
    }
}

/// Whether the error says that this file gets no second name, now or later: a file system without
/// links, or one that has enough of them; a file of another user.
fn refuses_links(error: &io::Error) -> bool {
    use io::ErrorKind::{
        CrossesDevices, InvalidInput, PermissionDenied, TooManyLinks, Unsupported,
    };
    matches!(
        error.kind(),
        CrossesDevices | InvalidInput | PermissionDenied | TooManyLinks | Unsupported
    )
}

/// The numbers of complete files.
#[derive(Debug)]
pub(super) struct Numbers {
    next: u64,
}

impl Numbers {
    /// Goes on behind the files that are there. What was there before the log's first engine gets
    /// the number that no other file has.
    pub(super) fn behind(io: &dyn Io, places: &Places) -> io::Result<Numbers> {
        let has_former =
            || places.has_former && io.stat(&places.live()).is_ok_and(|status| status.len > 0);
        let next = match places.complete(io)?.pop() {
            Some((number, _)) => number + 1,
            None if has_former() => NUMBER_OF_FORMER,
            None => NUMBER_OF_FORMER + 1,
        };
        Ok(Numbers { next })
    }

    /// Gives the file a complete file's name: besides its own, or in its place where links are
    /// refused.
    ///
    /// # Errors
    /// The system's; the file has its own name as before.
    pub(super) fn complete(
        &mut self,
        io: &dyn Io,
        places: &Places,
        file: Unnamed<'_>,
    ) -> io::Result<Complete> {
        for _ in 0..NUMBERS_MAX {
            if self.next > NUMBER_MAX {
                let dir = places.dir.display();
                return Err(io::Error::other(format!(
                    "no number is left behind that of the newest file in {dir}: move it away"
                )));
            }
            let name = file_names::rotated(&places.base, places.unit, file.start_ns, self.next);
            let complete = places.dir.join(name);
            let named = match io.link(file.path, &complete) {
                Err(error) if refuses_links(&error) => {
                    io.rename_new(file.path, &complete).map(|()| Complete::Moved(complete))
                }
                outcome => outcome.map(|()| Complete::Linked(complete)),
            };
            match named {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.next += 1,
                outcome => return outcome,
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The name of the last link stays: its number is not used again.
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }
}

/// Nanoseconds since 1970; 0 before.
pub(super) fn ns_since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos() as u64)
}
