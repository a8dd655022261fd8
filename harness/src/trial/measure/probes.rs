//! The outage of a guest that is asked for answers.

use super::{Found, NO_MIGRATION, as_f64, completed, measured};
use crate::{record::Measured, trial::observed::Observed};

/// The longest silence of the migration less one interval, as of heartbeats. Nobody tells when such
/// a guest is stopped, so the whole migration is looked at.
pub(super) fn service_gap(observed: &Observed) -> Found {
    completed(observed)?;
    let probes = observed.probes.as_ref().ok_or("nobody asks the guest for answers")?;
    let quiet = observed.quiet.as_ref().ok_or("its address did not answer before its migration")?;
    let ns = |at_s: f64| u64::try_from(observed.observer_ns(at_s)?).ok();
    let (began_s, end_s) = (observed.began_s, observed.migration_s);
    let from_ns = ns(began_s - observed.beat_error_s(began_s)).ok_or(NO_MIGRATION)?;
    let to_ns = ns(end_s + observed.beat_error_s(end_s)).ok_or(NO_MIGRATION)?;
    let silence = probes.longest_silence(from_ns, to_ns, quiet);
    let silence = silence.ok_or("no answer after the move")?;
    let ms = |ns: u64| as_f64(ns) / 1e6;
    let interval_ms = observed.heartbeat_interval.as_secs_f64() * 1e3;
    let (silence_ms, jitter_ms) = (ms(silence.longest_ns), ms(quiet.jitter_ns));
    if silence_ms < interval_ms + jitter_ms {
        return Err(format!(
            "below resolution: {silence_ms:.1} ms of silence, with a jitter of {jitter_ms:.1} ms"
        ));
    }
    let surely_ms = ms(silence.surely_ns);
    let gap_ms = (silence_ms - interval_ms).max(surely_ms);
    let interval = Some([surely_ms, silence_ms]);
    measured(gap_ms, "observer, probes, whole migration", interval_ms)
        .map(|found| Measured { interval, ..found })
}
