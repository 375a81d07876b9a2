//! `fastlog recover`: what a start does by itself, for a service that does not start again.

pub mod args;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use fastlog::cli_support::{RecoveredArena, Recovery, RecoveryReport, recover};
use serde_json::{Value, json};

use crate::stat::text::{bytes, counted, grouped, plain};
use crate::{output, say};
use args::Recover;

/// Something stays, or was lost.
const LOST: u8 = 3;

/// Recovers, and says what became of what.
pub fn run(arguments: &Recover) -> Result<ExitCode, Box<dyn Error>> {
    let how = match arguments {
        Recover { dry_run: true, .. } => Recovery::DryRun,
        Recover { unclean: true, .. } => Recovery::Aside,
        _ => Recovery::IntoLogs,
    };
    let dir = plain(&arguments.dir.to_string_lossy());
    let report = recover(&arguments.dir, how)
        .map_err(|error| format!("{dir}: {error}; name a directory of logs"))?;
    let text = if arguments.json {
        let object = object(&report, how);
        format!("{object}\n")
    } else {
        sentences(&report, how)
    };
    let is_written = output::is_written(io::stdout().write_all(text.as_bytes()));
    report.troubles.iter().for_each(|trouble| say!("{}", plain(trouble)));
    if !is_written {
        return Ok(ExitCode::FAILURE);
    }
    let is_lost = |arena: &RecoveredArena| arena.dropped + arena.unreadable > 0;
    let waits = how == Recovery::DryRun && !report.arenas.is_empty();
    let stays = !report.kept.is_empty() || !report.troubles.is_empty() || waits;
    let is_well = !stays && !report.arenas.iter().any(is_lost);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(LOST) })
}

/// What became of what, as lines.
pub fn sentences(report: &RecoveryReport, how: Recovery) -> String {
    let mut text = String::new();
    let verb = if how == Recovery::DryRun { "would recover" } else { "recovered" };
    for arena in &report.arenas {
        let RecoveredArena { pid, records, lines, dropped, unreadable, .. } = arena;
        let base = plain(&arena.base);
        let Some(to) = &arena.to else {
            text += &format!("{base}: process {pid} owed nothing\n");
            continue;
        };
        text += &format!(
            "{base}: {verb} {} records of process {pid}, {} from its rings and {} lines that were \
             not in the log, into {}\n",
            grouped(records + lines),
            grouped(*records),
            grouped(*lines),
            plain(&to.to_string_lossy())
        );
        for (count, what) in [
            (dropped, "records that it had dropped are told nowhere else"),
            (unreadable, "records or stretches cannot be read"),
        ] {
            if *count > 0 {
                text += &format!("{base}: {} {what}\n", grouped(*count));
            }
        }
    }
    for kept in &report.kept {
        let (path, size) = (plain(&kept.path.to_string_lossy()), bytes(kept.bytes as f64));
        text += &format!("{path}, {size}, stays: {}\n", plain(&kept.why));
    }
    if report.arenas.is_empty() && report.kept.is_empty() {
        text += "nothing to recover\n";
    }
    if report.living > 0 {
        let living = usize::try_from(report.living).unwrap_or(usize::MAX);
        text += &format!("{} of live processes left alone\n", counted(living, "arena"));
    }
    text
}

fn object(report: &RecoveryReport, how: Recovery) -> Value {
    json!({
        "recovered": recovered_object(report),
        "kept": kept_object(report),
        "living": report.living,
        "dry_run": how == Recovery::DryRun,
    })
}

/// What came back, or would.
pub fn recovered_object(report: &RecoveryReport) -> Value {
    let recovered = report.arenas.iter().map(|arena| {
        json!({
            "base": arena.base,
            "pid": arena.pid,
            "to": arena.to.as_ref().map(|to| to.to_string_lossy()),
            "records": arena.records,
            "lines": arena.lines,
            "dropped": arena.dropped,
            "unreadable": arena.unreadable,
        })
    });
    recovered.collect::<Vec<Value>>().into()
}

/// What stays, and why.
pub fn kept_object(report: &RecoveryReport) -> Value {
    let kept = report.kept.iter().map(
        |kept| json!({ "path": kept.path.to_string_lossy(), "why": kept.why, "bytes": kept.bytes }),
    );
    kept.collect::<Vec<Value>>().into()
}
