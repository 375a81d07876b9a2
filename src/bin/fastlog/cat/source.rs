//! Where lines come from: files in the order of a log, packed or not, or the standard input. Holds
//! one line of each.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use fastlog::cli_support::{LogFile, is_of, log_file};

use super::record::Record;
use crate::args::Cat;

/// The longest line that is looked at as one.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Files that are read one after the other.
pub struct Source {
    /// Those still to be read, the next one last.
    files: Vec<PathBuf>,
    reader: Option<Box<dyn BufRead>>,
    line: Vec<u8>,
    /// Of the line; empty for one that is no record: it comes at once.
    time: String,
    is_filled: bool,
}

/// One source for each log of a directory, and one for all files that are named.
///
/// # Errors
/// A path leads nowhere, or a directory has no log.
pub fn all(arguments: &Cat) -> Result<Vec<Source>, Box<dyn Error>> {
    let mut sources = Vec::new();
    let mut named = Vec::new();
    for path in &arguments.paths {
        if path != Path::new("-") && fs::metadata(path).map_err(|e| at(path, &e))?.is_dir() {
            sources.extend(logs(path, arguments.name.as_deref())?);
        } else {
            named.push(path.clone());
        }
    }
    if !named.is_empty() {
        sources.push(Source::new(named));
    }
    Ok(sources)
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// The logs of a directory, each with its files in order.
fn logs(dir: &Path, name: Option<&str>) -> Result<Vec<Source>, Box<dyn Error>> {
    let mut bases: BTreeMap<String, Vec<(LogFile, PathBuf)>> = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(|error| at(dir, &error))? {
        let path = entry?.path();
        let file = path.file_name().and_then(OsStr::to_str).and_then(log_file);
        let Some(file) = file.filter(|file| name.is_none_or(|name| is_of(&file.base, name))) else {
            continue;
        };
        bases.entry(file.base.clone()).or_default().push((file, path));
    }
    if bases.is_empty() {
        let of = name.map(|name| format!(" of the name `{name}`")).unwrap_or_default();
        return Err(format!("{}: no log{of} is here: files are `NAME.jsonl`", dir.display()).into());
    }
    let sources = bases.into_values().map(|mut files| {
        files.sort();
        Source::new(files.into_iter().map(|(_, path)| path).collect())
    });
    Ok(sources.collect())
}

impl Source {
    fn new(mut files: Vec<PathBuf>) -> Source {
        files.reverse();
        Source { files, reader: None, line: Vec::new(), time: String::new(), is_filled: false }
    }

    /// Reads the next line, if none waits.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn fill(&mut self) -> io::Result<()> {
        while !self.is_filled {
            if self.reader.is_none() {
                let Some(path) = self.files.pop() else { return Ok(()) };
                let opened = open(&path);
                self.reader = Some(opened.map_err(|e| io::Error::new(e.kind(), at(&path, &e)))?);
            }
            let Some(reader) = &mut self.reader else { return Ok(()) };
            self.line.clear();
            if reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)? == 0 {
                self.reader = None;
                continue;
            }
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            }
            let record = Record::parse(&self.line);
            let time = record.as_ref().and_then(|record| record.text("timestamp"));
            time.unwrap_or_default().clone_into(&mut self.time);
            self.is_filled = true;
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

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path)?;
    Ok(match path.extension().and_then(OsStr::to_str) {
        Some("zst") => Box::new(BufReader::new(zstd::Decoder::new(file)?)),
        Some("gz") => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(file))),
        _ => Box::new(BufReader::new(file)),
    })
}
