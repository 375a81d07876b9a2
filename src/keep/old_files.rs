//! What becomes of old files: their reserves are given back, they are compressed, and removed in
//! the end, which the log tells. Runs on the keeper, after each rotation and once a minute; one
//! look reads the directory once.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "compress")]
use super::compress::Compressor;
use super::leftovers;
use super::reserve::{self, free_bytes};
use super::retain::{Complete, Reason};
#[cfg(feature = "compress")]
use crate::config::Compression;
use crate::config::listing::{self, File, Known};
use crate::config::{Retention, file_names};
use crate::flush::Notice;
use crate::shared::Shared;
use crate::stats::Counter;
use crate::sys::io::{Io, Space};
use crate::sys::moment;

/// How often old files are looked for besides rotations.
pub(super) const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// So many files that one look removes are told one by one, the others together: a log of thousands
/// would tell of nothing else.
const TOLD_MAX: usize = 100;

/// Whoever knows which engines live.
pub(crate) trait Engines: Send + Sync + fmt::Debug {
    /// Does the work if no engine writes files of this base, nor can begin to meanwhile; says
    /// whether.
    fn while_gone(&self, base: &str, work: &mut dyn FnMut()) -> bool;
}

/// Whose old files they are, and what is to become of them.
#[derive(Debug)]
pub(crate) struct Care {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) dir: PathBuf,
    /// Beside the log: locks, and files that are not part of it yet.
    pub(crate) private_dir: PathBuf,
    /// By which number the file system calls this user: the private directory's owner. It may be
    /// another than the system's own (NFS, SMB, FAT).
    pub(crate) uid: u32,
    /// The log's name, without the suffix that it may have got.
    pub(crate) name: String,
    /// With it: what this engine's files begin with.
    pub(crate) base: String,
    pub(crate) engines: Arc<dyn Engines>,
    pub(crate) retention: Retention,
    #[cfg(feature = "compress")]
    pub(crate) compression: Compression,
    pub(crate) shared: Shared,
}

/// A file that is gone.
#[derive(Debug)]
struct Removed {
    name: String,
    bytes: u64,
    reason: Reason,
}

/// The keeper's care for them.
#[derive(Debug)]
pub(super) struct OldFiles {
    care: Care,
    /// At all of them anew.
    looked_at: Option<Instant>,
    /// Those that were found, so that a rotation costs no look at each: they do not change.
    known: Known,
    /// Those that could not be removed: told once each.
    refused: BTreeSet<String>,
    /// Whether too little of the disk is free, though all went that may go for it: told once.
    is_cramped: bool,
    #[cfg(feature = "compress")]
    compressor: Compressor,
}

impl OldFiles {
    pub(super) fn new(care: Care) -> OldFiles {
        OldFiles {
            #[cfg(feature = "compress")]
            compressor: Compressor::new(&care),
            care,
            looked_at: None,
            known: Known::new(),
            refused: BTreeSet::new(),
            is_cramped: false,
        }
    }

    /// Removes what a killed engine has left in this one's place.
    pub(super) fn clear_own(&self) {
        let Care { io, private_dir, base, .. } = &self.care;
        leftovers::clear_own(&**io, private_dir, base);
    }

    /// Looks at them, if it is time to.
    pub(super) fn look_if_due(&mut self) {
        if self.is_due() {
            self.look_anew();
        }
    }

    /// Looks at them whenever the last look was: there is one more.
    pub(super) fn look_after_rotation(&mut self) {
        if self.is_due() {
            self.look_anew();
        } else {
            self.look();
        }
    }

    fn is_due(&self) -> bool {
        self.looked_at.is_none_or(|at| moment::since(at) >= RETAIN_EVERY)
    }

    fn look_anew(&mut self) {
        self.looked_at = Some(moment::now());
        self.known.clear();
        self.look();
        if let Err(error) = leftovers::clear_away(&self.care) {
            self.complain("list the private files", &error);
        }
    }

    fn look(&mut self) {
        if let Err(error) = self.see() {
            self.complain("list the files", &error);
        }
    }

    fn see(&mut self) -> io::Result<()> {
        let Care { io, dir, name, .. } = &self.care;
        let (mut files, live_bytes) = self.complete(listing::look(&**io, dir, name, &self.known)?);
        listing::in_order(&mut files, moment::utc());
        self.retain(&mut files, live_bytes);
        let names = files.iter().map(|file| &file.named.name);
        self.refused = names.filter(|name| self.refused.contains(*name)).cloned().collect();
        #[cfg(feature = "compress")]
        self.compressor.choose(&files);
        self.known = files.into_iter().map(|file| (file.named.name, file.status)).collect();
        Ok(())
    }

    /// Those that nobody writes to any more, and what the others take of the disk.
    fn complete(&self, files: Vec<File>) -> (Vec<File>, u64) {
        let (mut complete, mut live_bytes) = (Vec::with_capacity(files.len()), 0_u64);
        for mut file in files {
            let is_complete = if file.named.place.is_some() {
                self.give_reserve_back(&mut file);
                true
            } else {
                self.is_left(&mut file)
            };
            if is_complete {
                complete.push(file);
            } else {
                live_bytes = live_bytes.saturating_add(file.status.disk_bytes);
            }
        }
        (complete, live_bytes)
    }

    /// Whether a second engine wrote it that has ended, or recovery has put it aside. Of other
    /// users nobody here can know; the log's own file waits for the next engine.
    fn is_left(&self, file: &mut File) -> bool {
        let Care { base, engines, uid, .. } = &self.care;
        let of = file.named.base.clone();
        let is_second = of != *base && file_names::name_of_second(&of).is_some();
        let is_aside = file_names::base_of_unclean(&of).is_some();
        (is_second || is_aside)
            && file.status.uid == *uid
            && engines.while_gone(&of, &mut || self.give_reserve_back(file))
    }

    /// An engine that was killed has left it.
    fn give_reserve_back(&self, file: &mut File) {
        if !reserve::has_surplus(&file.status) {
            return;
        }
        let Care { io, dir, .. } = &self.care;
        if let Err(error) = reserve::give_back_of(&**io, dir, file) {
            self.complain("give back the reserve", &error);
        }
        if let Ok(status) = io.stat(&dir.join(&file.named.name)) {
            file.status = status;
        }
    }

    /// Removes what is not to stay.
    fn retain(&mut self, files: &mut Vec<File>, live_bytes: u64) {
        let Care { name, retention, .. } = &self.care;
        let complete = Complete { files, name, live_bytes };
        let doomed = complete.doomed(retention, moment::utc());
        let (mut reasons, mut removed) = (doomed.iter(), Vec::new());
        files.retain(|file| match reasons.next() {
            Some(Some(reason)) => !self.remove(file, *reason, &mut removed),
            _ => true,
        });
        if let Some(space) = self.cramped_space() {
            self.make_room(files, space, &mut removed);
        } else {
            self.is_cramped = false;
        }
        self.tell(removed);
    }

    /// Removes what may go, while too little of the disk is free.
    fn make_room(&mut self, files: &mut Vec<File>, space: Space, removed: &mut Vec<Removed>) {
        let Care { name, retention, .. } = &self.care;
        let mut stays = vec![true; files.len()];
        let complete = Complete { files, name, live_bytes: 0 };
        for index in complete.spare(retention, space) {
            if self.cramped_space().is_none() {
                break;
            }
            stays[index] = !self.remove(&files[index], Reason::Room, removed);
        }
        let mut stays = stays.into_iter();
        files.retain(|_| stays.next().unwrap_or(true));
        self.tell_cramped(files);
    }

    /// The room on the disk, where less is free than is to stay free; none where that is not known.
    fn cramped_space(&self) -> Option<Space> {
        let Care { io, dir, retention, .. } = &self.care;
        let space = io.statvfs(dir).ok()?;
        (space.free_bytes < free_bytes(retention.free_bytes, space)).then_some(space)
    }

    fn tell_cramped(&mut self, files: &[File]) {
        let Some(space) = self.cramped_space() else {
            self.is_cramped = false;
            return;
        };
        if !std::mem::replace(&mut self.is_cramped, true) {
            let bytes: u64 = files.iter().map(|file| file.status.disk_bytes).sum();
            let (dir, count) = (self.care.dir.display(), files.len());
            self.care.shared.progress.warn(format!(
                "the disk of {dir} has {} bytes free, less than `keep_free_bytes` asks for, and \
                 others fill it: {count} rotated files of {bytes} bytes stay",
                space.free_bytes
            ));
        }
    }

    /// Tells of those that went.
    fn tell(&self, removed: Vec<Removed>) {
        let Shared { counters, progress, .. } = &self.care.shared;
        counters.add(Counter::RemovedFiles, removed.len() as u64);
        let (each, others) = removed.split_at(removed.len().min(TOLD_MAX));
        for Removed { name, bytes, reason } in each {
            let reason = reason.as_str();
            progress.tell(Notice::Removed { file: name.clone(), bytes: *bytes, reason });
        }
        for others in others.chunk_by(|one, other| one.reason == other.reason) {
            let (first, last) = (&others[0], &others[others.len() - 1]);
            progress.tell(Notice::Removed {
                file: format!("{} files, {} to {}", others.len(), first.name, last.name),
                bytes: others.iter().map(|other| other.bytes).sum(),
                reason: first.reason.as_str(),
            });
        }
    }

    /// Removes one; says whether it is gone, by this engine, which is noted, or by another.
    fn remove(&mut self, file: &File, reason: Reason, removed: &mut Vec<Removed>) -> bool {
        let Care { io, dir, engines, .. } = &self.care;
        let path = dir.join(&file.named.name);
        let mut outcome = None;
        let mut unlink = || outcome = Some(io.unlink(&path));
        if file.named.place.is_some() {
            unlink();
        } else {
            // An engine of the same process number may have begun to write it.
            engines.while_gone(&file.named.base, &mut unlink);
        }
        match outcome {
            None => false,
            Some(Ok(())) => {
                let (name, bytes) = (file.named.name.clone(), file.status.len);
                removed.push(Removed { name, bytes, reason });
                true
            }
            // Somebody else was faster.
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => true,
            Some(Err(error)) => {
                // It is tried again at each look.
                if self.refused.insert(file.named.name.clone()) {
                    self.complain(&format!("remove {}", path.display()), &error);
                }
                false
            }
        }
    }

    /// Takes what was compressed meanwhile and lets the next file be; true when names in the
    /// directory have changed. Waits for neither.
    pub(super) fn pack(&mut self) -> bool {
        #[cfg(feature = "compress")]
        {
            let is_changed = self.compressor.end_task().unwrap_or_else(|error| {
                self.complain("compress a file", &error);
                false
            });
            self.care.shared.counters.add(Counter::CompressedFiles, u64::from(is_changed));
            if let Err(error) = self.compressor.begin() {
                self.complain("compress a file", &error);
            }
            is_changed
        }
        #[cfg(not(feature = "compress"))]
        false
    }

    /// The engine ends: what is half compressed is left to the next.
    pub(super) fn end(&mut self) {
        #[cfg(feature = "compress")]
        self.compressor.end();
    }

    /// Housekeeping failed.
    pub(super) fn complain(&self, what: &str, error: &io::Error) {
        let Care { dir, shared, .. } = &self.care;
        let sentence = format!("cannot {what} of the log in {}: {error}", dir.display());
        shared.fail(Counter::KeeperFailures, sentence);
    }
}
