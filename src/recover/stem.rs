//! The names of what an engine leaves behind: `app.4711-00000000000000ff.arena` and its like. Pure.

use std::fmt;

use crate::arena::{ARENA_EXTENSION, SEGMENTS_EXTENSION, SITES_EXTENSION};

/// Hexadecimal digits of an arena's number.
const ID_LEN_MAX: usize = 16;

/// What all files of one engine begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stem {
    /// The engine's name, or the one with a suffix that it used instead.
    pub(crate) base: String,
    /// Its process.
    pub(crate) pid: u32,
    /// The arena's number: random, as it is written.
    pub(crate) id: String,
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}-{}", self.base, self.pid, self.id)
    }
}

/// Which of them a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Arena,
    Segments,
    /// Callsites for which the arena had no room.
    Sites,
    /// A stage that is not complete.
    Staging,
    /// What is to come into the log, complete; its arena counts no more.
    Stage,
}

impl Kind {
    const ALL: [(Kind, &str); 5] = [
        (Kind::Arena, ARENA_EXTENSION),
        (Kind::Segments, SEGMENTS_EXTENSION),
        (Kind::Sites, SITES_EXTENSION),
        (Kind::Staging, "staging"),
        (Kind::Stage, "recovery"),
    ];

    /// What the name ends in.
    pub(crate) fn extension(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, extension)| extension)
    }
}

impl Stem {
    /// The name of one of the files.
    pub(crate) fn file_name(&self, kind: Kind) -> String {
        format!("{self}.{}", kind.extension())
    }

    /// Takes a file's name apart; none if no engine gives such a name.
    pub(crate) fn parse(name: &str) -> Option<(Stem, Kind)> {
        let (rest, extension) = name.rsplit_once('.')?;
        let (kind, _) = Kind::ALL.iter().find(|(_, known)| *known == extension)?;
        // The base may itself hold dots and hyphens.
        let (base, process) = rest.rsplit_once('.')?;
        let (pid, id) = process.split_once('-')?;
        let is_id = (1..=ID_LEN_MAX).contains(&id.len())
            && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_pid = pid.bytes().all(|byte| byte.is_ascii_digit());
        let pid = pid.parse().ok().filter(|_| is_pid)?;
        let stem = Stem { base: base.to_owned(), pid, id: id.to_owned() };
        (is_id && !base.is_empty()).then_some((stem, *kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_they_are_made() {
        for base in ["app", "app@7-2", "a.b-c", "app.12-0a"] {
            let stem = Stem { base: base.to_owned(), pid: 4711, id: "00ff".to_owned() };
            for (kind, extension) in Kind::ALL {
                let name = stem.file_name(kind);
                assert_eq!(name, format!("{base}.4711-00ff.{extension}"));
                assert_eq!(Stem::parse(&name), Some((stem.clone(), kind)));
            }
        }
        let others = [
            "app.x-00ff.arena",
            "app.3-.arena",
            "app.+3-00ff.arena",
            "app.-00ff.arena",
            "app.3-00fg.arena",
            "app.3-00FF.arena",
            "app.3-00000000000000000ff.arena",
            "app.99999999999-00ff.arena",
            ".3-00ff.arena",
            "3-00ff.arena",
            "app.3-00ff",
            "app.3-00ff.arenas",
            "app.lock",
            "",
        ];
        for name in others {
            assert_eq!(Stem::parse(name), None, "{name}");
        }
    }
}
