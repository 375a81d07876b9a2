//! An arena as a JSON object; the keys are explained in `docs/stat.md`.

use std::path::Path;
use std::time::{Duration, SystemTime};

use fastlog::cli_support::{Found, Holder, Inspected, RingState, Snapshot};
use fastlog::{DropReason, Flow, Level, Pressure, Stats};
use serde_json::{Map, Value, json};

use super::rates::Rates;

/// Appends a line.
pub fn object(out: &mut String, at: SystemTime, found: &Found, rates: Option<&Rates>) {
    let mut object = Map::new();
    let mut put = |entries: Vec<(&str, Value)>| {
        object.extend(entries.into_iter().map(|(key, value)| (key.to_owned(), value)));
    };
    put(vec![("at", date(at)), ("arena", json!(found.path.to_string_lossy()))]);
    match &found.what {
        Inspected::Arena(snapshot) => {
            put(engine(snapshot));
            put(records(&snapshot.stats));
            put(snapshot.stats.figures().map(|(key, count)| (key, json!(count))).collect());
            put(flow(snapshot.stats.flow()));
            put(vec![("rates", rates.map_or(Value::Null, of_rates))]);
        }
        Inspected::Own => put(vec![("state", json!("own"))]),
        Inspected::Damaged(why) => put(vec![("state", json!("damaged")), ("why", json!(why))]),
        Inspected::Unreadable(error) => {
            put(vec![("state", json!("unreadable")), ("why", json!(error.to_string()))]);
        }
    }
    out.push_str(&Value::Object(object).to_string());
    out.push('\n');
}

fn date(time: SystemTime) -> Value {
    json!(humantime::format_rfc3339_millis(time).to_string())
}

fn ns(time: Duration) -> Value {
    json!(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn engine(snapshot: &Snapshot) -> Vec<(&'static str, Value)> {
    let stats = &snapshot.stats;
    let state = if snapshot.holder == Holder::Gone { "dead" } else { "live" };
    vec![
        ("state", json!(state)),
        ("is_locked", json!(snapshot.holder == Holder::Locks)),
        ("name", json!(snapshot.name)),
        ("pid", json!(snapshot.pid)),
        ("started", snapshot.made.map_or(Value::Null, date)),
        ("uptime_ns", ns(snapshot.uptime)),
        ("log", json!(stats.log_path().map(Path::to_string_lossy))),
        ("format", json!(snapshot.format)),
        ("output", json!(snapshot.output)),
        ("crash_safe", json!(stats.crash_safe())),
        ("stalled", json!(stats.stalled())),
        ("clock", json!(format!("{:?}", stats.clock()).to_ascii_lowercase())),
        ("pinned_to", json!(stats.pinned_to())),
        ("ring_bytes", json!(snapshot.ring_bytes)),
        ("ring_states", snapshot.rings.iter().map(ring).collect()),
    ]
}

fn ring(ring: &RingState) -> Value {
    let thread = ring.thread.as_ref();
    json!({
        "used_bytes": ring.used_bytes,
        "records": ring.records,
        "thread": thread.map(|thread| &thread.name),
        "thread_id": thread.map(|thread| thread.id),
    })
}

fn records(stats: &Stats) -> Vec<(&'static str, Value)> {
    let losses = stats.losses();
    let reasons = DropReason::ALL.into_iter().filter(|reason| losses.by_reason(*reason) > 0);
    let by_reason = reasons.map(|reason| {
        let levels = Level::ALL.into_iter().filter(|level| losses.count(reason, *level) > 0);
        let counts = levels.map(|level| (level.to_string(), json!(losses.count(reason, level))));
        (reason.as_str().to_owned(), Value::Object(counts.collect()))
    });
    vec![
        ("submitted", json!(stats.submitted())),
        ("written", json!(stats.written())),
        ("dropped", json!(stats.dropped())),
        ("pending", json!(stats.pending())),
        ("losses", Value::Object(by_reason.collect())),
    ]
}

fn flow(flow: &Flow) -> Vec<(&'static str, Value)> {
    let times = Pressure::ALL.map(|state| (state.as_str().to_owned(), ns(flow.time_at(state))));
    vec![
        ("pressure", json!(flow.pressure().as_str())),
        ("pressure_changes", json!(flow.pressure_changes())),
        ("pressure_ns", Value::Object(times.into_iter().collect())),
        ("ring_fill_permille", json!(flow.ring_fill_permille())),
        ("records_per_s", json!(flow.records_per_s())),
        ("publish_latency_ns", ns(flow.publish_latency())),
        ("sync_latency_ns", ns(flow.sync_latency())),
        ("publish_every_ns", ns(flow.publish_every())),
        ("sync_gap_ns", ns(flow.sync_gap())),
        ("park_max_ns", ns(flow.park_max())),
        ("reserve_bytes", json!(flow.reserve_bytes())),
    ]
}

fn of_rates(rates: &Rates) -> Value {
    json!({
        "seconds": rates.seconds,
        "records": rates.records,
        "written_bytes": rates.written_bytes,
        "published_bytes": rates.published_bytes,
        "syncs": rates.syncs,
        "drops": rates.drops,
        "stands_still": rates.stands_still,
    })
}
