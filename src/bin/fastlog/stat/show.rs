//! An arena to be read by people. Whatever names are in it, nothing that drives a terminal is
//! printed but the colours that are asked for.

use std::fmt::Write as _;
use std::path::Path;

use fastlog::cli_support::{Found, Holder, Inspected, RingState, Snapshot};
use fastlog::{Pressure, Stats};

use super::rates::Rates;
use super::text::{bytes, grouped, plain, rate, time};

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

/// Rings that are named, the fullest.
const RINGS_SHOWN: usize = 6;

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    On,
    Off,
}

/// Appends the lines of one.
pub fn block(out: &mut String, found: &Found, rates: Option<&Rates>, colour: Colour) {
    let mut block = Block { out, colour };
    let path = plain(&found.path.to_string_lossy());
    match &found.what {
        Inspected::Arena(snapshot) if snapshot.holder == Holder::Gone => {
            block.dead(snapshot, &path);
        }
        Inspected::Arena(snapshot) => block.live(snapshot, rates, &path),
        Inspected::Own => block.foreign(&path, "an arena of this process"),
        Inspected::Damaged(why) => block.foreign(&path, &format!("no arena: {}", plain(why))),
        Inspected::Unreadable(error) => {
            block.foreign(&path, &format!("cannot be read: {}", plain(&error.to_string())));
        }
    }
}

struct Block<'a> {
    out: &'a mut String,
    colour: Colour,
}

impl Block<'_> {
    fn paint(&self, colour: &str, text: &str) -> String {
        match self.colour {
            Colour::On => format!("{colour}{text}{RESET}"),
            Colour::Off => text.to_owned(),
        }
    }

    /// What should be nought stands out where it is not.
    fn alarm(&self, count: u64, text: &str) -> String {
        let text = format!("{} {text}", grouped(count));
        if count > 0 { self.paint(RED, &text) } else { text }
    }

    fn title(&mut self, name: &str, colour: &str, state: &str) {
        let (name, state) = (self.paint(BOLD, &plain(name)), self.paint(colour, state));
        let _ = writeln!(self.out, "{name}: {state}");
    }

    fn line(&mut self, label: &str, text: &str) {
        let _ = writeln!(self.out, "  {label:<9} {text}");
    }

    fn foreign(&mut self, path: &str, what: &str) {
        let what = self.paint(YELLOW, what);
        let _ = writeln!(self.out, "{path}: {what}");
    }

    fn dead(&mut self, snapshot: &Snapshot, path: &str) {
        let made = snapshot.made.map(humantime::format_rfc3339_seconds);
        let made = made.map(|made| format!(", started {made}")).unwrap_or_default();
        let state = format!(
            "dead, pid {}{made}, left by a process that ended; kept for recovery",
            snapshot.pid
        );
        self.title(&snapshot.name, YELLOW, &state);
        self.line("arena", path);
        self.log(snapshot);
        self.records(&snapshot.stats);
    }

    fn live(&mut self, snapshot: &Snapshot, rates: Option<&Rates>, path: &str) {
        let stats = &snapshot.stats;
        let (colour, fault) = if rates.is_some_and(|rates| rates.stands_still) {
            (RED, ", its collector stands still")
        } else if stats.stalled() {
            (RED, ", its output is stalled")
        } else {
            (GREEN, "")
        };
        let lock = match snapshot.holder {
            Holder::Lives => ", without the arena's lock",
            Holder::Locks | Holder::Gone => "",
        };
        let up = time(snapshot.uptime);
        let state = format!("live, pid {}, up {up}{lock}{fault}", snapshot.pid);
        self.title(&snapshot.name, colour, &state);
        self.log(snapshot);
        self.line("arena", path);
        self.records(stats);
        self.rates(rates);
        self.bytes(stats);
        self.rings(snapshot);
        self.flow(stats);
        self.counts(stats);
    }

    fn log(&mut self, snapshot: &Snapshot) {
        let log = snapshot.stats.log_path().map(Path::to_string_lossy);
        let place = log.map_or(snapshot.output.to_owned(), |path| plain(&path));
        let safe = if snapshot.stats.crash_safe() { "crash-safe" } else { "not crash-safe" };
        self.line("log", &format!("{place} ({}, {safe})", snapshot.format));
    }

    fn records(&mut self, stats: &Stats) {
        let dropped = self.alarm(stats.dropped(), "dropped");
        self.line(
            "records",
            &format!(
                "{} submitted = {} written + {dropped} + {} pending",
                grouped(stats.submitted()),
                grouped(stats.written()),
                grouped(stats.pending()),
            ),
        );
        if stats.dropped() > 0 {
            let losses = self.paint(RED, &stats.losses().to_string());
            self.line("dropped", &losses);
        }
        self.line(
            "",
            &format!(
                "{} own, {} late, {} truncated, {} calls waited",
                grouped(stats.own_records()),
                grouped(stats.late()),
                grouped(stats.truncated()),
                grouped(stats.waits()),
            ),
        );
    }

    fn rates(&mut self, rates: Option<&Rates>) {
        let Some(rates) = rates else { return };
        let drops = format!("{} drops/s", rate(rates.drops));
        let drops = if rates.drops > 0.0 { self.paint(RED, &drops) } else { drops };
        self.line(
            "rates",
            &format!(
                "{} records/s, {drops}, {} syncs/s, over {:.1} s",
                rate(rates.records),
                rate(rates.syncs),
                rates.seconds,
            ),
        );
        let (written, published) = (bytes(rates.written_bytes), bytes(rates.published_bytes));
        self.line("", &format!("{written}/s written, {published}/s published"));
    }

    fn bytes(&mut self, stats: &Stats) {
        self.line(
            "bytes",
            &format!(
                "{} written, {} published, {} synced (syncs: {})",
                bytes(stats.written_bytes() as f64),
                bytes(stats.published_bytes() as f64),
                bytes(stats.synced_bytes() as f64),
                grouped(stats.syncs()),
            ),
        );
        if stats.in_doubt_bytes() > 0 {
            let doubt =
                format!("{} may not be on the device", bytes(stats.in_doubt_bytes() as f64));
            let doubt = self.paint(RED, &doubt);
            self.line("", &doubt);
        }
    }

    fn rings(&mut self, snapshot: &Snapshot) {
        let mut rings: Vec<&RingState> = snapshot.rings.iter().collect();
        rings.sort_by_key(|ring| std::cmp::Reverse(ring.used_bytes));
        let shown = rings.iter().take(RINGS_SHOWN).map(|ring| {
            let fill = 100.0 * ring.used_bytes as f64 / snapshot.ring_bytes as f64;
            let thread = ring.thread.as_ref().map(|thread| match &*thread.name {
                "" => format!(" thread {}", thread.id),
                name => format!(" {}", plain(name)),
            });
            format!("{fill:.1} %{}", thread.unwrap_or_default())
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        let colon = if rings.is_empty() { "" } else { ": " };
        let more = if rings.len() > RINGS_SHOWN { ", ..." } else { "" };
        let elsewhere = snapshot.stats.rings().saturating_sub(rings.len() as u64);
        let elsewhere = match elsewhere {
            0 => String::new(),
            count => format!("; {count} in memory of its own, not seen"),
        };
        let (count, size) = (rings.len(), bytes(snapshot.ring_bytes as f64));
        self.line("rings", &format!("{count} of {size}{colon}{shown}{more}{elsewhere}"));
    }

    fn flow(&mut self, stats: &Stats) {
        let flow = stats.flow();
        let pressure = flow.pressure().to_string();
        let colour = match flow.pressure() {
            Pressure::Calm => GREEN,
            Pressure::Critical => RED,
            _ => YELLOW,
        };
        let pressure = self.paint(colour, &pressure);
        let seen = Pressure::ALL.into_iter().filter(|state| !flow.time_at(*state).is_zero());
        let times = seen.map(|state| format!("{state} {}", time(flow.time_at(state))));
        self.line(
            "pressure",
            &format!(
                "{pressure}, fullest ring {:.1} %, {} changes: {}",
                flow.ring_fill_permille() as f64 / 10.0,
                grouped(flow.pressure_changes()),
                times.collect::<Vec<_>>().join(", "),
            ),
        );
        let (publish, sync) = (time(flow.publish_latency()), time(flow.sync_latency()));
        self.line("latency", &format!("an append {publish}, a sync {sync}"));
        self.line(
            "decided",
            &format!(
                "publish every {}, sync gap {}, park {}, reserve {}",
                time(flow.publish_every()),
                time(flow.sync_gap()),
                time(flow.park_max()),
                bytes(flow.reserve_bytes() as f64),
            ),
        );
    }

    fn counts(&mut self, stats: &Stats) {
        self.line(
            "files",
            &format!(
                "{} rotations, {} removed, {} compressed, {} opened anew",
                grouped(stats.rotations()),
                grouped(stats.removed_files()),
                grouped(stats.compressed_files()),
                grouped(stats.reopens()),
            ),
        );
        let failures = [
            self.alarm(stats.write_failures(), "appends"),
            self.alarm(stats.sync_failures(), "syncs"),
            self.alarm(stats.rotation_failures(), "rotations"),
            self.alarm(stats.keeper_failures(), "housekeeping"),
            self.alarm(stats.also_failures(), "consoles"),
        ];
        self.line("failures", &failures.join(", "));
        let dropped = self.alarm(stats.also_dropped(), "lines dropped");
        self.line("consoles", &dropped);
        let cpu = stats.pinned_to().map_or("not pinned".to_owned(), |cpu| format!("CPU {cpu}"));
        self.line(
            "engine",
            &format!(
                "clock {:?}, {} steps of the wall clock; collector {cpu}; {} records recovered at \
                 start, {} orphans",
                stats.clock(),
                grouped(stats.clock_steps()),
                grouped(stats.recovered()),
                grouped(stats.orphans()),
            ),
        );
    }
}
