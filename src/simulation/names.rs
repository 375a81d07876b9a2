//! Names of the simulated disk: what leads where, and how much of that a power cut leaves.
//!
//! Changes of names reach the device in their order, as with every file system that has a journal;
//! how many of them, nobody knows before the directory that they are in is synced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::random::Random;

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    /// The file with this number.
    File(usize),
}

/// One step, whole or not at all.
#[derive(Clone, Debug)]
enum Change {
    Set(PathBuf, Node),
    Remove(PathBuf),
    /// With all that is below it; replaces what is there.
    Move(PathBuf, PathBuf),
}

/// A tree of names.
type Tree = BTreeMap<PathBuf, Node>;

/// The names as they are, and as they are on the device.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    now: Tree,
    safe: Tree,
    /// From what is safe to what is now.
    changes: Vec<Change>,
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        self.now.get(path).copied()
    }

    /// All files with their names.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.now.iter().filter_map(|(path, node)| match node {
            Node::File(file) => Some((path.as_path(), *file)),
            Node::Dir => None,
        })
    }

    /// How many names a file has.
    pub(super) fn links(&self, file: usize) -> u64 {
        self.files().filter(|(_, other)| *other == file).count() as u64
    }

    /// What is right below a directory.
    pub(super) fn below(&self, dir: &Path) -> Vec<PathBuf> {
        let paths = self.now.keys().filter(|path| path.parent() == Some(dir));
        paths.cloned().collect()
    }

    pub(super) fn set(&mut self, path: &Path, node: Node) {
        self.change(Change::Set(path.to_owned(), node));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(Change::Remove(path.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        self.change(Change::Move(from.to_owned(), to.to_owned()));
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.changes.push(change);
    }

    /// All changes in this directory are on the device, and those before them.
    pub(super) fn sync(&mut self, dir: &Path) {
        let last = self.changes.iter().rposition(|change| is_in(change, dir));
        self.keep(last.map_or(0, |last| last + 1));
    }

    /// The power goes: some of the changes were on the device.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        self.keep(random.within(0..self.changes.len() as u64 + 1) as usize);
        self.now.clone_from(&self.safe);
        self.changes.clear();
    }

    fn keep(&mut self, count: usize) {
        for change in self.changes.drain(..count) {
            apply(&mut self.safe, &change);
        }
    }
}

fn is_in(change: &Change, dir: &Path) -> bool {
    let is_in = |path: &Path| path.parent() == Some(dir);
    match change {
        Change::Set(path, _) | Change::Remove(path) => is_in(path),
        Change::Move(from, to) => is_in(from) || is_in(to),
    }
}

fn apply(tree: &mut Tree, change: &Change) {
    match change {
        Change::Set(path, node) => {
            tree.insert(path.clone(), *node);
        }
        Change::Remove(path) => {
            tree.remove(path);
        }
        Change::Move(from, to) => {
            let moved: Vec<PathBuf> =
                tree.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for path in moved {
                let rest = path.strip_prefix(from).expect("it begins with that").to_owned();
                let node = tree.remove(&path).expect("it was there");
                let to = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                tree.insert(to, node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_a_beginning_of_the_rest() {
        let path = |name: &str| Path::new("/a").join(name);
        let mut lens = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut names = Names::default();
            names.set(Path::new("/a"), Node::Dir);
            names.set(&path("one"), Node::File(1));
            names.sync(Path::new("/"));
            names.sync(Path::new("/a"));
            names.set(&path("two"), Node::File(1));
            names.rename(&path("two"), &path("one"));
            names.set(&path("three"), Node::File(2));
            assert_eq!(names.links(1), 1);
            names.lose_power(&mut Random::new(seed));
            assert_eq!(names.get(&path("one")), Some(Node::File(1)), "in each case");
            assert!(names.get(&path("three")).is_none() || names.get(&path("two")).is_none());
            lens.insert(names.below(Path::new("/a")).len());
        }
        assert_eq!(lens.into_iter().collect::<Vec<_>>(), [1, 2]);
        let mut names = Names::default();
        names.set(Path::new("/a"), Node::Dir);
        names.set(&path("one"), Node::File(1));
        names.rename(Path::new("/a"), Path::new("/b"));
        assert_eq!(names.get(Path::new("/b/one")), Some(Node::File(1)));
    }
}
