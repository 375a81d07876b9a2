//! Figures and names as people read them.

use std::time::Duration;

use crate::cat::escape;

/// `1 file`, `2 files`.
pub fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

/// Without what drives a terminal.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    escape(&mut plain, text);
    plain
}

/// `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: whole from a hundred on.
pub fn rate(per_s: f64) -> String {
    if per_s == 0.0 || per_s >= 100.0 {
        grouped(per_s.round() as u64)
    } else {
        format!("{per_s:.1}")
    }
}

/// `512 B`, `1.5 KiB`.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut bytes, mut unit) = (bytes, 0);
    while bytes >= 1024.0 && unit + 1 < UNITS.len() {
        bytes /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes:.0} B") } else { format!("{bytes:.1} {}", UNITS[unit]) }
}

/// `850 ns`, `12.3 us`, `4.5 ms`, `2.0 s`, `3m 20s`.
pub fn time(time: Duration) -> String {
    let ns = time.as_nanos();
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        1_000_000_000..100_000_000_000 => format!("{:.1} s", ns as f64 / 1e9),
        _ => humantime::format_duration(Duration::from_secs(time.as_secs())).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let counts = [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")];
        counts.into_iter().for_each(|(count, text)| assert_eq!(grouped(count), text));
        let sizes = [(0.0, "0 B"), (1023.0, "1023 B"), (1536.0, "1.5 KiB"), (3e20, "266453.5 PiB")];
        sizes.into_iter().for_each(|(size, text)| assert_eq!(bytes(size), text));
        let rates = [(0.0, "0"), (0.25, "0.2"), (99.5, "99.5"), (12_345.6, "12,346")];
        rates.into_iter().for_each(|(per_s, text)| assert_eq!(rate(per_s), text));
        let times = [
            (0, "0 ns"),
            (12_345, "12.3 us"),
            (4_500_000, "4.5 ms"),
            (2_000_000_000, "2.0 s"),
            (200_000_000_000, "3m 20s"),
        ];
        times.into_iter().for_each(|(ns, text)| assert_eq!(time(Duration::from_nanos(ns)), text));
        assert_eq!(plain("a\x1b[2J\u{202e}"), "a\\u{1b}[2J\\u{202e}");
    }
}
