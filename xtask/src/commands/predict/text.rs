//! An answer as people read it: pure.

use super::answer::{Answer, Expected, Tipping};
use crate::{
    color::{ColorChoice, Paint},
    columns::{Align, aligned, filled},
};
use harness::settings::{Content, Pattern};
use std::fmt::Write;

const MIB: f64 = 1_048_576.0;
const WIDTH: usize = 100;

/// The whole of it.
pub fn text(answer: &Answer, colors: ColorChoice) -> String {
    let paint = Paint::stdout(colors);
    let mut out = wrapped(&question(answer));
    out.push('\n');
    let (qemu, proxmox) = (&answer.qemu, &answer.proxmox);
    let row =
        |name: &str, of: &dyn Fn(&Expected) -> String| [name.to_owned(), of(qemu), of(proxmox)];
    let rows = [
        ["".to_owned(), "qemu".to_owned(), "proxmox".to_owned()],
        row("converges", &converges),
        row("live rounds", &|it| it.rounds.to_string()),
        row("migration time", &|it| ranged(it.total_time_s, it.total_time_band_s, seconds)),
        row("transferred", &|it| size(it.stream_bytes)),
        row("downtime limit", &limit),
        row("downtime", &downtime),
        row("guest throttled", &|it| match it.throttle_percent {
            0 => "no".to_owned(),
            percent => format!("by up to {percent} %"),
        }),
    ];
    for (index, line) in aligned([Align::Left; 3], &rows).iter().enumerate() {
        let line = if index == 0 { paint.strong(line) } else { line.clone() };
        let _ = writeln!(out, "{line}");
    }
    out.push('\n');
    out.push_str(&paint.strong("Where it tips over, all else as it is"));
    out.push('\n');
    for (policy, expected) in [("qemu", qemu), ("proxmox", proxmox)] {
        for sentence in tips(policy, expected, answer) {
            out.push_str(&indented(&format!("- {sentence}")));
        }
    }
    out.push('\n');
    out.push_str(&wrapped(&notes(answer).join(" ")));
    out
}

fn question(answer: &Answer) -> String {
    let settings = &answer.settings;
    let touches = match settings.pattern {
        Pattern::Idle => "that touches nothing".to_owned(),
        pattern => format!(
            "that touches {} ({}/s, pattern {pattern}) in {}",
            settings.touch_rate,
            size(f64::from(settings.touch_rate.0) * 4096.0),
            settings.working_set,
        ),
    };
    format!(
        "A guest of {}, {} of it filled, {touches}, over {} ({}/s of payload), bandwidth limit {}. \
         Given up after {}.",
        settings.memory,
        settings.filled,
        answer.link_rate,
        size(answer.payload_bytes_per_s),
        settings.bandwidth_limit,
        answer.max_time,
    )
}

fn converges(expected: &Expected) -> String {
    let cases = |share: f64| format!("in {:.0} % of cases", share * 100.0);
    match (expected.converges, expected.converging_share) {
        (true, share) if share >= 1.0 => "yes".to_owned(),
        (true, share) => format!("yes, {}", cases(share)),
        (false, share) if share > 0.0 => format!("no ({})", cases(share)),
        (false, _) => "no".to_owned(),
    }
}

fn limit(expected: &Expected) -> String {
    let first = expected.downtime_limit.duration().as_secs_f64() * 1e3;
    if expected.final_downtime_limit_ms > first {
        format!("{} -> {:.0} ms", expected.downtime_limit, expected.final_downtime_limit_ms)
    } else {
        expected.downtime_limit.to_string()
    }
}

fn downtime(expected: &Expected) -> String {
    if !expected.converges {
        return format!("none; stopping it then: {}", seconds(expected.downtime_s));
    }
    let own = ranged(expected.downtime_s, expected.downtime_band_s, seconds);
    match expected.resume_s[1] {
        0.0 => own,
        most => format!("{own} + up to {}", seconds(most)),
    }
}

fn tips(policy: &str, expected: &Expected, answer: &Answer) -> Vec<String> {
    let ends = match policy {
        "qemu" => "it converges",
        _ => "it converges without being throttled and at its first limit",
    };
    let beyond = |tip: &Tipping, there: &str, just_there: &str| match tip {
        Tipping::At { beyond_stop_bytes, beyond_downtime_s, .. } if policy == "qemu" => format!(
            "{there}, it goes on until it is given up; some {} are left then, which would take {} \
             to stop the guest with",
            size(*beyond_stop_bytes),
            seconds(*beyond_downtime_s),
        ),
        Tipping::At { beyond_downtime_s, beyond_limit_factor, beyond_throttle_percent, .. } => {
            let mut what = Vec::new();
            if *beyond_throttle_percent > 0 {
                what.push(format!("the guest is throttled by {beyond_throttle_percent} %"));
            }
            if *beyond_limit_factor > 1.0 {
                let first = expected.downtime_limit.duration().as_secs_f64();
                what.push(format!("the limit becomes {}", seconds(first * beyond_limit_factor)));
            }
            what.push(format!("the downtime is {}", seconds(*beyond_downtime_s)));
            format!("{just_there}, {}", listed(&what))
        }
        Tipping::Never | Tipping::Always => String::new(),
    };
    let mut sentences = Vec::new();
    sentences.extend(expected.touch_rate_tip.as_ref().map(|tip| match tip {
        Tipping::At { value, .. } => {
            format!(
                "{policy}: {ends} up to about {} pages/s. {}.",
                rounded(*value),
                beyond(tip, "Beyond", "Just beyond")
            )
        }
        Tipping::Never => format!("{policy}: {ends} at any touch rate."),
        Tipping::Always => format!("{policy}: at no touch rate {ends}."),
    }));
    let bound = if answer.settings.bandwidth_limit == harness::settings::BandwidthLimit::Unlimited {
        ""
    } else {
        " (the bandwidth limit stays)"
    };
    sentences.push(match &expected.link_rate_tip {
        tip @ Tipping::At { value, .. } => format!(
            "{policy}: {ends} over a link of about {} Mbit/s or more{bound}. {}.",
            rounded(*value / 1e6),
            beyond(tip, "Below", "Just below")
        ),
        Tipping::Never => format!("{policy}: {ends} over any link."),
        Tipping::Always => format!("{policy}: over no link, however fast, {ends}{bound}."),
    });
    sentences
}

/// `a`, `a and b`, `a, b and c`.
fn listed(what: &[String]) -> String {
    match what {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

fn notes(answer: &Answer) -> Vec<String> {
    let mut notes = vec![
        "In brackets: least and greatest over what cannot be known beforehand. The payload is \
         1448 of 1514 bytes (TCP over IPv4, MTU 1500). Fixed costs are those of QEMU under TCG on \
         the local lab: 7 ms and 1.1 MB in socket and queue."
            .to_owned(),
    ];
    notes.push(match answer.settings.content {
        Content::Sparse => {
            "Under proxmox, XBZRLE sends differences of pages that its cache holds.".to_owned()
        }
        Content::Random | Content::Zero => {
            "Under proxmox, XBZRLE is on and taken to gain nothing (content random or zero)."
                .to_owned()
        }
    });
    notes.push("What is added to its downtime is the time until it resumes the target.".to_owned());
    notes.push(
        "Proxmox is not held against measurements yet: METHODOLOGY.md, `The model`.".to_owned(),
    );
    notes
}

/// A value with its band, where that is more than rounding.
fn ranged(value: f64, band: [f64; 2], shown: fn(f64) -> String) -> String {
    let (middle, ends) = (shown(value), band.map(shown));
    if ends.iter().all(|end| *end == middle) {
        return middle;
    }
    // One unit is enough where all have the same.
    let number = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let unit = |text: &str| text.split(' ').next_back().unwrap_or_default().to_owned();
    if ends.iter().all(|end| unit(end) == unit(&middle)) {
        format!("{middle} ({} to {})", number(&ends[0]), number(&ends[1]))
    } else {
        format!("{middle} ({} to {})", ends[0], ends[1])
    }
}

/// A time with its unit: milliseconds below a second.
pub fn seconds(seconds: f64) -> String {
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.0} s")
    }
}

/// A size with its unit.
pub fn size(bytes: f64) -> String {
    let mib = bytes / MIB;
    if mib >= 10_240.0 {
        format!("{:.1} GiB", mib / 1024.0)
    } else if mib >= 100.0 {
        format!("{mib:.0} MiB")
    } else {
        format!("{mib:.1} MiB")
    }
}

/// To three digits: more would promise what the model does not know.
fn rounded(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(value.log10().floor() - 2.0).max(1.0);
    (value / unit).round() * unit
}

/// Lines of at most 100 columns.
fn wrapped(text: &str) -> String {
    filled(text, "", WIDTH)
}

/// The same, further lines below the first word.
fn indented(text: &str) -> String {
    filled(text, "  ", WIDTH)
}

#[cfg(test)]
mod tests {
    use super::super::answer::Asked;
    use super::*;
    use harness::settings::Settings;

    /// The example of the README.
    fn asked(touch_rate: &str, pattern: &str) -> Asked {
        let settings: Settings = serde_json::from_value(serde_json::json!({
            "memory": "4 GiB", "working_set": "512 MiB", "filled": "4080 MiB",
            "touch_rate": touch_rate, "pattern": pattern, "content": "random",
            "link_rate": "1 Gbit/s", "bandwidth_limit": "unlimited", "downtime_limit": "300 ms",
        }))
        .unwrap();
        Asked {
            settings,
            link_rate: "1 Gbit/s".parse().unwrap(),
            max_time: "1 h".parse().unwrap(),
            proxmox_limit: "100 ms".parse().unwrap(),
        }
    }

    #[test]
    fn a_guest_that_converges_one_that_does_not_and_an_idle_one() {
        let texts =
            [("20000 pages/s", "random"), ("60000 pages/s", "random"), ("0 pages/s", "idle")]
                .map(|(rate, pattern)| text(&Answer::of(asked(rate, pattern)), ColorChoice::Never));
        insta::assert_snapshot!("predict", texts.join("\n----\n\n"));
        for text in texts {
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        }
    }

    #[test]
    fn numbers_have_as_many_digits_as_they_deserve() {
        assert_eq!(
            (seconds(0.3094), seconds(45.31), seconds(1234.5)),
            ("309 ms".into(), "45.3 s".into(), "1234 s".into())
        );
        assert_eq!(
            (size(1048576.0 * 59.7), size(1048576.0 * 20480.0)),
            ("59.7 MiB".into(), "20.0 GiB".into())
        );
        assert_eq!((rounded(30987.0), rounded(659.4), rounded(3.21)), (31000.0, 659.0, 3.0));
        assert_eq!(ranged(1.0, [1.0, 1.0], seconds), "1.0 s");
        assert_eq!(ranged(1.0, [0.9, 1.2], seconds), "1.0 s (900 ms to 1.2 s)");
    }
}
