//! One log, read in its order, each line once, while its files are rotated, packed and removed.
//! What this relies on is written down in `docs/shipping.md`.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fastlog::cli_support::{LogFile, log_file, to_read_through_links};

use super::binary::{BinaryLines, Kind};
use super::listing::Listing;
use super::open::{is_packed, lines_in, read_on, unpack};
use super::trouble::{Telling, tell};

/// How much of two files is compared: more than the first line or the begin of the first segment,
/// which have times to the nanosecond.
const HEAD_BYTES: usize = 4096;

/// A directory, as all that read its logs know it.
pub type Shared = Rc<RefCell<Listing>>;

/// One that was not read yet.
pub fn shared(dir: &Path) -> Shared {
    Rc::new(RefCell::new(Listing::of(dir)))
}

/// Device and inode: while a file is open, no other has them.
type Id = (u64, u64);

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

/// How far a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What there is.
    Present,
    /// What will come as well.
    Future,
}

/// Where in a log the next line is.
pub struct Cursor {
    dir: PathBuf,
    /// The file that is written now.
    live: PathBuf,
    /// The base of the rotated files; none for a file that is not one of a log.
    base: Option<String>,
    /// That of all its files.
    kind: Kind,
    extent: Extent,
    /// The directory, as all of its logs know it.
    listing: Shared,
    /// Rotated files that were opened, or are not wanted: number and start, which no other has.
    done: BTreeSet<(u64, String)>,
    /// Those that come next, as of the last look at the directory: it is not looked at again before
    /// they are read, as there may be thousands.
    listed: VecDeque<(LogFile, PathBuf)>,
    current: Option<Current>,
    /// The file after the current one, of which the rest is read first.
    next: Option<Current>,
}

/// The file that is read.
enum Current {
    Plain { id: Id, reader: Telling<BufReader<File>> },
    Binary { id: Id, lines: Box<BinaryLines<File>> },
    Packed(Box<dyn BufRead>),
}

impl Cursor {
    /// All of a directory's log of this base and kind.
    pub fn of_log(listing: &Shared, dir: &Path, base: &str, kind: Kind, extent: Extent) -> Cursor {
        let live = dir.join(format!("{base}.{}", kind.extension()));
        let (listing, base) = (Rc::clone(listing), Some(base.to_owned()));
        let (done, listed) = (BTreeSet::new(), VecDeque::new());
        let dir = dir.to_owned();
        Cursor { dir, live, base, kind, extent, listing, done, listed, current: None, next: None }
    }

    /// The same log, of which nothing was read.
    pub fn unread(&self) -> Cursor {
        let base = self.base.clone().unwrap_or_default();
        Cursor::of_log(&self.listing, &self.dir, &base, self.kind, self.extent)
    }

    /// A file that is written now, and what comes after it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn of_file(path: &Path) -> io::Result<Cursor> {
        let file = to_read_through_links(path)?;
        let kind = Kind::of_file(&file, path)?;
        let current = Current::unpacked(file, path, kind)?;
        let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
        let file = path.file_name().and_then(OsStr::to_str).and_then(log_file);
        let base = file.map(|file| file.base).unwrap_or_default();
        let listing = shared(dir);
        let mut cursor = Cursor::of_log(&listing, dir, &base, kind, Extent::Future);
        path.clone_into(&mut cursor.live);
        cursor.base = cursor.base.filter(|base| !base.is_empty());
        for (file, path) in cursor.rotated() {
            // Opened before, this file may be a rotated one by now, with others behind it.
            if !current.is_same(&path) {
                cursor.done.insert((file.number, file.start));
            } else {
                break;
            }
        }
        cursor.current = Some(current);
        Ok(cursor)
    }

    /// Appends to a line what there is of it. Says whether it is whole; if it is not, there is no
    /// more for now.
    pub fn read(&mut self, line: &mut Vec<u8>) -> bool {
        loop {
            if let Some(current) = &mut self.current {
                if current.read_on(line) {
                    return true;
                }
                if self.next.is_none() {
                    if current.rewind_if_cut() {
                        line.clear();
                        continue;
                    }
                    if !current.is_left(&self.live) {
                        return self.end(line);
                    }
                }
            }
            if let Some(next) = self.next.take() {
                self.current = Some(next);
                if !line.is_empty() {
                    // Nobody will end it.
                    return true;
                }
            } else if let Some(next) = self.find_next() {
                // What was appended before it was left comes first.
                self.current.iter_mut().for_each(Current::finish);
                self.next = Some(next);
            } else {
                return self.end(line);
            }
        }
    }

    /// There is no more for now.
    fn end(&mut self, line: &mut Vec<u8>) -> bool {
        match &mut self.current {
            Some(current) if self.extent == Extent::Present => {
                current.finish();
                current.read_on(line)
            }
            _ => false,
        }
    }

    /// Copies the lines of a binary log, of which nothing was read yet, up to its last file's end.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn copy_binary(&mut self, out: &mut impl Write) -> io::Result<()> {
        while self.kind == Kind::Binary {
            let Some(next) = self.find_next() else { break };
            let current = self.current.insert(next);
            io::copy(current.lines(), out)?;
            if !current.is_left(&self.live) {
                break;
            }
            current.finish();
            io::copy(current.lines(), out)?;
        }
        Ok(())
    }

    /// The file after the current one. What cannot be read is told, and passed over.
    fn find_next(&mut self) -> Option<Current> {
        loop {
            if let Some((file, path)) = self.listed.pop_front() {
                let opened = match Look::at(&path) {
                    Look::File(opened) => Some(opened),
                    Look::Nothing => {
                        // Removed, or packed: then it is listed anew under another name.
                        self.listed.clear();
                        self.listing.borrow_mut().forget();
                        continue;
                    }
                    Look::Bad => None,
                };
                let is_current = self
                    .current
                    .as_ref()
                    .is_some_and(|current| opened.is_some() && current.is_same(&path));
                self.done.insert((file.number, file.start));
                let next = opened.filter(|_| !is_current).map(|opened| Current::of(opened, &path));
                match next {
                    Some(Ok(next)) => return Some(next),
                    Some(Err(error)) => tell(&path, &error),
                    None => {}
                }
                continue;
            }
            // First: what was rotated before is in the list, and what is rotated later stays open.
            let live = Look::at(&self.live);
            self.listed = self.rotated().into();
            if !self.listed.is_empty() {
                continue;
            }
            let Look::File(live) = live else { return None };
            let is_current = self.current.as_ref().is_some_and(|current| current.is(&live));
            if is_current {
                return None;
            }
            let next = Current::of(live, &self.live);
            return next.inspect_err(|error| tell(&self.live, error)).ok();
        }
    }

    /// The rotated files that were not read yet, in their order; of a packed one's two, the plain
    /// one. Read from the directory once, for as many as there are.
    fn rotated(&self) -> Vec<(LogFile, PathBuf)> {
        let Some(base) = &self.base else { return Vec::new() };
        let listed = self.listing.borrow_mut().rotated(base);
        let listed = listed.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tell(&self.dir, &error);
            }
            Vec::new()
        });
        let files = listed.into_iter().map(|(file, name)| (file, self.dir.join(name)));
        let is_wanted = |(file, path): &(LogFile, PathBuf)| {
            let is_done = self.done.contains(&(file.number, file.start.clone()));
            !is_done && Kind::of(path) == self.kind && *path != self.live
        };
        let mut files: Vec<_> = files.filter(is_wanted).collect();
        files.dedup_by(|later, first| later.0 == first.0);
        files
    }
}

/// What is at a path.
enum Look {
    File(File),
    /// Not even a link.
    Nothing,
    /// Something that cannot be read, which was told.
    Bad,
}

impl Look {
    fn at(path: &Path) -> Look {
        match to_read_through_links(path) {
            Ok(file) => Look::File(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Look::Nothing,
            Err(error) => {
                tell(path, &error);
                Look::Bad
            }
        }
    }
}

impl Current {
    /// A file of a log, packed or not.
    fn of(file: File, path: &Path) -> io::Result<Current> {
        if is_packed(path) {
            return Ok(Current::Packed(lines_in(file, path)?));
        }
        // By what it holds: its name may say something else.
        let kind = Kind::of_file(&file, path)?;
        Current::unpacked(file, path, kind)
    }

    /// A file that is not packed.
    fn unpacked(file: File, path: &Path, kind: Kind) -> io::Result<Current> {
        let id = id(&file.metadata()?);
        Ok(match kind {
            Kind::Lines => Current::Plain { id, reader: Telling::new(BufReader::new(file), path) },
            Kind::Binary => {
                Current::Binary { id, lines: Box::new(BinaryLines::growing(file, path)) }
            }
        })
    }

    fn lines(&mut self) -> &mut dyn BufRead {
        match self {
            Current::Plain { reader, .. } => reader,
            Current::Binary { lines, .. } => lines,
            Current::Packed(reader) => reader,
        }
    }

    /// What cannot be read on was told, and ends there.
    fn read_on(&mut self, line: &mut Vec<u8>) -> bool {
        read_on(self.lines(), line).unwrap_or_default()
    }

    /// Nothing more will be appended to it.
    fn finish(&mut self) {
        if let Current::Binary { lines, .. } = self {
            lines.finish();
        }
    }

    /// Goes back to the beginning of a file that is shorter than what was read of it.
    fn rewind_if_cut(&mut self) -> bool {
        let is_cut = match self {
            Current::Plain { reader, .. } => rewind_if_cut(reader.input_mut()),
            Current::Binary { lines, .. } => lines.rewind_if_cut(),
            Current::Packed(_) => Ok(false),
        };
        // One that cannot be looked at any more is as long as it was.
        is_cut.unwrap_or_default()
    }

    /// The open file, and what it is known by; none for a packed one.
    fn file(&self) -> Option<(&File, Id)> {
        match self {
            Current::Plain { id, reader } => Some((reader.input().get_ref(), *id)),
            Current::Binary { id, lines } => Some((lines.file(), *id)),
            Current::Packed(_) => None,
        }
    }

    /// Whether it is this open file.
    fn is(&self, file: &File) -> bool {
        let other = file.metadata().map(|metadata| id(&metadata)).ok();
        other.is_some() && self.file().map(|(_, id)| id) == other
    }

    /// Whether nothing more will be appended to it: another file has the name.
    fn is_left(&self, live: &Path) -> bool {
        let Some((_, current)) = self.file() else { return true };
        fs::metadata(live).map(|metadata| id(&metadata)).ok() != Some(current)
    }

    /// Whether a rotated file is this one, or what became of it when it was packed.
    fn is_same(&self, path: &Path) -> bool {
        let Some((reads, _)) = self.file() else { return false };
        let Look::File(file) = Look::at(path) else { return false };
        if !is_packed(path) {
            return self.is(&file);
        }
        let (mut head, mut other) = ([0; HEAD_BYTES], Vec::new());
        let len = reads.read_at(&mut head, 0).unwrap_or_default();
        let Ok(unpacked) = unpack(file, path) else { return false };
        let read = unpacked.take(len as u64).read_to_end(&mut other);
        read.is_ok() && len > 0 && other == head[..len]
    }
}

fn rewind_if_cut(reader: &mut BufReader<File>) -> io::Result<bool> {
    let is_cut = reader.get_ref().metadata()?.len() < reader.stream_position()?;
    if is_cut {
        reader.rewind()?;
    }
    Ok(is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The lines that there are now.
    fn lines(cursor: &mut Cursor) -> Vec<String> {
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        while cursor.read(&mut line) {
            lines.push(String::from_utf8(std::mem::take(&mut line)).expect("UTF-8"));
        }
        assert!(line.is_empty(), "a part of a line");
        lines
    }

    struct Log {
        dir: tempfile::TempDir,
    }

    impl Log {
        fn live(&self) -> PathBuf {
            self.dir.path().join("app.jsonl")
        }

        fn rotated(&self, number: u64) -> PathBuf {
            self.dir.path().join(format!("app-20261120T213300Z-{number:06}.jsonl"))
        }

        fn append(&self, text: &str) {
            let file = fs::OpenOptions::new().append(true).create(true).open(self.live());
            file.expect("opened").write_all(text.as_bytes()).expect("written");
        }

        /// The first step of a rotation: a second name.
        fn link(&self, number: u64) {
            fs::hard_link(self.live(), self.rotated(number)).expect("linked");
        }

        /// The second: the next file takes the first name.
        fn replace(&self) {
            let next = self.dir.path().join("next");
            File::create(&next).expect("made");
            fs::rename(next, self.live()).expect("renamed");
        }

        fn pack(&self, number: u64) {
            let plain = self.rotated(number);
            let packed = zstd::encode_all(File::open(&plain).expect("opened"), 1).expect("packed");
            fs::write(plain.with_extension("jsonl.zst"), packed).expect("written");
            fs::remove_file(plain).expect("removed");
        }
    }

    /// What a log may become between two looks.
    #[test]
    fn no_line_is_missed_or_read_twice() {
        let log = Log { dir: tempfile::tempdir().expect("a directory") };
        let mut cursor = Cursor::of_log(
            &shared(log.dir.path()),
            log.dir.path(),
            "app",
            Kind::Lines,
            Extent::Future,
        );
        assert_eq!(lines(&mut cursor), [""; 0]);
        log.append("1\n");
        assert_eq!(lines(&mut cursor), ["1"]);
        // Between the two steps.
        log.link(1);
        log.append("2\n");
        assert_eq!(lines(&mut cursor), ["2"]);
        assert_eq!(
            lines(&mut Cursor::of_log(
                &shared(log.dir.path()),
                log.dir.path(),
                "app",
                Kind::Lines,
                Extent::Future
            )),
            ["1", "2"]
        );
        log.replace();
        log.append("3\n");
        assert_eq!(lines(&mut cursor), ["3"]);
        // Rotated twice; the one that was read is packed, the one that was not as well.
        log.append("4\n");
        log.link(2);
        log.replace();
        log.append("5\n");
        log.link(3);
        log.replace();
        log.append("6\n");
        log.pack(1);
        log.pack(2);
        log.pack(3);
        assert_eq!(lines(&mut cursor), ["4", "5", "6"]);
        // Rotated, packed, and removed by retention.
        log.link(4);
        log.replace();
        log.append("7\n");
        for entry in fs::read_dir(log.dir.path()).expect("a directory").flatten() {
            if entry.path() != log.live() {
                fs::remove_file(entry.path()).expect("removed");
            }
        }
        assert_eq!(lines(&mut cursor), ["7"]);
        // Begun anew, numbers too.
        fs::remove_file(log.live()).expect("removed");
        log.append("8\n");
        fs::hard_link(log.live(), log.dir.path().join("app-20261121T213300Z-000001.jsonl"))
            .expect("linked");
        log.replace();
        log.append("9\n");
        assert_eq!(lines(&mut cursor), ["8", "9"]);
        let all = lines(&mut Cursor::of_log(
            &shared(log.dir.path()),
            log.dir.path(),
            "app",
            Kind::Lines,
            Extent::Future,
        ));
        assert_eq!(all, ["8", "9"]);
    }

    #[test]
    fn a_named_file_is_the_first() {
        let log = Log { dir: tempfile::tempdir().expect("a directory") };
        for number in 1..4 {
            log.append(&format!("{number}\n"));
            log.link(number);
            log.replace();
        }
        log.append("4\n");
        log.pack(1);
        let mut cursor = Cursor::of_file(&log.live()).expect("opened");
        assert_eq!(lines(&mut cursor), ["4"]);
        log.link(4);
        log.replace();
        log.pack(4);
        log.append("5\n");
        assert_eq!(lines(&mut cursor), ["5"]);
    }
}
