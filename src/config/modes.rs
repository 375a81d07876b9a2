//! Who may read and write the log's files. Setters on the program's thread; else pure.

use super::Config;
use super::limits;
use crate::error::ConfigError;

/// Their owner writes files and enters the directory; nobody runs a log.
const FILE_LEAST: u32 = 0o600;
const FILE_MOST: u32 = 0o666;
const DIR_LEAST: u32 = 0o700;
const DIR_MOST: u32 = 0o3777;

/// The modes that were asked for; none: the default, or that of what was there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    /// Of the files, such as 0o640.
    pub(crate) file: Option<u32>,
    /// Of the directory, if it has to be made.
    pub(crate) dir: Option<u32>,
}

impl Modes {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        limits::mode("file_mode", self.file, FILE_LEAST..=FILE_MOST)?;
        limits::mode("dir_mode", self.dir, DIR_LEAST..=DIR_MOST)
    }
}

impl Config {
    /// The mode of each file that the engine makes for the log, such as `0o644`: whatever the umask
    /// and whatever mode the file had before it.
    ///
    /// Bits of 0o666, with 0o600 among them. Default: none: a file that takes the place of another,
    /// as after a rotation, has the mode of that one, and a first file has 0640 less the umask. A
    /// file that is there already is left as it is. Owner and group are always those of the file
    /// before, where the system allows it; access control lists and extended attributes are not
    /// handed on. The files beside the log, in `.fastlog`, are their owner's alone.
    pub fn file_mode(mut self, mode: u32) -> Config {
        self.modes.file = Some(mode);
        self
    }

    /// The mode of the log's directory where the engine makes it, such as `0o755`, whatever the
    /// umask.
    ///
    /// Bits of 0o3777 (0o2000 hands its group on to files), with 0o700 among them. Default: none:
    /// 0750 less the umask, and for a directory that was removed and is made again, owner, group
    /// and mode of the one before. A directory that is there already is left as it is.
    pub fn dir_mode(mut self, mode: u32) -> Config {
        self.modes.dir = Some(mode);
        self
    }
}
