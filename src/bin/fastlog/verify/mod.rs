//! `fastlog verify`: whether the logs of a directory are whole, and nothing waits in an arena. Only
//! looks.

pub mod args;
mod log;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use fastlog::cli_support::{
    Found, Holder, Inspected, LogFile, Recovery, RecoveryReport, Snapshot, log_file,
    look_at_arenas, recover,
};
use serde_json::{Value, json};

use crate::cat::{is_any_trouble, tell};
use crate::output;
use crate::recover::{kept_object, recovered_object, sentences};
use crate::stat::text::{grouped, plain};
use args::Verify;
use log::{Log, Writer};

/// Something is not whole, or waits.
const NOT_WHOLE: u8 = 3;

/// All that was found.
struct Findings {
    logs: Vec<Log>,
    live: Vec<Snapshot>,
    waiting: RecoveryReport,
}

/// Looks, and says what there is.
pub fn run(arguments: &Verify) -> Result<ExitCode, Box<dyn Error>> {
    let findings = Findings::look(arguments).map_err(|error| {
        let dir = plain(&arguments.dir.to_string_lossy());
        format!("{dir}: {error}; name a directory of logs that you may read")
    })?;
    let text = if arguments.json { format!("{}\n", findings.object()) } else { findings.text() };
    let is_written = output::is_written(io::stdout().write_all(text.as_bytes()));
    Ok(match (is_written && !is_any_trouble(), findings.is_whole()) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::from(NOT_WHOLE),
        (true, true) => ExitCode::SUCCESS,
    })
}

impl Findings {
    fn look(arguments: &Verify) -> io::Result<Findings> {
        let dir = &arguments.dir;
        // Before the files: whatever is recovered meanwhile is in them then.
        let waiting = recover(dir, Recovery::DryRun)?;
        let found = look_at_arenas(dir)?;
        let live: Vec<Snapshot> = found.into_iter().filter_map(live).collect();
        let mut bases: BTreeMap<String, Vec<(LogFile, String)>> = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if let Some(file) = log_file(&name) {
                bases.entry(file.base.clone()).or_default().push((file, name));
            }
        }
        let mut logs = Vec::new();
        for (base, mut files) in bases {
            files.sort_unstable();
            // Of one that is being packed both are there.
            files.dedup_by(|later, file| later.0 == file.0 && file.0.number != u64::MAX);
            let is_live = live.iter().any(|engine| {
                let path = engine.stats.log_path().and_then(|path| path.file_name());
                files.iter().any(|(_, name)| path == Some(name.as_ref()))
            });
            let writer = if is_live { Writer::Lives } else { Writer::Gone };
            let mut log = Log { base, missing_files: missing(&files), ..Log::default() };
            for (file, name) in &files {
                let path = dir.join(name);
                let writer = if file.number == u64::MAX { writer } else { Writer::Gone };
                if let Err(error) = log.read(&path, writer) {
                    tell(&path, &error);
                }
            }
            logs.push(log);
        }
        Ok(Findings { logs, live, waiting })
    }

    fn is_whole(&self) -> bool {
        let is_whole = |log: &Log| log.broken == 0 && log.missing_files == 0;
        let waiting = &self.waiting;
        self.logs.iter().all(is_whole)
            && waiting.arenas.iter().all(|arena| arena.to.is_none())
            && waiting.kept.is_empty()
            && waiting.troubles.is_empty()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for log in &self.logs {
            let base = plain(&log.base);
            text += &format!(
                "{base}: {} lines in {} files, {} broken; {} records of the program, {} dropped \
                 and told, {} brought back from killed processes\n",
                grouped(log.lines),
                grouped(log.files),
                grouped(log.broken),
                grouped(log.records),
                grouped(log.dropped),
                grouped(log.recovered)
            );
            for place in &log.broken_at {
                text += &format!("{base}: broken: {}\n", plain(place));
            }
            if log.missing_files > 0 {
                let missing = grouped(log.missing_files);
                text += &format!("{base}: {missing} files are missing between the others\n");
            }
            if log.unreadable > 0 {
                let unreadable = grouped(log.unreadable);
                text += &format!("{base}: {unreadable} records could not be read back\n");
            }
        }
        for engine in &self.live {
            let stats = &engine.stats;
            text += &format!(
                "{}: live, process {}: {} submitted = {} written + {} dropped + {} pending\n",
                plain(&engine.name),
                engine.pid,
                grouped(stats.submitted()),
                grouped(stats.written()),
                grouped(stats.dropped()),
                grouped(stats.pending())
            );
        }
        if self.waiting.arenas.is_empty() && self.waiting.kept.is_empty() {
            text += "nothing waits in an arena\n";
        } else {
            text += &sentences(&self.waiting, Recovery::DryRun);
        }
        text
    }

    fn object(&self) -> Value {
        let logs = self.logs.iter().map(|log| {
            json!({
                "base": log.base,
                "files": log.files,
                "lines": log.lines,
                "records": log.records,
                "broken": log.broken,
                "missing_files": log.missing_files,
                "dropped": log.dropped,
                "recovered": log.recovered,
                "unreadable": log.unreadable,
            })
        });
        let live = self.live.iter().map(|engine| {
            let stats = &engine.stats;
            json!({
                "name": engine.name,
                "pid": engine.pid,
                "submitted": stats.submitted(),
                "written": stats.written(),
                "dropped": stats.dropped(),
                "pending": stats.pending(),
            })
        });
        json!({
            "logs": logs.collect::<Vec<Value>>(),
            "live": live.collect::<Vec<Value>>(),
            "waiting": recovered_object(&self.waiting),
            "kept": kept_object(&self.waiting),
            "is_whole": self.is_whole(),
        })
    }
}

fn live(found: Found) -> Option<Snapshot> {
    match found.what {
        Inspected::Arena(snapshot) if snapshot.holder != Holder::Gone => Some(*snapshot),
        _ => None,
    }
}

/// Numbers that no file has between the lowest and the highest: retention takes the lowest only.
fn missing(files: &[(LogFile, String)]) -> u64 {
    let mut numbers: Vec<u64> =
        files.iter().map(|(file, _)| file.number).filter(|n| *n != u64::MAX && *n != 0).collect();
    numbers.dedup();
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => (last - first + 1).saturating_sub(numbers.len() as u64),
        _ => 0,
    }
}
