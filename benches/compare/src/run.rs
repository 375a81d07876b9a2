//! The line of JSON that a run leaves, written by `bench` and read by `report`.

use serde::{Deserialize, Serialize};

/// What a run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What a call costs its caller, at a pace that every peer keeps.
    Latency,
    /// Records a second to the file, from one thread.
    Throughput,
    /// The same from two threads.
    Throughput2,
    /// Whether all records are in the file, whole and typed.
    Verify,
    /// What the calling thread asks of the allocator.
    Alloc,
}

impl Mode {
    pub const ALL: [Mode; 5] =
        [Mode::Latency, Mode::Throughput, Mode::Throughput2, Mode::Verify, Mode::Alloc];

    pub fn name(self) -> &'static str {
        match self {
            Mode::Latency => "latency",
            Mode::Throughput => "throughput",
            Mode::Throughput2 => "throughput2",
            Mode::Verify => "verify",
            Mode::Alloc => "alloc",
        }
    }

    pub fn named(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// One run of one peer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    pub peer: String,
    pub mode: Mode,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Latency(Latency),
    Throughput(Throughput),
    Verify(Verify),
    Alloc(Alloc),
    /// The peer does not have this mode; the reason.
    Skipped(String),
    /// The process ended otherwise than well; written by `run.sh`.
    Failed(String),
}

/// Of `Mode::Latency`: the timer's own cost is in the quantiles, a twentieth of it in the mean.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    pub burst_mean_ns: f64,
    pub p50_ns: f64,
    pub p90_ns: f64,
    pub p99_ns: f64,
    pub p999_ns: f64,
    pub max_ns: f64,
    pub timer_overhead_ns: f64,
    pub records: u64,
    pub written: u64,
}

/// Of `Mode::Throughput` and `Mode::Throughput2`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Throughput {
    pub records: u64,
    pub written: u64,
    pub dropped: u64,
    /// Until everything was in the file.
    pub wall_s: f64,
    /// Until the last call returned.
    pub producers_wall_s: f64,
    /// What was written, over `wall_s`.
    pub records_per_s: f64,
    /// The baseline's loop, right afterwards.
    pub raw_records_per_s: f64,
    pub cpu_s: f64,
    pub peak_resident_mib: f64,
    pub bytes: u64,
    /// Less than `bytes` where the peer's own shutdown returned before the file was complete.
    pub bytes_at_close: u64,
}

/// Of `Mode::Verify`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    pub records: u64,
    /// Lines, those that are no record included.
    pub lines: u64,
    /// Lines that are one JSON object each.
    pub json: u64,
    /// Records of which every value was found again, each counted once.
    pub intact: u64,
    /// Intact records whose number and price are JSON numbers.
    pub typed: u64,
    /// Whether the records stand in the order in which they were logged.
    pub is_ordered: bool,
    /// The last record's line.
    pub sample: String,
}

/// Of `Mode::Alloc`: per record, in steady state, on the calling thread.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Alloc {
    pub records: u64,
    pub allocations: f64,
    pub bytes: f64,
    pub frees: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_run_is_read_as_run_sh_writes_it() {
        let line = r#"{"peer":"null","mode":"throughput2","failed":"exit 124"}"#;
        let run: Run = serde_json::from_str(line).expect("a run");
        assert_eq!((run.peer.as_str(), run.mode), ("null", Mode::Throughput2));
        assert!(matches!(&run.outcome, Outcome::Failed(cause) if cause == "exit 124"));
        assert_eq!(serde_json::to_string(&run).expect("a line"), line);
    }

    #[test]
    fn modes_are_named_as_in_json() {
        for mode in Mode::ALL {
            assert_eq!(Mode::named(mode.name()), Some(mode));
            assert_eq!(serde_json::to_value(mode).expect("a name"), mode.name());
        }
        assert_eq!(Mode::named("speed"), None);
    }
}
