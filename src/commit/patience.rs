//! How long a commit waits for the store.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use tokio::{
    runtime,
    time::{Sleep, sleep},
};

use crate::{clock::Stopwatch, store::StoreError};

/// The time that a commit has, counted from the first time it has to wait.
pub(super) struct Patience {
    total: Duration,
    since: Option<Stopwatch>,
    /// For the answer that is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Whether a statement is sent for the first time, or once more because its answer was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Last,
}

impl Patience {
    pub(super) const fn new(total: Duration) -> Self {
        Self {
            total,
            since: None,
            timer: None,
        }
    }

    /// Waits for an answer. One that is too late may or may not have been carried out.
    pub(super) fn poll<T>(
        &mut self,
        attempt: Attempt,
        answer: &mut (impl Future<Output = Result<T, StoreError>> + Unpin),
        task: &mut Task<'_>,
    ) -> Poll<Result<T, StoreError>> {
        if let Poll::Ready(answer) = Pin::new(answer).poll(task) {
            self.timer = None;
            return Poll::Ready(answer);
        }
        ready!(self.poll_timer(attempt, task));
        self.timer = None;
        Poll::Ready(Err(StoreError::unknown("the store did not answer in time")))
    }

    /// Tells whether there is too little time left for another attempt, which would end as an unknown outcome.
    pub(super) fn is_over(&mut self) -> bool {
        self.remaining() <= self.total / 4
    }

    /// Returns what is left of the time.
    fn remaining(&mut self) -> Duration {
        match self.since {
            Some(since) => self.total.saturating_sub(since.elapsed()),
            None => {
                self.since = Some(Stopwatch::start());
                self.total
            }
        }
    }

    fn poll_timer(&mut self, attempt: Attempt, task: &mut Task<'_>) -> Poll<()> {
        let share = match (attempt, &self.timer) {
            (_, Some(_)) => Duration::ZERO,
            // As much is left for a last attempt.
            (Attempt::First, None) => self.remaining() / 2,
            (Attempt::Last, None) => self.remaining(),
        };
        // Without a runtime there is no timer, and a store that needs one would have failed by itself.
        if self.timer.is_none() && runtime::Handle::try_current().is_err() {
            return Poll::Pending;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(share)));
        timer.as_mut().poll(task)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use super::*;
    use crate::store::{Answer, StoreErrorKind};

    async fn asked(
        patience: &mut Patience,
        attempt: Attempt,
        mut answer: Answer<()>,
    ) -> Result<(), StoreError> {
        poll_fn(|task| patience.poll(attempt, &mut answer, task)).await
    }

    fn never() -> Answer<()> {
        Answer::later(pending())
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_attempt_leaves_as_much_time_for_a_last_one() {
        let mut patience = Patience::new(Duration::from_secs(4));
        let start = Stopwatch::start();
        for (attempt, waited) in [(Attempt::First, 2), (Attempt::Last, 4)] {
            let late = asked(&mut patience, attempt, never()).await.unwrap_err();
            assert_eq!(late.kind(), StoreErrorKind::Unknown);
            assert_eq!(start.elapsed().as_secs(), waited);
        }
        assert!(patience.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_there_is_taken_though_the_time_is_over() {
        let mut patience = Patience::new(Duration::from_millis(1));
        asked(&mut patience, Attempt::Last, never())
            .await
            .unwrap_err();
        assert!(
            asked(&mut patience, Attempt::Last, Answer::ready(Ok(())))
                .await
                .is_ok()
        );
    }
}
