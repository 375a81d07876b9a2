//! The format as it was when it was fixed: files that are kept, and the example of the document.
//! What is written drifts from them only together with the version.

use super::*;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Seeds for the fuzz target `binary`.
fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/binary").join(name)
}

/// Records with blocks and values of every kind, in two segments.
fn every_kind() -> (Vec<u8>, Vec<u8>) {
    let all = [Detail::Thread, Detail::File, Detail::Line];
    let (mut log, sites) = (Log::new(&all, 1 << 14), sites());
    let mut ticks = PIECE.base_ticks;
    for n in 0..36_u64 {
        if n == 18 {
            log.end_segment();
        }
        if n % 12 == 6 {
            log.set_clock([PIECE, Piece { base_ticks: ticks + 5, mult: 3 << 46, ..PIECE }]);
        }
        let seed = Seed {
            kind: n as usize,
            number: n * n * 1_000_003,
            text: ["", "ACME.NYS", "line\nbreak \u{1f980}"][n as usize / 6 % 3].to_owned(),
            flags: [0, 0, 0, flag::TRUNCATED][n as usize % 4],
            bound: if n % 4 == 1 { vec!["r-17".to_owned(), "x".to_owned()] } else { vec![] },
            thread: n / 3 % 3,
            later: 0,
            clock: None,
        };
        // One is late, one more than the delta's width later.
        ticks = match n {
            9 => ticks - 700,
            10 => ticks + (1 << 33),
            _ => ticks + 250,
        };
        put_any(&mut log, &sites, &seed, ticks);
    }
    log.finish()
}

#[test]
#[ignore = "writes the golden files; run it when the version of the format changes"]
fn write_golden() {
    let (bytes, lines) = every_kind();
    std::fs::create_dir_all(golden("")).expect("the folder");
    std::fs::create_dir_all(seed("")).expect("the folder");
    std::fs::write(seed("every_kind"), &bytes).expect("written");
    std::fs::write(seed("example"), example().0).expect("written");
    std::fs::write(golden("version-1.flog"), bytes).expect("written");
    std::fs::write(golden("version-1.jsonl"), lines).expect("written");
}

// [F11]
#[test]
fn the_golden_log_is_read_and_written() {
    let read = |name| std::fs::read(golden(name)).expect("run `write_golden`");
    let (stored, lines) = (read("version-1.flog"), read("version-1.jsonl"));
    assert_same(&stored, &lines);
    let (bytes, expected) = every_kind();
    assert!(stored == bytes, "what is written differs from version {VERSION}");
    assert!(lines == expected, "the lines differ");
    let seeds = ["every_kind", "example"].map(|name| std::fs::read(seed(name)).expect(name));
    assert!(seeds == [bytes, example().0], "the seeds are stale: run `write_golden`");
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 36);
}

/// The example of `docs/format.md`.
fn example() -> (Vec<u8>, Vec<u8>) {
    let names = ["user_id", "price", "symbol"];
    let site = site(1, Level::Info, "order accepted", &names);
    let mut log = Log::new(&[], 4_096);
    for (user_id, price, ticks) in [(42_u64, 1.25_f64, 1_000_000_u64), (7, 99.5, 1_000_300)] {
        let fields = (&user_id, (&price, (&"ACME.NYS", ())));
        log.put(&site, &envelope((&site, ticks, 0), fields, &BoundBlock::default()), MAIN);
    }
    log.finish()
}

/// `hexdump -C`, without the text at the right.
fn dump(bytes: &[u8]) -> String {
    let line = |(index, chunk): (usize, &[u8])| {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:08x}  {}", index * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

// [F12]
#[test]
fn the_example_of_the_document_is_what_is_written() {
    let document = include_str!("../../../../docs/format.md");
    let (bytes, lines) = example();
    let dump = dump(&bytes);
    let mut shown = document.lines().filter(|line| line.starts_with("00000"));
    for line in dump.lines() {
        let documented = shown.next().unwrap_or_default();
        assert!(documented.starts_with(line), "docs/format.md should show:\n{dump}");
    }
    assert_eq!(shown.next(), None, "docs/format.md shows more than:\n{dump}");
    let lines = String::from_utf8(lines).expect("UTF-8");
    assert!(document.contains(&lines), "docs/format.md should show:\n{lines}");
    let hex = document.lines().filter(|line| line.starts_with("00000"));
    let bytes: Vec<u8> = hex
        .flat_map(|line| line[10..].split("  |").next().unwrap_or_default().split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
        .collect();
    assert_same(&bytes, lines.as_bytes());
}
