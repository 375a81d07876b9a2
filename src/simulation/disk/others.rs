//! What others do to the files of the simulated disk: whoever rotates, cuts, copies and removes
//! logs, and the power that goes. Runs on the test's thread.

use std::path::{Path, PathBuf};

use super::{DIR, LIVE, PRIVATE_DIR, State};
use crate::simulation::lines;
use crate::simulation::names::Node;

impl State {
    /// Somebody does something.
    pub(in crate::simulation) fn disturb(&mut self) {
        let live = Path::new(LIVE);
        let file = match self.names.get(live) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        };
        let what = self.random.within(0..10);
        self.note(format_args!("others: {what}"));
        // Of the call before which it happens: no two are the same.
        let number = self.calls;
        match (what, file) {
            (0..3, Some(_)) => {
                self.names.rename(live, &Path::new(DIR).join(format!("moved-{number}")));
            }
            (3, Some(file)) => {
                self.names.remove(live);
                self.files[file].is_removed = true;
            }
            // Copied before, perhaps, and cut. Behind a whole line: what is lost else is more than
            // can be told from outside.
            (4 | 5, Some(file)) if self.files[file].ends_whole() => {
                self.take_away(file);
                self.files[file].cut(0);
            }
            (6, Some(file)) if self.files[file].ends_whole() => {
                let now = crate::sys::moment::utc();
                self.files[file].append(lines::FOREIGN.as_bytes(), now);
            }
            (7, _) => {
                let next = Path::new(PRIVATE_DIR).join("app.next");
                if self.names.get(&next).is_some() {
                    self.names.remove(&next);
                }
            }
            (8, _) => {
                if let Some((_, path)) = self.rotated().into_iter().next() {
                    self.remove_by_others(&path);
                }
            }
            (9, _) if self.random.permille(200) && self.names.get(Path::new(DIR)).is_some() => {
                let gone = PathBuf::from(format!("/simulated/gone-{number}"));
                if self.names.get(&gone).is_none() {
                    self.names.rename(Path::new(DIR), &gone);
                }
            }
            _ => {}
        }
    }

    fn remove_by_others(&mut self, path: &Path) {
        if let Some(Node::File(file)) = self.names.get(path) {
            self.files[file].is_removed = true;
            self.names.remove(path);
        }
    }

    /// The records of a file are gone, and no engine is to blame.
    fn take_away(&mut self, file: usize) {
        let gone: Vec<u64> = lines::Lines::of(&self.files[file].bytes).numbers;
        self.taken_away.extend(gone);
    }

    /// As [`take_away`](State::take_away), of all files that were removed.
    pub(in crate::simulation) fn take_removed_away(&mut self) {
        for file in 0..self.files.len() {
            if self.files[file].is_removed {
                self.take_away(file);
            }
        }
    }

    /// The process has ended, by whatever.
    pub(in crate::simulation) fn end_life(&mut self) {
        self.take_removed_away();
        self.files.iter_mut().for_each(|file| file.end_life());
        self.dies_in = None;
        self.life += 1;
        self.failed = super::Failed::default();
    }

    /// The power goes, and comes back.
    pub(in crate::simulation) fn lose_power(&mut self) {
        self.take_removed_away();
        self.names.lose_power(&mut self.random);
        for file in &mut self.files {
            file.lose_power(&mut self.random);
        }
    }

    /// What a start does first: the directories, as far as they are not there; whether the log's
    /// was made.
    pub(in crate::simulation) fn make_dirs(&mut self) -> bool {
        let dirs = [DIR, PRIVATE_DIR].map(Path::new);
        let is_new = self.names.get(dirs[0]).is_none();
        for dir in dirs {
            if self.names.get(dir).is_none() {
                self.names.set(dir, Node::Dir);
            }
        }
        is_new
    }
}
