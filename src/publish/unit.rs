//! Where what must stay together begins and ends: a line, or a whole binary segment. Pure; runs on
//! the publisher.

use crate::config::file_names::Unit;

/// Whether one begins at the byte `at` of a segment.
pub(super) fn is_start(unit: Unit, segment: &[u8], at: usize) -> bool {
    start(unit, segment, at) == at
}

/// Where the one that holds the byte `at` begins. A segment begins with one.
pub(super) fn start(unit: Unit, segment: &[u8], at: usize) -> usize {
    match unit {
        Unit::Lines => segment[..at].iter().rposition(is_newline).map_or(0, |end| end + 1),
        Unit::Segments => 0,
    }
}

/// Where the one that begins at `from`, or goes on there, ends, as far as it is written.
pub(super) fn end(unit: Unit, segment: &[u8], from: usize) -> usize {
    let newline = match unit {
        Unit::Lines => segment[from..].iter().position(is_newline),
        Unit::Segments => None,
    };
    newline.map_or(segment.len(), |end| from + end + 1)
}

/// Where those from `from` on end that fit `room` bytes: at least the first.
pub(super) fn fitting(unit: Unit, segment: &[u8], from: usize, room: usize) -> usize {
    let fitting = match unit {
        Unit::Lines => segment[from..from + room].iter().rposition(is_newline),
        Unit::Segments => None,
    };
    fitting.map_or_else(|| end(unit, segment, from), |end| from + end + 1)
}

fn is_newline(byte: &u8) -> bool {
    *byte == b'\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_whole_and_segments_together() {
        let text = b"one\ntwo\nthree";
        let starts = [0, 1, 3, 4, 5, 8, 12].map(|at| start(Unit::Lines, text, at));
        assert_eq!(starts, [0, 0, 0, 4, 4, 8, 8]);
        assert_eq!([0, 4, 5, 8].map(|from| end(Unit::Lines, text, from)), [4, 8, 8, 13]);
        assert_eq!([0, 3, 4, 8].map(|room| fitting(Unit::Lines, text, 0, room)), [4, 4, 4, 8]);
        for at in 0..text.len() {
            assert_eq!(is_start(Unit::Lines, text, at), [0, 4, 8].contains(&at), "{at}");
            assert_eq!(is_start(Unit::Segments, text, at), at == 0, "{at}");
            assert_eq!(start(Unit::Segments, text, at), 0);
            assert_eq!(end(Unit::Segments, text, at), text.len());
            assert_eq!(fitting(Unit::Segments, text, at, 1), text.len());
        }
    }
}
