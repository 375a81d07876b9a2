//! Bytes that may be anything, read as a binary log: no panic; each record has one line of valid
//! JSON; what cannot be read is told with an offset within the input, in order; and what is kept is
//! bounded by the input, which the fuzzer's memory limit sees.
#![no_main]

use fastlog::bench_support::binary_lines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut last = None;
    binary_lines(
        bytes,
        |line| {
            let line = std::str::from_utf8(line).expect("a line is UTF-8");
            let body = line.strip_suffix('\n').expect("a newline at the end");
            assert!(!body.contains(char::is_control), "{body:?}");
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(body) {
                panic!("{error}: {body}");
            }
        },
        |offset, what| {
            assert!(offset < bytes.len() as u64, "{offset}: {what}");
            assert!(last.is_none_or(|last| last < offset), "{offset}: {what}");
            assert!(!what.contains('\n'), "{what}");
            last = Some(offset);
        },
    );
});
