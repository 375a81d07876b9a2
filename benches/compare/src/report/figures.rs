//! Figures as text, short enough to compare.

/// Three digits that count: `0.420`, `12.4`, `1,234`.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => with_commas(value.round() as u64),
    }
}

/// As `number`, without zeros behind the point: for what is round, as on an axis.
pub fn round(text: &str) -> &str {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.')
}

/// Of records a second.
pub fn millions(value: f64) -> String {
    number(value / 1e6)
}

/// A share of 0 to 1: never rounded to none, nor to all, where it is not.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0".to_owned(),
        ..0.1 => "< 0.1 %".to_owned(),
        ..10.0 => format!("{percent:.1} %"),
        99.5..100.0 => "> 99 %".to_owned(),
        _ => format!("{percent:.0} %"),
    }
}

fn with_commas(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count() {
        let values = [0.0, 0.42, 0.5, 1.5, 12.36, 99.94, 123.4, 1234.0, 1_234_567.0];
        let expected = ["0", "0.420", "0.500", "1.50", "12.4", "99.9", "123", "1,234", "1,234,567"];
        assert_eq!(values.map(number), expected);
        assert_eq!(millions(11_240_000.0), "11.2");
    }

    #[test]
    fn only_zeros_behind_the_point_go() {
        let texts = ["1.00", "10.0", "1.50", "0.100", "1,000", "0"];
        assert_eq!(texts.map(round), ["1", "10", "1.5", "0.1", "1,000", "0"]);
    }

    #[test]
    fn shares_are_not_rounded_away() {
        let shares = [0.0, 0.0004, 0.05, 0.42, 0.9999, 1.0];
        let expected = ["0", "< 0.1 %", "5.0 %", "42 %", "> 99 %", "100 %"];
        assert_eq!(shares.map(percent), expected);
    }
}
