//! The table, in Markdown that is aligned so that a terminal shows it as well.

use std::fmt::Write;

use super::about::{self, About};
use super::figures::{millions, number, percent};
use super::summary::Row;
use crate::peers::Kind;

const HEADINGS: [&str; 14] = [
    "peer",
    "version",
    "burst mean, ns",
    "p50",
    "p99",
    "p99.9",
    "M records/s, 1 thread",
    "2 threads",
    "of raw",
    "CPU ns a record",
    "allocations",
    "dropped, 1 / 2 threads",
    "intact",
    "typed",
];

/// Name and version stand to the left, figures to the right.
const TEXT_COLUMNS: usize = 2;
const NONE: &str = "-";

/// All rows, and below them what is missing and why.
pub fn table(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(cells).collect();
    let width = |column: usize| {
        let longest = cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
        longest.max(HEADINGS[column].len())
    };
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(width);
    let mut text = line(&HEADINGS.map(str::to_owned), &widths);
    text.push_str(&rule(&widths));
    cells.iter().for_each(|row| text.push_str(&line(row, &widths)));
    text + &notes(rows)
}

/// The table with all that its figures belong to, to stand in a document.
pub fn fragment(about: &About, rows: &[Row]) -> String {
    format!(
        "<!-- Written by {}; not by hand. -->\n\n\
         {}, {} CPUs, Linux {}; {}; {}. Median of the runs.\n\n{}",
        about.command,
        about.processor,
        about.cpus,
        about.kernel,
        about.rustc,
        about.date,
        table(rows)
    )
}

fn cells(row: &Row) -> [String; HEADINGS.len()] {
    let name = match row.peer.kind {
        Kind::Fastlog => format!("**{}**", row.peer.name),
        Kind::Baseline => format!("*{}*", row.peer.name),
        Kind::Other => row.peer.name.to_owned(),
    };
    let [one_thread, two_threads] = row.records_per_s;
    let dropped = row.dropped_share.map(|share| cell(share, percent)).join(" / ");
    // The floor of the harness keeps nothing, and promises nothing.
    let is_logger = row.raw_share.is_some();
    [
        name,
        about::version(row.peer).unwrap_or(NONE).to_owned(),
        cell(row.burst_mean_ns, number),
        cell(row.p50_ns, number),
        cell(row.p99_ns, number),
        cell(row.p999_ns, number),
        cell(one_thread, millions),
        cell(two_threads, millions),
        cell(row.raw_share, percent),
        cell(row.cpu_ns, number),
        cell(row.allocations, number),
        if is_logger { dropped } else { NONE.to_owned() },
        cell(row.intact_share.filter(|_| is_logger), percent),
        cell(row.typed_share.filter(|_| is_logger), percent),
    ]
}

fn cell(figure: Option<f64>, text: fn(f64) -> String) -> String {
    figure.map_or(NONE.to_owned(), text)
}

fn line(cells: &[String; HEADINGS.len()], widths: &[usize; HEADINGS.len()]) -> String {
    let mut text = String::from("|");
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let written = if column < TEXT_COLUMNS {
            write!(text, " {cell:<width$} |")
        } else {
            write!(text, " {cell:>width$} |")
        };
        written.expect("a string takes everything");
    }
    text + "\n"
}

fn rule(widths: &[usize; HEADINGS.len()]) -> String {
    let mut text = String::from("|");
    for (column, width) in widths.iter().enumerate() {
        let end = if column < TEXT_COLUMNS { "-" } else { ":" };
        text.push_str(&format!("{}{end}|", "-".repeat(width + 1)));
    }
    text + "\n"
}

fn notes(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        for note in &row.notes {
            text.push_str(&format!("\n- `{}`: {note}", row.peer.name));
        }
    }
    if text.is_empty() { text } else { text + "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::rows;
    use crate::run::{Latency, Mode, Outcome, Run, Throughput, Verify};

    fn run(peer: &str, mode: Mode, outcome: Outcome) -> Run {
        Run { peer: peer.to_owned(), mode, outcome }
    }

    fn runs() -> Vec<Run> {
        let latency = Latency { burst_mean_ns: 19.36, p50_ns: 30.2, ..Latency::default() };
        let verify = Verify { records: 1_000, intact: 1_000, typed: 999, ..Verify::default() };
        let throughput = Throughput {
            records: 1_000,
            written: 900,
            dropped: 100,
            records_per_s: 11.24e6,
            raw_records_per_s: 22.48e6,
            cpu_s: 1e-4,
            ..Throughput::default()
        };
        vec![
            run("fastlog", Mode::Latency, Outcome::Latency(latency)),
            run("fastlog", Mode::Throughput, Outcome::Throughput(throughput)),
            run("fastlog", Mode::Verify, Outcome::Verify(verify)),
            run("null", Mode::Alloc, Outcome::Failed("exit 1".to_owned())),
        ]
    }

    fn columns(line: &str) -> Vec<&str> {
        line.trim_matches('|').split('|').map(str::trim).collect()
    }

    #[test]
    fn a_row_has_its_figures_under_their_headings() {
        let table = table(&rows(&runs()));
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(columns(lines[0]), HEADINGS);
        let figures = [
            "19.4", "30.2", "0", "0", "11.2", "-", "50 %", "111", "-", "10 % / -", "100 %",
            "> 99 %",
        ];
        assert_eq!(columns(lines[3])[0], "**fastlog**");
        assert_eq!(columns(lines[3])[TEXT_COLUMNS..], figures);
        assert_eq!(columns(lines[2])[TEXT_COLUMNS..], [NONE; HEADINGS.len() - TEXT_COLUMNS]);
        assert_eq!(lines[4..], ["", "- `null`: alloc failed: exit 1"]);
    }

    #[test]
    fn all_lines_of_the_table_are_equally_wide() {
        let table = table(&rows(&runs()));
        let widths: Vec<_> = table.lines().take(4).map(str::len).collect();
        assert_eq!(widths, [widths[0]; 4]);
    }

    #[test]
    fn the_fragment_tells_what_its_figures_belong_to() {
        let about = About::here("2026-11-30", "benches/compare/run.sh");
        let fragment = fragment(&about, &rows(&runs()));
        for part in [&about.date, &about.command, &about.processor, &about.kernel, &about.rustc] {
            assert!(fragment.contains(part.as_str()), "{part} is not in\n{fragment}");
        }
    }
}
