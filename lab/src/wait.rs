//! Waiting for another machine that tells nobody when it is ready: the one place where something
//! is asked again after a pause. Everything on this machine tells of itself, and is waited for.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Asks until the answer is good, with at least `pause` from one question to the next, for
/// `deadline` at most.
///
/// # Errors
/// The last answer, when none was good in time.
pub async fn until<T>(
    pause: Duration,
    deadline: Duration,
    mut ask: impl AsyncFnMut() -> Result<T>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[tokio::test]
    async fn the_first_good_answer_counts() {
        let mut asked = 0;
        let answer = until(Duration::from_millis(1), Duration::from_secs(60), async || {
            asked += 1;
            if asked < 3 { bail!("not yet") } else { Ok(asked) }
        });
        assert_eq!(answer.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn the_last_bad_answer_is_the_error() {
        let answer = until(Duration::from_millis(1), Duration::from_millis(20), async || {
            Err::<(), _>(anyhow::anyhow!("connection refused"))
        });
        let error = format!("{:#}", answer.await.unwrap_err());
        assert_eq!(error, "not within 0 s: connection refused");
    }
}
