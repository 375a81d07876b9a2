//! What engines that have ended, or live, have left where: looked for in every place in which an
//! arena of the log may be. Runs on the owner, at start, and in the command line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::stem::{Kind, Stem};
use crate::sys::io::Io;

/// A place in which arenas lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) dir: PathBuf,
    pub(crate) whose: Whose,
}

/// Which logs have arenas there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This one alone: it lies beside it.
    OneLogs,
    /// Others too: services of one name may share it.
    ManyLogs,
}

/// The files of one engine.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) arena: Option<(PathBuf, Whose)>,
    /// Segments, callsites and a stage that is not complete.
    pub(crate) sides: Vec<PathBuf>,
    /// Only beside the log: what lies elsewhere may be another log's.
    pub(crate) stage: Option<PathBuf>,
}

/// What was found, by engine, and where nobody could look.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) left: BTreeMap<Stem, Left>,
    pub(crate) unread: Vec<(PathBuf, io::Error)>,
}

/// Looks in all of them for files of the bases that are wanted.
pub(crate) fn look(io: &dyn Io, spots: &[Spot], is_wanted: impl Fn(&str) -> bool) -> Found {
    let mut found = Found::default();
    for Spot { dir, whose } in spots {
        let names = match io.read_dir_names(dir) {
            Ok(names) => names,
            // Nobody has left anything there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                found.unread.push((dir.clone(), error));
                continue;
            }
        };
        for name in names.iter().filter_map(|name| name.to_str()) {
            let Some((stem, kind)) = Stem::parse(name) else { continue };
            if !is_wanted(&stem.base) {
                continue;
            }
            let left = found.left.entry(stem).or_default();
            match (kind, whose) {
                (Kind::Arena, whose) => left.arena = Some((dir.join(name), *whose)),
                (Kind::Stage, Whose::OneLogs) => left.stage = Some(dir.join(name)),
                (Kind::Stage, Whose::ManyLogs) => {}
                _ => left.sides.push(dir.join(name)),
            }
        }
    }
    found
}

/// Directories without those that are there already, whatever way leads to them.
pub(crate) fn add_spot(spots: &mut Vec<Spot>, dir: &Path, whose: Whose) {
    let real = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let new = real(dir);
    if spots.iter().all(|spot| real(&spot.dir) != new) {
        spots.push(Spot { dir: dir.to_owned(), whose });
    }
}
