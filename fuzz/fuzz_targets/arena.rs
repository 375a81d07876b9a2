//! An arena whose bytes may be anything, by way of one that is whole and words that are put into it:
//! no panic; whatever is owed of it is whole lines of JSON without a control character, and the same
//! when it is read again.
#![no_main]

#[path = "../input.rs"]
mod input;

use std::sync::LazyLock;

use fastlog::bench_support::{ARENA_PARTS, dead_arena, owed_lines};
use input::Input;
use libfuzzer_sys::fuzz_target;

/// Words put into one arena, at most.
const WORDS_MAX: usize = 64;

static WHOLE: LazyLock<[Vec<u8>; 2]> = LazyLock::new(dead_arena);

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let [mut arena, mut segments] = WHOLE.clone();
    let mut sites = Vec::new();
    for _ in 0..WORDS_MAX {
        if input.is_empty() {
            break;
        }
        let part = input.below(ARENA_PARTS.len() + 4);
        let at = input.u32() as usize;
        match part {
            0..8 => put(&mut arena, ARENA_PARTS[part] + at % (1 << 13), input.u64()),
            8 => put(&mut segments, at, input.u64()),
            9 => arena.truncate(at),
            10 => segments.truncate(at),
            _ => sites.extend_from_slice(input.bytes()),
        }
    }
    let Some(lines) = owed_lines([arena, segments, sites]) else { return };
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(line).expect("a line is UTF-8");
        let body = line.strip_suffix('\n').expect("a newline at the end");
        assert!(!body.contains(char::is_control), "{body:?}");
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(body) {
            panic!("{error}: {body}");
        }
    }
});

/// Puts a word somewhere behind `at`, where there is room.
fn put(bytes: &mut [u8], at: usize, word: u64) {
    let room = bytes.len().saturating_sub(8);
    if room > 0 {
        let at = at % room;
        bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
}
