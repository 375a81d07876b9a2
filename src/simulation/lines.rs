//! The lines that a simulated engine writes: numbered, and so made that whether one is whole can be
//! told. Runs on the test's thread.

/// What others append.
pub(super) const FOREIGN: &str = "{\"foreign\":true}\n";

/// The longest padding.
const PAD_MAX: u64 = 90;

/// What no line is longer than.
pub(super) const BYTES_MAX: usize = 128;

/// The line with this number, its newline included.
pub(super) fn line(number: u64) -> String {
    format!("{{\"n\":{number},\"pad\":\"{}\"}}\n", pad(number))
}

fn pad(number: u64) -> &'static str {
    const PAD: &str = match str::from_utf8(&[b'x'; PAD_MAX as usize]) {
        Ok(pad) => pad,
        Err(_) => "",
    };
    &PAD[..(number.wrapping_mul(31) % PAD_MAX) as usize]
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The numbers of whole lines, in their order.
    pub(super) numbers: Vec<u64>,
    /// What is no line of anybody's, and not empty.
    pub(super) torn: usize,
}

impl Lines {
    pub(super) fn of(bytes: &[u8]) -> Lines {
        let mut lines = Lines::default();
        for text in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            match number(text) {
                Some(number) => lines.numbers.push(number),
                // An empty line is what stands between one that was cut off and the next.
                None if text == FOREIGN || text == "\n" => {}
                None => lines.torn += 1,
            }
        }
        lines
    }
}

fn number(text: &str) -> Option<u64> {
    let (digits, rest) = text.strip_prefix("{\"n\":")?.split_once(',')?;
    let number = digits.parse().ok()?;
    let text = rest.strip_prefix("\"pad\":\"")?.strip_suffix("\"}\n")?;
    (text == pad(number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_told_from_torn_ones() {
        let text = format!("{}{}\n{}{}{}", line(1), line(2), FOREIGN, &line(3)[..8], line(4));
        let lines = Lines::of(text.as_bytes());
        assert_eq!((lines.numbers, lines.torn), (vec![1, 2], 1));
        let cut = Lines::of(line(5).trim_end().as_bytes());
        assert_eq!((cut.numbers.len(), cut.torn), (0, 1));
    }
}
