//! `docs/tuning.md` tells the truth: every option of `Config` has its row, with the defaults that the
//! code gives each preset and the range that a start accepts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fastlog::{Config, Engine, Level, Overflow, Preset, Shed, SyncPolicy, UrgentSync};

/// Fields of `Config` that no setter sets.
const NO_OPTION: [&str; 1] = ["preset"];
/// Fields whose setter has another name.
const SET_BY: [(&str, &str); 3] =
    [("details", "include"), ("compression", "compress"), ("redaction", "redact")];
/// Fields that hold the values of several setters.
const GROUPS: [&str; 3] = ["modes", "rotation", "retention"];
/// Where a field of a group has another setter.
const GROUPED: [(&str, &str); 10] = [
    ("modes.file", "file_mode"),
    ("modes.dir", "dir_mode"),
    ("rotation.bytes", "rotate_bytes"),
    ("rotation.period", "rotate"),
    ("rotation.zone", "rotate_in"),
    ("rotation.segment_age", "segment_age"),
    ("retention.files", "retain_files"),
    ("retention.bytes", "retain_bytes"),
    ("retention.age", "retain_age"),
    ("retention.free_bytes", "keep_free_bytes"),
];
const PRESETS: [(&str, Preset); 5] = [
    ("Archive", Preset::Archive),
    ("Durable", Preset::Durable),
    ("LowLatency", Preset::LowLatency),
    ("Container", Preset::Container),
    ("Development", Preset::Development),
];

/// The cells of each option's row: default, range, interplay.
fn rows() -> BTreeMap<String, [String; 3]> {
    let text = fs::read_to_string("docs/tuning.md").expect("the document");
    let table = text.split("## All options").nth(1).expect("the table");
    let cells = table.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| `")?.split(" | ").collect();
        let [name, default, range, rest] = cells[..] else { panic!("four cells: {line}") };
        let cells = [default, range, rest].map(str::to_owned);
        Some((name.trim_end_matches('`').to_owned(), cells))
    });
    cells.collect()
}

/// The setters in the source, and whether each is short for another.
fn setters(dir: &Path, found: &mut BTreeMap<String, bool>) {
    for entry in fs::read_dir(dir).expect("the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            setters(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        for (at, _) in text.match_indices("    pub fn ") {
            let head = &text[at + 11..];
            let signature = head.split('{').next().unwrap_or_default();
            if signature.contains("self,") && signature.contains("-> Config")
                || signature.contains("(mut self)") && signature.contains("-> Config")
            {
                let name = head.split(['(', '<']).next().unwrap_or_default().to_owned();
                found.insert(name, !signature.contains("mut self"));
            }
        }
    }
}

/// The fields of a struct's `Debug` text, with their values' texts; those of groups by their
/// setters.
fn fields(debug: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in plain_fields(debug) {
        if !GROUPS.contains(&&*name) {
            fields.insert(name, value);
            continue;
        }
        for (part, value) in plain_fields(&value) {
            let path = format!("{name}.{part}");
            let setter = GROUPED.iter().find(|(field, _)| *field == path);
            fields.insert(setter.expect(&path).1.to_owned(), value);
        }
    }
    fields
}

fn plain_fields(debug: &str) -> BTreeMap<String, String> {
    let inner = debug.split_once(" { ").and_then(|(_, text)| text.strip_suffix(" }"));
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    let inner = inner.expect("a struct");
    for (at, c) in inner.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 2;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let pairs = parts.into_iter().map(|part| part.split_once(": ").expect("a field"));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether the cell gives the preset this value: names, with commas between, and then the value.
fn gives(cell: &str, preset: &str, value: &str) -> bool {
    cell.find(&format!("`{preset}`")).is_some_and(|at| {
        let rest = cell[at..].split('`').skip(1).step_by(2);
        let mut values = rest.filter(|word| PRESETS.iter().all(|(name, _)| name != word));
        values.next() == Some(value)
    })
}

#[test]
fn every_option_has_its_row_and_every_row_its_option() {
    let mut setters_found = BTreeMap::new();
    setters(Path::new("src/config"), &mut setters_found);
    let rows = rows();
    let missing: Vec<_> = setters_found.keys().filter(|name| !rows.contains_key(*name)).collect();
    let unknown: Vec<_> = rows.keys().filter(|name| !setters_found.contains_key(*name)).collect();
    assert_eq!((missing, unknown), (vec![], vec![]), "docs/tuning.md: missing, unknown");
    assert!(rows.len() >= 30, "{} rows", rows.len());
    assert!(rows.values().flatten().all(|cell| !cell.trim_matches([' ', '|']).is_empty()));
}

#[test]
fn defaults_are_those_of_the_code() {
    let rows = rows();
    let production = fields(&format!("{:?}", Config::default()));
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (field, value) in production.iter().filter(|(name, _)| !NO_OPTION.contains(&&***name)) {
        let setter = SET_BY.iter().find(|(name, _)| name == field).map_or(&**field, |pair| pair.1);
        let Some([cell, ..]) = rows.get(setter) else {
            wrong.push(format!("no row for the field {field}"));
            continue;
        };
        if !cell.starts_with(&format!("`{value}`")) {
            wrong.push(format!("{field} is {value}, the row begins {cell}"));
        }
        for (name, preset) in PRESETS {
            let other = &fields(&format!("{:?}", Config::preset(preset)))[field];
            if other != value && !gives(cell, name, other) {
                wrong.push(format!("{field} of {name} is {other}, the row says {cell}"));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "docs/tuning.md:\n{}", wrong.join("\n"));
    assert!(checked > 100, "{checked}");
}

#[test]
fn ranges_are_those_that_a_start_accepts() {
    let (none, ages) = (Duration::ZERO, Duration::MAX);
    type SizeCase = (&'static str, fn(Config) -> Config);
    let sizes: [SizeCase; 10] = [
        ("file_mode", |c| c.file_mode(0o400)),
        ("dir_mode", |c| c.dir_mode(0o4755)),
        ("ring_bytes", |c| c.ring_bytes(1)),
        ("record_bytes", |c| c.record_bytes(1)),
        ("staging_bytes", |c| c.staging_bytes(1)),
        ("max_rings", |c| c.max_rings(1)),
        ("rotate_bytes", |c| c.rotate_bytes(1)),
        ("retain_files", |c| c.retain_files(usize::MAX)),
        ("retain_bytes", |c| c.retain_bytes(u64::MAX)),
        ("keep_free_bytes", |c| c.keep_free_bytes(u64::MAX)),
    ];
    let names = ("redact", Config::default().ignore_env().redact([""]));
    let level = ("shed", Config::default().ignore_env().shed(Shed::Below(Level::CRITICAL)));
    type TimeCase = (&'static str, fn(Config, Duration) -> Config, Duration);
    let times: [TimeCase; 10] = [
        ("segment_age", |c, d| c.segment_age(d), none),
        ("overflow", |c, d| c.overflow(Overflow::BlockFor(d)), none),
        ("order_window", |c, d| c.order_window(d), ages),
        ("publish_every", |c, d| c.publish_every(d), none),
        ("sync", |c, d| c.sync(SyncPolicy::Every(d)), none),
        ("urgent_sync", |c, d| c.urgent_sync(UrgentSync::AtMostEvery(d)), none),
        ("stall_after", |c, d| c.stall_after(d), none),
        ("barrier_patience", |c, d| c.barrier_patience(d), none),
        ("publish_every", |c, d| c.publish_every(d), ages),
        ("retain_age", |c, d| c.retain_age(d), none),
    ];
    let rows = rows();
    let config = || Config::default().ignore_env();
    let sizes = sizes.into_iter().map(|(name, set)| (name, set(config())));
    let times = times.into_iter().map(|(name, set, value)| (name, set(config(), value)));
    for (name, config) in sizes.chain(times).chain([level, names]) {
        let error = Engine::detached(config).expect_err(name).to_string();
        let row = &rows[name][1];
        let allowed = error.split(": use ").nth(1).expect("what is allowed");
        assert!(row.contains(allowed), "{name}: `{allowed}`, the row says `{row}`");
    }
}
