//! Waiting for another machine that tells nobody when it is ready: the one place where something
//! is asked again after a pause. Everything on this machine tells of itself, and is waited for.

use anyhow::{Context, Result};
use std::{ops::ControlFlow, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};

/// Asks until the answer is good, with at least `pause` from one question to the next, for
/// `deadline` at most.
///
/// # Errors
/// The last answer, when none was good in time.
pub async fn until<T, F: Future<Output = Result<T>> + Send>(
    pause: Duration,
    deadline: Duration,
    // Not an `AsyncFnMut`, of whose futures nothing tells that another thread may run them.
    mut ask: impl FnMut() -> F + Send,
) -> Result<T> {
    let mut last = None;
    let asking = async {
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match ask().await {
                Ok(good) => return good,
                Err(error) => last = Some(error),
            }
        }
    };
    if let Ok(good) = timeout(deadline, asking).await {
        return Ok(good);
    }
    let within = format!("not within {} s", deadline.as_secs());
    last.map_or_else(|| Err(anyhow::anyhow!("no answer")), Err).context(within)
}

/// How long to wait from one question to the next.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// After the first question; each further pause is twice as long.
    pub first: Duration,
    /// But not longer than this.
    pub longest: Duration,
}

/// Asks until there is an answer that ends it (`Break`), good or bad. After an answer that leaves
/// hope (`Continue`) it asks again, unless `patience` would be over by then. A question is never
/// cut off: it must have a deadline of its own.
///
/// # Errors
/// The answer that ended it, or the last one that left hope.
pub async fn backing_off<T, E, F: Future<Output = ControlFlow<Result<T, E>, E>> + Send>(
    pauses: Pauses,
    patience: Duration,
    mut ask: impl FnMut() -> F + Send,
) -> Result<T, E> {
    let end = Instant::now() + patience;
    let mut pause = pauses.first.max(Duration::from_millis(1));
    loop {
        let hope = match ask().await {
            ControlFlow::Break(end) => return end,
            ControlFlow::Continue(hope) => hope,
        };
        let next = Instant::now() + pause;
        if next > end {
            return Err(hope);
        }
        interval_at(next, pause).tick().await;
        pause = (pause * 2).min(pauses.longest.max(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[tokio::test]
    async fn the_first_good_answer_counts() {
        let mut asked = 0;
        let answer = until(Duration::from_millis(1), Duration::from_secs(60), || {
            asked += 1;
            let asked = asked;
            async move { if asked < 3 { bail!("not yet") } else { Ok(asked) } }
        });
        assert_eq!(answer.await.unwrap(), 3);
    }

    const PAUSES: Pauses =
        Pauses { first: Duration::from_millis(1), longest: Duration::from_millis(2) };

    #[tokio::test]
    async fn an_answer_that_ends_it_ends_it() {
        for good in [true, false] {
            let mut asked = 0;
            let end = backing_off(PAUSES, Duration::from_secs(60), || {
                asked += 1;
                let asked = asked;
                async move {
                    match (asked < 4, good) {
                        (true, _) => ControlFlow::Continue("not yet"),
                        (false, true) => ControlFlow::Break(Ok(asked)),
                        (false, false) => ControlFlow::Break(Err("never")),
                    }
                }
            });
            assert_eq!(end.await, if good { Ok(4) } else { Err("never") });
        }
    }

    #[tokio::test]
    async fn in_the_end_the_last_answer_counts() {
        let mut asked = 0;
        let hope = backing_off(PAUSES, Duration::from_millis(20), || {
            asked += 1;
            let asked = asked;
            async move { ControlFlow::<Result<(), _>, _>::Continue(asked) }
        });
        let last = hope.await.unwrap_err();
        assert!(last >= 1);
        assert_eq!(last, asked);
    }

    #[tokio::test]
    async fn the_last_bad_answer_is_the_error() {
        let answer = until(Duration::from_millis(1), Duration::from_millis(20), || async {
            Err::<(), _>(anyhow::anyhow!("connection refused"))
        });
        let error = format!("{:#}", answer.await.unwrap_err());
        assert_eq!(error, "not within 0 s: connection refused");
    }
}
