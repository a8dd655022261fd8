//! Numbers for people.

/// Bits per second: `941 Mbit/s`.
pub fn rate(bits_per_s: f64) -> String {
    match bits_per_s {
        rate if rate >= 9.995e9 => format!("{:.1} Gbit/s", rate / 1e9),
        rate if rate >= 9.995e6 => format!("{:.0} Mbit/s", rate / 1e6),
        rate => format!("{:.2} Mbit/s", rate / 1e6),
    }
}

/// Milliseconds: `0.071 ms`.
pub fn ms(ms: f64) -> String {
    match ms.abs() {
        size if size < 1.0 => format!("{ms:.3} ms"),
        size if size < 100.0 => format!("{ms:.1} ms"),
        _ => format!("{ms:.0} ms"),
    }
}

/// Bytes: `5.3 GiB`.
#[expect(clippy::cast_precision_loss, reason = "shown with a digit or two")]
pub fn bytes(bytes: u64) -> String {
    let (gib, mib) = (1_u64 << 30, 1_u64 << 20);
    if bytes >= gib {
        format!("{:.1} GiB", bytes as f64 / gib as f64)
    } else {
        format!("{:.0} MiB", bytes as f64 / mib as f64)
    }
}

/// A share: `85 %`.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
