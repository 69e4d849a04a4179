//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double up to a limit, each shortened at random so that many processes do not come at once.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            next: first,
        }
    }

    pub(super) const fn reset(&mut self) {
        self.next = self.first;
    }

    /// Returns the next wait.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = jittered(self.next);
        self.next = self.most.min(self.next * 2);
        wait
    }
}

/// Returns between half of a duration and the whole of it.
pub(crate) fn jittered(duration: Duration) -> Duration {
    let share = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    duration.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_anew() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(5));
        for (round, most) in [1, 2, 4, 5, 5].into_iter().enumerate() {
            let wait = backoff.wait();
            assert!(
                (seconds(most) / 2..=seconds(most)).contains(&wait),
                "{round}: {wait:?}"
            );
        }
        backoff.reset();
        assert!(backoff.wait() <= seconds(1));
    }

    #[test]
    fn two_processes_do_not_wait_equally_long() {
        let waits: Vec<_> = (0..8).map(|_| jittered(Duration::from_secs(60))).collect();
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
    }
}
