//! Where lines come from: logs of directories, files that are named, the standard input. Holds one
//! line of each.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastlog::cli_support::{is_of, log_file, to_read_through_links};

use super::binary::{Kind, is_binary_name, lines_of};
use super::cursor::{Cursor, Extent, Shared, shared};
use super::open::{is_packed, lines_in, read_on};
use super::record::Record;
use super::trouble::{Telling, tell};
use crate::args::Cat;

/// How often a directory is looked at for logs that are new in it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const STDIN: &str = "-";

/// In which order the lines of the sources come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In that of the only source.
    Own,
    /// By the time of the records.
    ByTime,
}

/// Logs beyond which no file is open before its first line is due.
const OPEN_MAX: usize = 64;

/// All that is read, merged by the time of the next records; each source keeps its own order.
pub struct Sources {
    list: Vec<Source>,
    /// Those of which a line waits, by its time.
    ready: BinaryHeap<Reverse<(String, usize)>>,
    /// Those that were not asked since a line was taken.
    asked: Vec<usize>,
    dirs: Vec<(PathBuf, Shared)>,
    name: Option<String>,
    /// The logs that are read, as directory, base and kind.
    known: BTreeSet<(PathBuf, String, Kind)>,
    extent: Extent,
    looked: Instant,
}

impl Sources {
    /// One source for each log of a directory, and one for all files that are named; if they are
    /// followed, one for each that may grow. What cannot be read is told.
    pub fn new(arguments: &Cat) -> Sources {
        let mut sources = Sources {
            list: Vec::new(),
            ready: BinaryHeap::new(),
            asked: Vec::new(),
            dirs: Vec::new(),
            name: arguments.name.clone(),
            known: BTreeSet::new(),
            extent: if arguments.follow { Extent::Future } else { Extent::Present },
            looked: Instant::now(),
        };
        let mut named = VecDeque::new();
        for path in &arguments.paths {
            if path != Path::new(STDIN) && path.is_dir() {
                sources.dirs.push((path.clone(), shared(path)));
            } else if arguments.follow && may_grow(path) {
                match Cursor::of_file(path) {
                    Ok(cursor) => sources.add(Input::Log(Box::new(cursor))),
                    Err(error) => tell(path, &error),
                }
            } else {
                named.push_back(path.clone());
            }
        }
        if !named.is_empty() {
            sources.add(Input::Named { files: named, reader: None });
        }
        for (dir, listing) in sources.dirs.clone() {
            if !sources.add_logs(&dir, &listing) && !arguments.follow {
                let of = arguments.name.as_ref().map(|name| format!(" of the name `{name}`"));
                let (of, files) = (of.unwrap_or_default(), "files are `NAME.jsonl` or `NAME.flog`");
                tell(&dir, &format!("no log{of} is here: {files}"));
            }
        }
        sources
    }

    fn add(&mut self, input: Input) {
        self.asked.push(self.list.len());
        self.list.push(Source::new(input, self.extent));
    }

    /// Adds the logs of a directory that are not read yet; says whether there were any.
    fn add_logs(&mut self, dir: &Path, listing: &Shared) -> bool {
        let before = self.list.len();
        let names = fs::read_dir(dir).and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()
        });
        let names = names.unwrap_or_else(|error| {
            tell(dir, &error);
            Vec::new()
        });
        for name in names {
            let Some(file) = name.to_str().and_then(log_file) else { continue };
            let kind = Kind::of(Path::new(&name));
            let is_wanted = self.name.as_ref().is_none_or(|name| is_of(&file.base, name));
            if is_wanted && self.known.insert((dir.to_owned(), file.base.clone(), kind)) {
                let cursor = Cursor::of_log(listing, dir, &file.base, kind, self.extent);
                self.add(Input::Log(Box::new(cursor)));
            }
        }
        self.list.len() > before
    }

    /// The only source, if there is one alone.
    pub fn alone(&mut self) -> Option<&mut Source> {
        match &mut self.list[..] {
            [alone] => Some(alone),
            _ => None,
        }
    }

    /// The next line of all; none if there is no more for now.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        // One alone has nothing to be merged with, and its lines' times need not be looked for.
        let order = if self.list.len() == 1 { Order::Own } else { Order::ByTime };
        let is_crowded = self.extent == Extent::Present && self.list.len() > OPEN_MAX;
        loop {
            while let Some(index) = self.asked.pop() {
                let source = &mut self.list[index];
                source.fill(order);
                if let Some(time) = source.time() {
                    self.ready.push(Reverse((time, index)));
                    if is_crowded {
                        source.close_unless_begun();
                    }
                }
            }
            let Reverse((_, index)) = self.ready.pop()?;
            let source = &mut self.list[index];
            // Closed meanwhile: its first line is read again.
            source.fill(order);
            self.asked.push(index);
            if source.is_filled {
                return Some(source.take());
            }
        }
    }

    /// Lets all sources look for more.
    pub fn look_again(&mut self) {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            for (dir, listing) in self.dirs.clone() {
                self.add_logs(&dir, &listing);
            }
        }
        for (index, source) in self.list.iter_mut().enumerate() {
            if std::mem::take(&mut source.is_dry) {
                self.asked.push(index);
            }
        }
    }

    /// Whether nothing will come that is not there.
    pub fn are_finished(&self) -> bool {
        let may_grow = self.list.iter().any(|source| matches!(source.input, Input::Log(_)));
        self.extent == Extent::Present || self.dirs.is_empty() && !may_grow
    }
}

/// Whether a named file is one that is written: neither packed nor rotated.
fn may_grow(path: &Path) -> bool {
    let file = path.file_name().and_then(OsStr::to_str).and_then(log_file);
    let is_rotated = file.is_some_and(|file| !file.start.is_empty());
    path != Path::new(STDIN) && !is_packed(path) && !is_rotated
}

enum Input {
    /// Files that are read one after the other.
    Named {
        files: VecDeque<PathBuf>,
        reader: Option<Box<dyn BufRead>>,
    },
    Log(Box<Cursor>),
    /// All was read.
    Nothing,
}

/// A line at a time.
pub struct Source {
    input: Input,
    extent: Extent,
    /// Whole if it is filled; what there is of it otherwise.
    line: Vec<u8>,
    /// Of the line; empty for one that is no record: it comes at once.
    time: String,
    is_filled: bool,
    /// There was nothing more when it was last looked for.
    is_dry: bool,
    /// Whether a line was taken from it.
    has_begun: bool,
}

impl Source {
    fn new(input: Input, extent: Extent) -> Source {
        let (line, time) = (Vec::new(), String::new());
        Source { input, extent, line, time, is_filled: false, is_dry: false, has_begun: false }
    }

    /// Copies files that are named, up to the first that is not binary, or a binary log: the lines
    /// of binary files are records, none needs to be looked at.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn copy_binary(&mut self, out: &mut impl Write) -> io::Result<()> {
        let files = match &mut self.input {
            Input::Named { files, .. } => files,
            Input::Log(cursor) if self.extent == Extent::Present => return cursor.copy_binary(out),
            Input::Log(_) | Input::Nothing => return Ok(()),
        };
        while let Some(path) = files.front().filter(|path| is_binary_name(path)) {
            if let Some(mut lines) = open(path) {
                io::copy(&mut lines, out)?;
            }
            files.pop_front();
        }
        Ok(())
    }

    /// Reads the next line, if none waits.
    fn fill(&mut self, order: Order) {
        if self.is_filled || self.is_dry {
            return;
        }
        let is_whole = match &mut self.input {
            Input::Named { files, reader } => read_named(files, reader, &mut self.line),
            Input::Log(cursor) => cursor.read(&mut self.line),
            Input::Nothing => false,
        };
        self.is_dry = !is_whole;
        if self.is_dry && self.extent == Extent::Present {
            // Its files need not be open while others are read.
            self.input = Input::Nothing;
        }
        // The last line of what is not followed is a line also without its end.
        self.is_filled = is_whole || self.extent == Extent::Present && !self.line.is_empty();
        if self.is_filled && order == Order::ByTime {
            let record = Record::parse(&self.line);
            let time = record.as_ref().and_then(|record| record.text("timestamp"));
            time.unwrap_or_default().clone_into(&mut self.time);
        }
    }

    /// The time of the line that waits: texts that sort as times do. To be asked once for each.
    fn time(&mut self) -> Option<String> {
        self.is_filled.then(|| std::mem::take(&mut self.time))
    }

    /// Closes a log of which nothing was taken yet, lest thousands of files be open at a time: its
    /// first line, the time of which is known, is read again when it is due.
    fn close_unless_begun(&mut self) {
        if let (Input::Log(cursor), false) = (&mut self.input, self.has_begun) {
            **cursor = cursor.unread();
            (self.is_filled, self.is_dry) = (false, false);
            self.line.clear();
        }
    }

    /// The line that waits.
    fn take(&mut self) -> Vec<u8> {
        (self.is_filled, self.has_begun) = (false, true);
        std::mem::take(&mut self.line)
    }
}

/// The next line of files; the last of each is one also without its end. Those that cannot be
/// opened are told.
fn read_named(
    files: &mut VecDeque<PathBuf>,
    reader: &mut Option<Box<dyn BufRead>>,
    line: &mut Vec<u8>,
) -> bool {
    loop {
        if let Some(open) = reader {
            if read_on(open, line).unwrap_or_default() || !line.is_empty() {
                return true;
            }
        }
        let Some(path) = files.pop_front() else {
            *reader = None;
            return false;
        };
        *reader = open(&path);
    }
}

/// The lines of a file; none if it cannot be opened, which is told.
fn open(path: &Path) -> Option<Box<dyn BufRead>> {
    let opened = if path == Path::new(STDIN) {
        lines_of(Telling::new(BufReader::new(io::stdin()), Path::new("<stdin>")), path)
    } else if is_stream(path) {
        File::open(path).and_then(|file| lines_of(Telling::new(BufReader::new(file), path), path))
    } else {
        to_read_through_links(path).and_then(|file| lines_in(file, path))
    };
    opened.inspect_err(|error| tell(path, error)).ok()
}

/// Whether the path names a stream that this process was given, as shells do for `<(command)`. Of
/// what else is no file nobody knows whether anything will ever come.
fn is_stream(path: &Path) -> bool {
    ["/dev/fd", "/proc/self/fd", "/dev/stdin"].iter().any(|streams| path.starts_with(streams))
}
