//! Numbers with as many digits as a person wants and the source can show.

/// Digits after the point for values that stand below each other: three significant digits for
/// the least, unless that makes more than four for the greatest; at least one for the least; and
/// none finer than `resolution`.
pub(super) fn decimals(values: impl IntoIterator<Item = f64>, resolution: f64) -> usize {
    let magnitudes: Vec<f64> = values
        .into_iter()
        .map(f64::abs)
        .filter(|value| value.is_finite() && *value > 0.0)
        .collect();
    if magnitudes.is_empty() {
        return 0;
    }
    let greatest = magnitudes.iter().copied().fold(0.0, f64::max);
    let least = magnitudes.iter().copied().fold(f64::INFINITY, f64::min);
    let wanted = digits_to(least, 3).min(digits_to(greatest, 4)).max(digits_to(least, 1));
    let shown_by_source = if resolution > 0.0 { digits_to(resolution, 1) } else { 3 };
    wanted.min(shown_by_source)
}

/// Digits after the point that make `significant` digits of `value`, 3 at most.
fn digits_to(value: f64, significant: usize) -> usize {
    (0..3)
        .find(|&digits| {
            let steps = 10f64.powi(i32::try_from(significant).unwrap_or(1) - 1);
            // A hair below, so that 0.1 + rounding is still 0.1.
            value * 10f64.powi(i32::try_from(digits).unwrap_or(0)) >= steps * 0.999_999
        })
        .unwrap_or(3)
}

/// A number with this many digits after the point; never `-0`.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| byte == b'0' || byte == b'.') => rest.to_owned(),
        _ => text,
    }
}

/// `1 trial`, `2 trials`.
pub(super) fn plural(n: u32, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The unit that values of `unit` are shown in, and what to divide them by.
pub(super) fn shown_unit(unit: &str) -> (&str, f64) {
    match unit {
        "B" => ("MiB", MIB),
        "B/s" => ("MiB/s", MIB),
        other => (other, 1.0),
    }
}

/// Bytes of a MiB.
pub(super) const MIB: f64 = 1024.0 * 1024.0;

/// A length of time as a person would say it: `45 s`, `3 min 20 s`, `1 h 5 min`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_magnitude_and_resolution() {
        let check = |values: &[f64], resolution: f64, expect: &[&str]| {
            let decimals = decimals(values.iter().copied(), resolution);
            let shown: Vec<String> = values.iter().map(|&value| fixed(value, decimals)).collect();
            assert_eq!(shown, expect);
        };
        check(&[88.0, 115.4], 1.0, &["88", "115"]);
        check(&[88.123, 115.4], 0.001, &["88.1", "115.4"]);
        check(&[107.9, 115.4], 0.001, &["108", "115"]);
        check(&[0.4, 1200.0], 0.001, &["0.4", "1200.0"]);
        check(&[4.271, 115.4], 0.001, &["4.3", "115.4"]);
        check(&[0.655, 34.2], 0.001, &["0.66", "34.20"]);
        check(&[0.655, 0.642], 0.001, &["0.655", "0.642"]);
        check(&[102.4, 11.5], 1e-6, &["102.4", "11.5"]);
        check(&[0.0, 3.0], 1.0, &["0", "3"]);
        check(&[0.0], 0.1, &["0"]);
        check(&[-0.01, 250.0], 1.0, &["0", "250"]);
        check(&[], 1.0, &[]);
    }

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said: Vec<String> = [0.0, 9.94, 9.96, 59.4, 59.6, 200.0, 3900.0].map(duration).into();
        assert_eq!(
            said,
            ["0.0 s", "9.9 s", "10 s", "59 s", "1 min 0 s", "3 min 20 s", "1 h 5 min"]
        );
    }
}
