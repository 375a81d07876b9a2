//! What the files of a log are called, and the modes of their directories. Pure; used on the
//! owner's, the publisher's and the keeper's threads, and by the command line.
//!
//! ```text
//! app.jsonl                                  written now
//! app-20261120T213300Z-000007.jsonl          rotated: when it began (UTC), and its number
//! app-20261120T213300Z-000007.jsonl.zst      the same, compressed
//! app@4711.jsonl                             written by a second engine of the name
//! app@4711-20261120T213300Z-000001.jsonl     and rotated
//! ```
//! Those of a binary log end in `.flog` instead. A second engine is told by an `@`, which no name
//! may have: `app.2` is another log.

use crate::format::timestamp::Timestamp;

/// Mode of the log's directory, if it has to be made.
pub(crate) const DIR_MODE: u32 = 0o750;
/// Mode of its files, where nothing else is asked for and nothing was there before.
pub(crate) const FILE_MODE: u32 = 0o640;
/// The directory beside the log, of the first user who logs there; those of others end in `-` and
/// their numbers.
pub(crate) const PRIVATE_DIR: &str = ".fastlog";
/// Mode of the directory beside the log.
pub(crate) const PRIVATE_DIR_MODE: u32 = 0o700;

/// What files are made of, which the ends of their names tell. A file begins with one, and what is
/// appended goes on where the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Lines, each ended by a newline: `.jsonl`.
    Lines,
    /// Binary segments, which only their own beginning tells how to read: `.flog`.
    Segments,
}

impl Unit {
    const ALL: [Unit; 2] = [Unit::Lines, Unit::Segments];

    fn extension(self) -> &'static str {
        match self {
            Unit::Lines => ".jsonl",
            Unit::Segments => ".flog",
        }
    }
}

/// `20261120T213300Z`.
const START_LEN: usize = 16;
const NUMBER_LEN_MIN: usize = 6;

/// The highest number that a rotated file has. No log comes so far; a file of a higher one is none
/// of this log's, so that whoever counts on from what he finds never counts over the end.
pub(crate) const NUMBER_MAX: u64 = 1 << 60;

/// The number of what was there under the log's name before its first engine. Files of engines have
/// higher ones.
pub(crate) const NUMBER_OF_FORMER: u64 = 0;

/// What stands between a log's name and the process whose engine found it in use.
const SECOND: char = '@';

/// How a rotated file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    /// Not at all.
    Plain,
    /// `.zst`.
    Zstd,
    /// `.gz`.
    Gzip,
}

impl Packed {
    const SUFFIXES: [(Packed, &str); 2] = [(Packed::Zstd, ".zst"), (Packed::Gzip, ".gz")];
}

/// The base of files that the `nth` engine of a process writes that found `name` in use.
pub(crate) fn second(name: &str, pid: u32, nth: u32) -> String {
    match nth {
        1 => format!("{name}{SECOND}{pid}"),
        nth => format!("{name}{SECOND}{pid}-{nth}"),
    }
}

/// What stands between a base and the process whose arena was put aside.
const UNCLEAN: &str = ".unclean-";

/// The name of the file into which an arena's content went that was put aside.
pub(crate) fn unclean(base: &str, unit: Unit, pid: u32, id: &str) -> String {
    format!("{base}{UNCLEAN}{pid}-{id}{}", unit.extension())
}

/// The base of such a file, if the stem of its name is one.
pub(crate) fn base_of_unclean(stem: &str) -> Option<&str> {
    let (base, process) = stem.rsplit_once(UNCLEAN)?;
    let (pid, id) = process.split_once('-')?;
    let is_pid = pid.parse::<u32>().is_ok_and(|number| number.to_string() == pid);
    let is_id = !id.is_empty() && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (!base.is_empty() && is_pid && is_id).then_some(base)
}

/// The name of the file that is written, for a base such as `app` or `app@4711`.
pub(crate) fn live(base: &str, unit: Unit) -> String {
    format!("{base}{}", unit.extension())
}

/// The name that a file gets when it is rotated; it began `start_ns` after 1970.
pub(crate) fn rotated(base: &str, unit: Unit, start_ns: i64, number: u64) -> String {
    let mut times = Timestamp::new();
    let text = times.format(start_ns);
    // `2026-11-20T21:33:00.123456789Z` without its punctuation and fraction.
    let digits = text[..19].iter().filter(|byte| !matches!(byte, b'-' | b':'));
    let start: String = digits.map(|byte| char::from(*byte)).collect();
    format!("{base}-{start}Z-{number:0NUMBER_LEN_MIN$}{}", unit.extension())
}

/// A rotated file's name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotated<'a> {
    pub(crate) base: &'a str,
    /// `20261120T213300Z`: sorts as the times do.
    pub(crate) start: &'a str,
    pub(crate) number: u64,
    pub(crate) packed: Packed,
}

/// Takes a name apart if it is exactly one that [`rotated`] gives, compressed or not.
pub(crate) fn parse(name: &str) -> Option<Rotated<'_>> {
    let packed = Packed::SUFFIXES
        .iter()
        .find_map(|(packed, suffix)| name.strip_suffix(suffix).map(|plain| (*packed, plain)));
    let (packed, plain) = packed.unwrap_or((Packed::Plain, name));
    let (base, start, number) = split(without_extension(plain)?)?;
    let is_short = number.len() == NUMBER_LEN_MIN || !number.starts_with('0');
    let number = number.parse().ok().filter(|&number| is_short && number <= NUMBER_MAX)?;
    Some(Rotated { base, start, number, packed })
}

/// Base, start and digits of what looks like a rotated file's name without its end.
fn split(stem: &str) -> Option<(&str, &str, &str)> {
    let (rest, number) = stem.rsplit_once('-')?;
    let (base, start) = rest.rsplit_once('-')?;
    let is_number = number.len() >= NUMBER_LEN_MIN && number.bytes().all(|b| b.is_ascii_digit());
    (!base.is_empty() && is_start(start) && is_number).then_some((base, start, number))
}

/// Whether a log of this name would write a file that looks like another log's rotated one.
pub(crate) fn looks_rotated(name: &str) -> bool {
    split(name).is_some()
}

fn without_extension(name: &str) -> Option<&str> {
    Unit::ALL.iter().find_map(|unit| name.strip_suffix(unit.extension()))
}

fn is_start(text: &str) -> bool {
    text.len() == START_LEN
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// The base of a file that is written now, or was by an engine that has ended. One of a rotated
/// file's form but for its number is nobody's.
pub(crate) fn base_of_live(name: &str) -> Option<&str> {
    without_extension(name).filter(|base| !base.is_empty() && !looks_rotated(base))
}

/// Whether files of this base are files of the log `name`: its own, those of engines that found the
/// name in use, or what was put aside of either.
pub(crate) fn is_of(base: &str, name: &str) -> bool {
    let base = base_of_unclean(base).unwrap_or(base);
    base == name || name_of_second(base) == Some(name)
}

/// The name that an engine found in use, if the base is what such an engine writes.
pub(crate) fn name_of_second(base: &str) -> Option<&str> {
    let (name, suffix) = base.split_once(SECOND)?;
    let (pid, nth) = suffix.split_once('-').unwrap_or((suffix, "1"));
    let (pid, nth) = (pid.parse().ok()?, nth.parse().ok()?);
    // As it would be written: without signs and zeros in front.
    (second(name, pid, nth) == base).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START_NS: i64 = 1_795_210_380_123_456_789;

    #[test]
    fn names_are_as_drawn() {
        let rotated = |base, start_ns, number| rotated(base, Unit::Lines, start_ns, number);
        assert_eq!(live("app", Unit::Lines), "app.jsonl");
        assert_eq!(live("app", Unit::Segments), "app.flog");
        assert_eq!(rotated("app", START_NS, 7), "app-20261120T213300Z-000007.jsonl");
        assert_eq!([1, 2].map(|nth| second("app", 47, nth)), ["app@47", "app@47-2"]);
        let aside = unclean("app", Unit::Segments, 47, "00ff");
        assert_eq!(aside, "app.unclean-47-00ff.flog");
        assert_eq!(rotated("app@1-2", START_NS, 1 << 20), "app@1-2-20261120T213300Z-1048576.jsonl");
        assert_eq!(rotated("app", 0, 1), "app-19700101T000000Z-000001.jsonl");
    }

    #[test]
    fn only_such_names_are_taken_apart() {
        let name = "a-b.c-20261120T213300Z-000007.jsonl";
        let whole =
            Rotated { base: "a-b.c", start: "20261120T213300Z", number: 7, packed: Packed::Plain };
        assert_eq!(parse(name), Some(whole));
        assert_eq!(parse(&format!("{name}.zst")), Some(Rotated { packed: Packed::Zstd, ..whole }));
        assert_eq!(parse("a-b.c-20261120T213300Z-000007.flog"), Some(whole));
        assert_eq!(parse(&format!("{name}.gz")), Some(Rotated { packed: Packed::Gzip, ..whole }));
        let others = [
            "app.jsonl",
            "app-20261120T213300Z-000007",
            "app-20261120T213300Z-000007.jsonl.bz2",
            "app-20261120T213300Z-000007.jsonl.zst.tmp",
            "app-20261120T213300Z-7.jsonl",
            "app-20261120T213300Z-+00007.jsonl",
            "app-20261120T213300Z-0000007.jsonl",
            "app-20261120T213300-000007.jsonl",
            "app-20261120X213300Z-000007.jsonl",
            "-20261120T213300Z-000007.jsonl",
            "app-2026112ZT213300Z-000007.jsonl",
            "20261120T213300Z-000007.jsonl",
            "app-20261120T213300Z-1152921504606846977.jsonl",
            "app-20261120T213300Z-9223372036854775807.jsonl",
            "app-20261120T213300Z-18446744073709551615.jsonl",
            "app-20261120T213300Z-99999999999999999999.jsonl",
            "",
        ];
        for name in others {
            assert_eq!(parse(name), None, "{name}");
        }
        let highest = parse("app-20261120T213300Z-1152921504606846976.jsonl");
        assert_eq!(highest.map(|highest| highest.number), Some(NUMBER_MAX));
    }

    #[test]
    fn a_log_has_its_own_files_and_those_of_second_engines() {
        let of_app = ["app", "app@1", "app@4711-2", "app.unclean-47-00ff", "app@7.unclean-8-0"];
        for base in of_app {
            assert!(is_of(base, "app"), "{base}");
        }
        let others = [
            "app.unclean-47-",
            "app.unclean-047-ff",
            "app.unclean-x-ff",
            "app.unclean-47-fg",
            "apps.unclean-47-ff",
            ".unclean-47-ff",
            "app.2",
            "app.4711-2",
            "app-2",
            "app@",
            "app@x",
            "app@1-",
            "app@-1",
            "app@1-1",
            "app@01",
            "app@+1",
            "app@1-2-3",
            "app@1@2",
            "apps",
            "ap",
            "",
            "@1",
        ];
        for base in others {
            assert!(!is_of(base, "app"), "{base}");
        }
        assert!(looks_rotated("app-20261120T213300Z-99999999999999999999"));
        assert_eq!(base_of_live("app.jsonl"), Some("app"));
        assert_eq!(base_of_live("app.flog"), Some("app"));
        let rotated = "app-20261120T213300Z-000007";
        let ends = [".jsonl", ".flog", "99999999999999.jsonl"];
        let rotated = ends.map(|end| format!("{rotated}{end}"));
        let names = [".jsonl", ".flog", "app.json"].into_iter();
        for name in names.chain(rotated.iter().map(String::as_str)) {
            assert_eq!(base_of_live(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_named_is_taken_apart(
            base in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
            start_ns in 0_i64..4_000_000_000_000_000_000,
            number: u32,
        ) {
            let unit = Unit::ALL[number as usize % 2];
            let name = rotated(&base, unit, start_ns, u64::from(number));
            let parsed = parse(&name).expect("a rotated file's name");
            prop_assert_eq!((parsed.base, parsed.number), (&*base, u64::from(number)));
        }

        #[test]
        fn any_name_is_taken_apart_or_not(name in "\\PC{0,60}") {
            let _ = (parse(&name), base_of_live(&name), is_of(&name, "app"));
        }
    }
}
