//! Bytes that may be anything.

use super::*;
use crate::format::binary::lines::find_begin;

/// A log of several segments with blocks of every kind.
fn valid() -> (Vec<u8>, Vec<u8>) {
    let (mut log, sites) = (Log::new(&[Detail::Thread, Detail::Line], 4_096), sites());
    for n in 0..60_u64 {
        let seed = Seed {
            kind: n as usize / 2,
            number: n * 977,
            text: format!("text \u{7f}{n}"),
            flags: if n % 7 == 0 { flag::TRUNCATED } else { 0 },
            bound: if n % 5 == 0 { vec!["r-17".to_owned()] } else { vec![] },
            thread: n % 3,
            later: 0,
            clock: None,
        };
        if n % 20 == 10 {
            log.set_clock([PIECE, Piece { base_ticks: PIECE.base_ticks + n, ..PIECE }]);
        }
        let ticks = PIECE.base_ticks + n * 10 - if n % 9 == 8 { 500 } else { 0 };
        put_any(&mut log, &sites, &seed, ticks);
    }
    log.finish()
}

/// What holds of the outcome for any bytes: errors point into them, in order; lines are lines.
fn assert_total(bytes: &[u8]) -> (usize, usize) {
    let (lines, errors) = decode(bytes);
    assert!(errors.iter().all(|error| error.offset < bytes.len() as u64), "{errors:?}");
    assert!(errors.is_sorted_by_key(|error| error.offset), "{errors:?}");
    assert!(errors.iter().all(|error| !error.to_string().contains('\n')));
    let text = std::str::from_utf8(&lines).expect("lines are UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        serde_json::from_str::<serde_json::Value>(line).expect(line);
    }
    (text.lines().count(), errors.len())
}

#[test]
fn a_log_cut_anywhere_gives_the_lines_before_the_cut() {
    let (bytes, expected) = valid();
    let mut counts = Vec::new();
    for len in 0..bytes.len() {
        let (lines, errors) = decode(&bytes[..len]);
        assert!(expected.starts_with(&lines), "cut at {len}");
        assert!(errors.len() <= 1, "cut at {len}: {errors:?}");
        assert!(errors.iter().all(|error| matches!(error.damage, Damage::Cut { .. })));
        counts.push(lines.len());
    }
    assert!(counts.is_sorted() && counts.len() > 5_000, "{}", counts.len());
}

// [F8]
#[test]
fn reading_goes_on_at_the_next_segment() {
    let (bytes, expected) = valid();
    let second = 8 + find_begin(&bytes[8..]).expect("a second segment");
    let (whole, _) = decode(&bytes[second..]);
    assert!(expected.ends_with(&whole) && whole.len() < expected.len());
    // Nonsense before it, of any length, and nonsense for a first segment.
    for junk in [&b"x"[..], b"FASTLOG", b"{\"level\":\"INFO\"}\n", &[0; 24], &[0xff; 16]] {
        let (lines, errors) = decode(&[junk, &bytes[second..]].concat());
        assert_eq!((lines.len(), errors.len()), (whole.len(), 1), "{junk:?}");
        assert_eq!(errors[0].offset, 0);
    }
    let mut broken = bytes.clone();
    broken[112 + 7] = 0xf0;
    let (lines, errors) = decode(&broken);
    assert_eq!(lines, whole);
    assert_eq!(errors, [DecodeError { offset: 112, damage: Damage::Kind(15) }]);
}

// [F7]
#[test]
fn a_value_that_lies_costs_its_record_alone() {
    let site = site(1, Level::Info, "order {symbol}", &["symbol"]);
    let mut log = Log::new(&[], 4_096);
    for n in 0..3 {
        let fields = (&"ACME.NYS", ());
        let bytes = envelope((&site, 1_000_000 + n, 0), fields, &BoundBlock::default());
        log.put(&site, &bytes, MAIN);
    }
    let (mut bytes, expected) = log.finish();
    let second = bytes.len() - 2 * 24;
    bytes[second + 8] = 13;
    let (lines, errors) = decode(&bytes);
    let damage = Damage::Values;
    assert_eq!(errors, [DecodeError { offset: second as u64, damage }]);
    assert_eq!((lines.len() * 3, expected.starts_with(&lines[..50])), (expected.len() * 2, true));
}

// [F4]
#[test]
fn a_kind_that_is_none_ends_the_segment_with_an_error() {
    let (valid, _) = valid_once();
    let others = (0..16_u8).filter(|kind| ![1, 2, 3, 5, 6, 7].contains(kind));
    let mut count = 0;
    for kind in others {
        let header = (u64::from(kind) << 60).to_le_bytes();
        let (lines, errors) = decode(&[&valid[..BEGIN_BYTES], &header, valid].concat());
        // Kind 4 is how a segment begins, which this one does not.
        let is_told = match errors.first().map(|error| error.damage) {
            Some(Damage::Kind(told)) => told == kind,
            Some(Damage::NoSegment | Damage::Begin) => kind == 4,
            _ => false,
        };
        assert!(is_told && errors[0].offset == BEGIN_BYTES as u64, "{kind}: {errors:?}");
        assert_eq!(lines, valid_once().1, "what follows is read");
        count += 1;
    }
    assert_eq!(count, 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        assert_total(&bytes);
        let (valid, _) = valid_once();
        assert_total(&[&valid[..BEGIN_BYTES], &bytes].concat());
        assert_total(&[&valid[..valid.len() / 2 / 8 * 8], &bytes].concat());
    }

    #[test]
    fn flipped_bits_are_read(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6),
    ) {
        let (valid, _) = valid_once();
        let mut bytes = valid.clone();
        for (index, bit) in flips {
            bytes[index.index(valid.len())] ^= 1 << bit;
        }
        assert_total(&bytes);
    }

    #[test]
    fn blocks_in_any_order_are_read(
        kinds in prop::collection::vec((0_u8..9, any::<u16>(), 0_usize..6, 0_u32..4), 0..40),
        content in prop::collection::vec(0_u8..20, 48),
    ) {
        let (valid, _) = valid_once();
        let mut bytes = valid[..BEGIN_BYTES].to_vec();
        for (kind, number, granules, low) in kinds {
            let high = u64::from(kind) << 60 | (granules as u64) << 48;
            let header = high | u64::from(number % 4) << 32 | u64::from(low);
            bytes.extend(header.to_le_bytes());
            bytes.extend(&content[..granules * GRANULE]);
        }
        assert_total(&bytes);
    }
}

fn valid_once() -> &'static (Vec<u8>, Vec<u8>) {
    static VALID: std::sync::OnceLock<(Vec<u8>, Vec<u8>)> = std::sync::OnceLock::new();
    VALID.get_or_init(valid)
}
