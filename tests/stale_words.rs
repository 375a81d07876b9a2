//! Promise [P3]: nothing is invented and nothing is lost when the payload of an earlier lap looks
//! like a commit word. A ring publishes by the word `(position + 1) << 16 | length` at a record's
//! first granule and is never cleared, so that a value left there by the lap before could pass for
//! one.
//!
//! Attacked through the public API: in a ring as small as they come, every value is the commit word
//! that would stand in its place one lap later, followed by what would make an acceptable header;
//! once with a collector that catches up again and again and looks at the stale granule behind the
//! last record, once at full speed with back-pressure.

mod common;

use common::{Log, drain};
use fastlog::{Logger, fastlog};

const RING_BYTES: usize = 16 << 10;
const RECORD_BYTES: usize = 1 << 10;
/// A ring's granules: what positions advance by in one lap.
const LAP: u64 = RING_BYTES as u64 / 8;
/// Header, and the tags of up to eight fields.
const GRANULES_BEFORE_VALUES: u64 = 4;
/// Fields of the records, in turn: an odd sum of lengths, so that places shift from lap to lap.
const FIELDS: [u64; 3] = [2, 5, 8];
/// How far the true position may be from the computed one, because the engine's own envelope that
/// names the thread stands before the first record.
const OFFSETS: u64 = 16;

/// Values that are commit words, or the rest of a header: ticks long ago, and what names a callsite.
struct Payload {
    /// Granules that the records of this thread have taken.
    position: u64,
    records: u64,
}

impl Payload {
    /// The values of the next record.
    fn next(&mut self) -> [u64; 8] {
        let fields = FIELDS[(self.records % 3) as usize];
        // Each assumption about the offset holds for a few laps, so that each place gets its turn.
        let offset = self.position / (3 * LAP) % OFFSETS;
        let start = self.position + offset + GRANULES_BEFORE_VALUES;
        let values = std::array::from_fn(|index| {
            let place = start + index as u64;
            let length = [3, 4 + fields, 12, 128][(self.records / 7 % 4) as usize];
            let callsite = self.records / 3 % 8;
            match index % 3 {
                1 if self.records % 2 == 0 => 1,
                2 if self.records % 2 == 0 => callsite | 2 << 40,
                _ => (place + LAP + 1) << 16 | length,
            }
        });
        self.position += GRANULES_BEFORE_VALUES + fields;
        self.records += 1;
        values
    }
}

/// Logs the next record.
fn emit(logger: &Logger, payload: &mut Payload) {
    let fields = FIELDS[(payload.records % 3) as usize];
    let [a, b, c, d, e, f, g, h] = payload.next();
    match fields {
        2 => fastlog!(logger: logger, INFO, "two", a, b),
        5 => fastlog!(logger: logger, INFO, "five", a, b, c, d, e),
        _ => fastlog!(logger: logger, INFO, "eight", a, b, c, d, e, f, g, h),
    }
}

/// Logs `laps` laps of the ring; `between` runs after each record.
fn attack(laps: u64, mut between: impl FnMut(&Log, u64)) {
    let mut log = Log::detached(|config| config.ring_bytes(RING_BYTES).record_bytes(RECORD_BYTES));
    let logger = log.engine.logger();
    let mut payload = Payload { position: 0, records: 0 };
    while payload.position < laps * LAP {
        emit(&logger, &mut payload);
        between(&log, payload.records);
    }
    let lines = log.new_lines();
    let mut again = Payload { position: 0, records: 0 };
    for line in &lines {
        let fields = FIELDS[(again.records % 3) as usize];
        let values = again.next();
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let read: Vec<_> = names.iter().map_while(|name| line[name].as_u64()).collect();
        assert_eq!(read, values[..fields as usize], "record {}: {line}", again.records);
    }
    assert_eq!(lines.len() as u64, payload.records);
    let report = drain(&log.engine);
    assert_eq!((report.submitted(), report.written()), (payload.records, payload.records));
    assert_eq!(report.dropped(), 0, "{report}");
}

#[test]
fn with_a_collector_that_catches_up() {
    let mut looks = 0;
    attack(100, |log, records| {
        if records % 5 == 0 {
            // The collector reads all there is, and looks at the granule behind.
            log.engine.flush().expect("what was logged is published");
            looks += 1;
        }
    });
    assert!(looks > 4_000, "{looks} looks");
}

#[test]
fn with_back_pressure() {
    attack(1_000, |_, _| ());
}
