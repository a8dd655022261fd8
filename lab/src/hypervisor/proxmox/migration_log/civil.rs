//! Local times without a zone, as Proxmox stamps its lines.

/// Seconds since 1970 of `YYYY-MM-DD HH:MM:SS`, as if it were UTC: good for differences, but for
/// the hour in which a clock is changed.
pub(super) fn seconds(stamp: &str) -> Option<i64> {
    let (date, time) = stamp.split_once(' ')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let good = (1..=12).contains(&month) && (1..=31).contains(&day);
    let good = good && hour < 24 && minute < 60 && second < 61;
    good.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|p| p.len() == digits)?;
        *number = part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970-01-01 in the Gregorian calendar, counted from March so that the day added in
/// leap years is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // From March on, five months have 153 days.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_those_of_the_calendar() {
        for (stamp, expected) in [
            ("1970-01-01 00:00:00", Some(0)),
            ("1994-11-06 08:49:37", Some(784_111_777)),
            ("2000-02-29 00:00:00", Some(951_782_400)),
            ("2099-12-31 23:59:59", Some(4_102_444_799)),
            ("2026-11-22 09:47:16", Some(1_795_340_836)),
            ("2026-11-22", None),
            ("2026-13-22 09:47:16", None),
            ("2026-11-22 24:47:16", None),
            ("2026-11-22 9:47:16", None),
            ("+026-11-22 09:47:16", None),
        ] {
            assert_eq!(seconds(stamp), expected, "{stamp}");
        }
    }
}
