//! Where lines come from: logs of directories, files that are named, the standard input. Holds one
//! line of each.

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastlog::cli_support::{is_of, log_file};

use super::binary::{Kind, is_binary_name, lines_of};
use super::cursor::{Cursor, Extent};
use super::open::{at, is_packed, lines_in, read_on};
use super::record::Record;
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

/// All that is read.
pub struct Sources {
    pub list: Vec<Source>,
    dirs: Vec<PathBuf>,
    name: Option<String>,
    /// The logs that are read, as directory, base and kind.
    known: BTreeSet<(PathBuf, String, Kind)>,
    extent: Extent,
    looked: Instant,
}

impl Sources {
    /// One source for each log of a directory, and one for all files that are named; if they are
    /// followed, one for each that may grow.
    ///
    /// # Errors
    /// A path leads nowhere, or a directory that is not followed has no log.
    pub fn new(arguments: &Cat) -> Result<Sources, Box<dyn Error>> {
        let mut sources = Sources {
            list: Vec::new(),
            dirs: Vec::new(),
            name: arguments.name.clone(),
            known: BTreeSet::new(),
            extent: if arguments.follow { Extent::Future } else { Extent::Present },
            looked: Instant::now(),
        };
        let mut named = VecDeque::new();
        for path in &arguments.paths {
            if path != Path::new(STDIN) && fs::metadata(path).map_err(|e| at(path, &e))?.is_dir() {
                sources.dirs.push(path.clone());
            } else if arguments.follow && may_grow(path) {
                sources.add(Input::Log(Box::new(Cursor::of_file(path)?)));
            } else {
                named.push_back(path.clone());
            }
        }
        if !named.is_empty() {
            sources.add(Input::Named { files: named, reader: None });
        }
        for dir in sources.dirs.clone() {
            if !sources.add_logs(&dir)? && !arguments.follow {
                let of = arguments.name.as_ref().map(|name| format!(" of the name `{name}`"));
                let (dir, of) = (dir.display(), of.unwrap_or_default());
                let files = "files are `NAME.jsonl` or `NAME.flog`";
                return Err(format!("{dir}: no log{of} is here: {files}").into());
            }
        }
        Ok(sources)
    }

    fn add(&mut self, input: Input) {
        self.list.push(Source::new(input, self.extent));
    }

    /// Adds the logs of a directory that are not read yet; says whether there were any.
    fn add_logs(&mut self, dir: &Path) -> io::Result<bool> {
        let before = self.list.len();
        for entry in fs::read_dir(dir).map_err(|error| at(dir, &error))? {
            let name = entry?.file_name();
            let Some(file) = name.to_str().and_then(log_file) else { continue };
            let kind = Kind::of(Path::new(&name));
            let is_wanted = self.name.as_ref().is_none_or(|name| is_of(&file.base, name));
            if is_wanted && self.known.insert((dir.to_owned(), file.base.clone(), kind)) {
                let cursor = Cursor::of_log(dir, &file.base, kind, self.extent);
                self.add(Input::Log(Box::new(cursor)));
            }
        }
        Ok(self.list.len() > before)
    }

    /// Lets all sources look for more.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn look_again(&mut self) -> io::Result<()> {
        self.list.iter_mut().for_each(|source| source.is_dry = false);
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            for dir in self.dirs.clone() {
                self.add_logs(&dir)?;
            }
        }
        Ok(())
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
}

impl Source {
    fn new(input: Input, extent: Extent) -> Source {
        let (line, time) = (Vec::new(), String::new());
        Source { input, extent, line, time, is_filled: false, is_dry: false }
    }

    /// Copies files that are named, up to the first that is not binary, or a binary log: the lines
    /// of binary files are records, none needs to be looked at.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn copy_binary(&mut self, out: &mut impl Write) -> io::Result<()> {
        let files = match &mut self.input {
            Input::Named { files, .. } => files,
            Input::Log(cursor) if self.extent == Extent::Present => return cursor.copy_binary(out),
            Input::Log(_) => return Ok(()),
        };
        while let Some(path) = files.front().filter(|path| is_binary_name(path)) {
            let mut lines = open(path).map_err(|error| at(path, &error))?;
            io::copy(&mut lines, out)?;
            files.pop_front();
        }
        Ok(())
    }

    /// Reads the next line, if none waits.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn fill(&mut self, order: Order) -> io::Result<()> {
        if self.is_filled || self.is_dry {
            return Ok(());
        }
        let is_whole = match &mut self.input {
            Input::Named { files, reader } => read_named(files, reader, &mut self.line)?,
            Input::Log(cursor) => cursor.read(&mut self.line)?,
        };
        self.is_dry = !is_whole;
        // The last line of what is not followed is a line also without its end.
        self.is_filled = is_whole || self.extent == Extent::Present && !self.line.is_empty();
        if self.is_filled && order == Order::ByTime {
            let record = Record::parse(&self.line);
            let time = record.as_ref().and_then(|record| record.text("timestamp"));
            time.unwrap_or_default().clone_into(&mut self.time);
        }
        Ok(())
    }

    /// The time of the line that waits: texts that sort as times do.
    pub fn time(&self) -> Option<&str> {
        self.is_filled.then_some(&*self.time)
    }

    /// The line that waits.
    pub fn take(&mut self) -> Vec<u8> {
        self.is_filled = false;
        std::mem::take(&mut self.line)
    }
}

/// The next line of files; the last of each is one also without its end.
fn read_named(
    files: &mut VecDeque<PathBuf>,
    reader: &mut Option<Box<dyn BufRead>>,
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    loop {
        if let Some(open) = reader {
            if read_on(open, line)? || !line.is_empty() {
                return Ok(true);
            }
        }
        let Some(path) = files.pop_front() else {
            *reader = None;
            return Ok(false);
        };
        *reader = Some(open(&path).map_err(|error| at(&path, &error))?);
    }
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new(STDIN) {
        return lines_of(BufReader::new(io::stdin()), path);
    }
    lines_in(File::open(path)?, path)
}
