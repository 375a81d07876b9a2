//! Runs to one row a peer: the median of each figure over its runs.

use super::figures::percent;
use crate::peers::{Kind, Peer};
use crate::run::{Alloc, Latency, Mode, Outcome, Run, Throughput, Verify};

/// A peer's figures; none where no run gave one.
pub struct Row {
    pub peer: &'static Peer,
    pub burst_mean_ns: Option<f64>,
    pub p50_ns: Option<f64>,
    pub p99_ns: Option<f64>,
    pub p999_ns: Option<f64>,
    /// Records a second to the file, from one thread and from two.
    pub records_per_s: [Option<f64>; 2],
    /// Of what was called, in the same runs, from 0 to 1.
    pub dropped_share: [Option<f64>; 2],
    /// Of the raw loop's rate in the same run, with one thread.
    pub raw_share: Option<f64>,
    /// Of the whole process, with one thread.
    pub cpu_ns: Option<f64>,
    pub allocations: Option<f64>,
    /// Records that came back whole, from 0 to 1.
    pub intact_share: Option<f64>,
    /// Records whose numbers are numbers, from 0 to 1.
    pub typed_share: Option<f64>,
    /// Why runs gave no figure, or one to doubt; each once.
    pub notes: Vec<String>,
}

/// The rows of all peers that ran: the baselines, then the others by what a call costs.
pub fn rows(runs: &[Run]) -> Vec<Row> {
    let has_run = |peer: &&Peer| runs.iter().any(|run| run.peer == peer.name);
    let mut rows: Vec<Row> = Peer::all().filter(has_run).map(|peer| row(peer, runs)).collect();
    let cost = |row: &Row| row.burst_mean_ns.unwrap_or(f64::INFINITY);
    let is_logger = |row: &Row| row.peer.kind != Kind::Baseline;
    rows.sort_by(|a, b| is_logger(a).cmp(&is_logger(b)).then(cost(a).total_cmp(&cost(b))));
    rows
}

fn row(peer: &'static Peer, runs: &[Run]) -> Row {
    let runs = Runs(runs.iter().filter(|run| run.peer == peer.name).collect());
    let throughput = |figure: fn(&Throughput) -> f64| {
        [Mode::Throughput, Mode::Throughput2].map(|mode| runs.throughput(mode, figure))
    };
    Row {
        peer,
        burst_mean_ns: runs.latency(|latency| latency.burst_mean_ns),
        p50_ns: runs.latency(|latency| latency.p50_ns),
        p99_ns: runs.latency(|latency| latency.p99_ns),
        p999_ns: runs.latency(|latency| latency.p999_ns),
        // The harness's floor writes nothing: it has no such rate.
        records_per_s: throughput(|run| run.records_per_s)
            .map(|rate| rate.filter(|rate| *rate > 0.0)),
        dropped_share: throughput(dropped_share),
        raw_share: runs
            .throughput(Mode::Throughput, |run| run.records_per_s / run.raw_records_per_s)
            .filter(|share| *share > 0.0),
        cpu_ns: runs.throughput(Mode::Throughput, cpu_ns),
        allocations: runs.alloc(|alloc| alloc.allocations),
        intact_share: runs.verify(|verify| verify.intact as f64 / verify.records as f64),
        typed_share: runs.verify(|verify| verify.typed as f64 / verify.records as f64),
        notes: runs.notes(),
    }
}

fn dropped_share(run: &Throughput) -> f64 {
    run.dropped as f64 / run.records as f64
}

/// Per record in the file, so that dropping records does not look like thrift. The floor of the
/// harness, which writes none, has it per call.
fn cpu_ns(run: &Throughput) -> f64 {
    let records = if run.written == 0 { run.records } else { run.written };
    run.cpu_s * 1e9 / records as f64
}

/// The runs of one peer.
struct Runs<'a>(Vec<&'a Run>);

impl Runs<'_> {
    fn latency(&self, figure: fn(&Latency) -> f64) -> Option<f64> {
        self.median(|run| match &run.outcome {
            Outcome::Latency(latency) => Some(figure(latency)),
            _ => None,
        })
    }

    fn throughput(&self, mode: Mode, figure: fn(&Throughput) -> f64) -> Option<f64> {
        self.median(|run| match &run.outcome {
            Outcome::Throughput(throughput) if run.mode == mode => Some(figure(throughput)),
            _ => None,
        })
    }

    fn verify(&self, figure: fn(&Verify) -> f64) -> Option<f64> {
        self.median(|run| match &run.outcome {
            Outcome::Verify(verify) => Some(figure(verify)),
            _ => None,
        })
    }

    fn alloc(&self, figure: fn(&Alloc) -> f64) -> Option<f64> {
        self.median(|run| match &run.outcome {
            Outcome::Alloc(alloc) => Some(figure(alloc)),
            _ => None,
        })
    }

    fn median(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        median(self.0.iter().filter_map(|run| figure(run)).collect())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for run in &self.0 {
            let mode = run.mode.name();
            let note = match &run.outcome {
                Outcome::Failed(reason) => format!("{mode} failed: {reason}"),
                Outcome::Skipped(reason) => format!("{mode} not run: {reason}"),
                // A call that drops its record may cost next to nothing.
                Outcome::Latency(run) if run.written > 0 && run.written < run.records => {
                    let share = 1.0 - run.written as f64 / run.records as f64;
                    format!("a run of {mode} lost {} of its records", percent(share))
                }
                _ => continue,
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(lower.midpoint(upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(peer: &str, burst_mean_ns: f64) -> Run {
        let latency = Latency { burst_mean_ns, ..Latency::default() };
        Run { peer: peer.to_owned(), mode: Mode::Latency, outcome: Outcome::Latency(latency) }
    }

    fn throughput(mode: Mode, throughput: Throughput) -> Run {
        Run { peer: "fastlog".to_owned(), mode, outcome: Outcome::Throughput(throughput) }
    }

    fn one_row(runs: &[Run]) -> Row {
        let mut rows = rows(runs);
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }

    #[test]
    fn medians_are_of_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn baselines_come_first_and_losers_stay() {
        let runs = [
            latency("env-logger-file", 5.0),
            latency("fastlog", 900.0),
            latency("fastlog", 10.0),
            latency("fastlog", 11.0),
            latency("null", 7.0),
            throughput(Mode::Throughput, Throughput::default()),
        ];
        let rows = rows(&runs);
        let names: Vec<_> = rows.iter().map(|row| (row.peer.name, row.burst_mean_ns)).collect();
        let expected = [("null", 7.0), ("env-logger-file", 5.0), ("fastlog", 11.0)];
        assert_eq!(names, expected.map(|(name, mean)| (name, Some(mean))));
    }

    #[test]
    fn throughput_is_kept_apart_by_threads_and_cpu_is_per_record_written() {
        let one = Throughput {
            records: 1_000,
            written: 500,
            dropped: 500,
            records_per_s: 4e6,
            raw_records_per_s: 8e6,
            cpu_s: 1e-4,
            ..Throughput::default()
        };
        let two = Throughput { records: 1_000, records_per_s: 2e6, ..Throughput::default() };
        let row = one_row(&[throughput(Mode::Throughput, one), throughput(Mode::Throughput2, two)]);
        assert_eq!(row.records_per_s, [Some(4e6), Some(2e6)]);
        assert_eq!(row.dropped_share, [Some(0.5), Some(0.0)]);
        assert_eq!(row.raw_share, Some(0.5));
        assert!(row.cpu_ns.is_some_and(|ns| (ns - 200.0).abs() < 1e-6), "{:?}", row.cpu_ns);
    }

    #[test]
    fn runs_without_a_figure_or_with_losses_leave_a_note_each_once() {
        let failed = |mode| {
            let outcome = Outcome::Failed("exit 124".to_owned());
            Run { peer: "fastlog".to_owned(), mode, outcome }
        };
        let mut lossy = latency("fastlog", 10.0);
        lossy.outcome =
            Outcome::Latency(Latency { records: 100, written: 80, ..Latency::default() });
        let row = one_row(&[failed(Mode::Alloc), failed(Mode::Alloc), lossy]);
        let expected = ["alloc failed: exit 124", "a run of latency lost 20 % of its records"];
        assert_eq!(
            (row.notes.as_slice(), row.allocations),
            (&expected.map(str::to_owned)[..], None)
        );
    }
}
