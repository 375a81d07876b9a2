//! Which plots there are.

use std::error::Error;
use std::path::Path;

use super::chart::{Chart, ChartRow, Mark, Scale};
use super::figures::{millions, number};
use super::summary::Row;

/// Writes all plots; rows are sorted, the best at the top.
pub fn draw(rows: &[Row], dir: &Path) -> Result<(), Box<dyn Error>> {
    latency(rows).draw(&dir.join("compare-latency.svg"))?;
    throughput(rows).draw(&dir.join("compare-throughput.svg"))?;
    cpu(rows).draw(&dir.join("compare-cpu.svg"))?;
    allocations(rows).draw(&dir.join("compare-allocations.svg"))
}

fn latency(rows: &[Row]) -> Chart {
    let figures = |row: &Row| vec![row.burst_mean_ns, row.p50_ns, row.p99_ns, row.p999_ns];
    Chart {
        title: "What a call costs its caller (sorted by the mean in a burst, which is printed)",
        axis: "ns, logarithmic; the quantiles include the timer",
        scale: Scale::Log,
        mark: Mark::Dot,
        series: &["mean of a burst", "p50", "p99", "p99.9"],
        value: number,
        rows: chart_rows(rows, figures, 1.0),
    }
}

fn throughput(rows: &[Row]) -> Chart {
    Chart {
        title: "Records a second to the file",
        axis: "million records a second, logarithmic",
        scale: Scale::Log,
        mark: Mark::Bar,
        series: &["one thread", "two threads"],
        value: millions,
        rows: chart_rows(rows, |row| row.records_per_s.to_vec(), -1.0),
    }
}

fn cpu(rows: &[Row]) -> Chart {
    Chart {
        title: "Processor time of the whole process, per record in the file",
        axis: "ns, logarithmic",
        scale: Scale::Log,
        mark: Mark::Bar,
        series: &["one thread"],
        value: number,
        rows: chart_rows(rows, |row| vec![row.cpu_ns], 1.0),
    }
}

fn allocations(rows: &[Row]) -> Chart {
    Chart {
        title: "Allocations per record on the calling thread, in steady state",
        axis: "allocations",
        scale: Scale::Linear,
        mark: Mark::Bar,
        series: &["one thread"],
        value: number,
        rows: chart_rows(rows, |row| vec![row.allocations], 1.0),
    }
}

/// The rows that have the first figure, by it: ascending with a `sign` of 1, descending with -1.
fn chart_rows(rows: &[Row], figures: fn(&Row) -> Vec<Option<f64>>, sign: f64) -> Vec<ChartRow> {
    let key = |row: &ChartRow| row.values.first().copied().flatten().map(|value| sign * value);
    let mut chart_rows: Vec<_> = rows
        .iter()
        .map(|row| ChartRow { name: row.peer.name, kind: row.peer.kind, values: figures(row) })
        .filter(|row| key(row).is_some())
        .collect();
    chart_rows.sort_by(|a, b| key(a).unwrap_or(0.0).total_cmp(&key(b).unwrap_or(0.0)));
    chart_rows
}
