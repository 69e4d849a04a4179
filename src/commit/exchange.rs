//! What a commit says to the store, for a limited time: a statement whose answer was lost is sent once more as it was,
//! never made again.

use std::{sync::Arc, time::Duration};

use crate::{
    change::Live,
    clock::Stopwatch,
    context::{Context, Turn, within},
    error::{Error, ErrorKind},
    id::Handle,
    observe::{Event, EventKind},
    record::{Record, Values},
    store::{Answer, Loaded, StoreError, StoreErrorKind, Updated},
};

/// A conversation with the store that ends in time.
pub(super) struct Exchange {
    context: Arc<Context>,
    budget: Budget,
}

/// The store's answer to an update, whatever it took to get it.
pub(super) enum Outcome {
    Conflict(Loaded),
    Done,
    Gone,
}

/// Whether a statement is sent for the first time, or once more because its answer was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Last,
}

impl Exchange {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            budget: Budget::new(context.commit_timeout),
            context,
        }
    }

    /// Deletes a record, whatever its version.
    pub(super) async fn delete(&mut self, handle: Handle) -> Result<bool, StoreError> {
        let store = self.context.store.clone();
        match self.ask(store.delete(&handle), Attempt::First).await {
            Err(error) if is_unknown(&error) => {
                self.ask(store.delete(&handle), Attempt::Last).await
            }
            answer => answer,
        }
    }

    /// Replaces a record by the next one, and finds out what became of an update whose answer was lost.
    pub(super) async fn replace(
        &mut self,
        live: &Live,
        next: &Live,
        values: &Values,
    ) -> Result<Outcome, Error> {
        let lifetime = next.header.lifetime.unwrap_or(self.context.lifetime);
        let Some(expires_in) = lifetime.expires_in(next.stamps(), next.last_seen) else {
            return Ok(Outcome::Gone);
        };
        let record = Record::with_values(next.version, &next.header, values);
        let (updated, lost) = self.update(live, &record, expires_in).await?;
        match updated {
            Updated::Done => Ok(Outcome::Done),
            Updated::Gone => Ok(Outcome::Gone),
            Updated::Conflict(fresh) => match self.fresh(live.handle, fresh, lost).await? {
                Some(fresh) if fresh.record.version() == next.version => Ok(Outcome::Done),
                // Another request has written since, on ours or instead of it: nobody knows.
                Some(_) if lost => Err(Error::new(ErrorKind::OutcomeUnknown)),
                Some(fresh) => Ok(Outcome::Conflict(fresh)),
                None => Ok(Outcome::Gone),
            },
        }
    }

    /// Sends an update, and once more if its answer is lost; tells whether it was.
    async fn update(
        &mut self,
        live: &Live,
        record: &Record,
        expires_in: Duration,
    ) -> Result<(Updated, bool), Error> {
        let store = self.context.store.clone();
        let send = || store.update(&live.handle, live.version, record, expires_in);
        match self.ask(send(), Attempt::First).await {
            Err(error) if is_unknown(&error) => {
                let event = Event::new(EventKind::StoreFailed).of(live.handle);
                self.context.observe(event.because(&error));
                let answer = self.ask(send(), Attempt::Last).await;
                Ok((answer.map_err(unknown)?, true))
            }
            answer => Ok((answer.map_err(refused)?, false)),
        }
    }

    /// Returns the record that an update conflicted with, from the store if it was not in the answer.
    async fn fresh(
        &mut self,
        handle: Handle,
        fresh: Option<Loaded>,
        lost: bool,
    ) -> Result<Option<Loaded>, Error> {
        if fresh.is_some() {
            return Ok(fresh);
        }
        let store = self.context.store.clone();
        let loaded = self.ask(store.load(&handle), Attempt::Last).await;
        loaded.map_err(if lost { unknown } else { refused })
    }

    /// Waits until the commits of a handle that came first are done.
    pub(super) async fn turn<'a>(
        &mut self,
        context: &'a Context,
        handle: Handle,
    ) -> Result<Turn<'a>, Error> {
        let turn = async { Ok(context.queues.turn(handle).await) };
        let limit = self.budget.share(Attempt::Last);
        within(limit, turn)
            .await
            .map_err(|_| Error::new(ErrorKind::Contended))
    }

    pub(super) async fn ask<T>(
        &mut self,
        answer: Answer<T>,
        attempt: Attempt,
    ) -> Result<T, StoreError> {
        match answer.split() {
            Ok(answer) => answer,
            // Boxed, so that a store which answers at once does not carry a timer along.
            Err(later) => Box::pin(within(self.budget.share(attempt), later)).await,
        }
    }

    /// Fails once there is no time left for another attempt: one that has too little ends as an unknown outcome.
    pub(super) fn check_time(&mut self) -> Result<(), Error> {
        let left = self.budget.remaining() > self.budget.total / 4;
        left.then_some(())
            .ok_or_else(|| Error::new(ErrorKind::Contended))
    }
}

/// The time that a commit has, counted from the first time it has to wait.
struct Budget {
    total: Duration,
    since: Option<Stopwatch>,
}

impl Budget {
    const fn new(total: Duration) -> Self {
        Self { total, since: None }
    }

    /// Returns how long to wait: a first attempt leaves as much for a last one.
    fn share(&mut self, attempt: Attempt) -> Duration {
        match attempt {
            Attempt::First => self.remaining() / 2,
            Attempt::Last => self.remaining(),
        }
    }

    fn remaining(&mut self) -> Duration {
        let since = self.since.get_or_insert_with(Stopwatch::start);
        self.total.saturating_sub(since.elapsed())
    }
}

pub(super) fn is_unknown(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Unknown
}

fn unknown(error: StoreError) -> Error {
    Error::new(ErrorKind::OutcomeUnknown).with_source(error)
}

pub(super) fn refused(error: StoreError) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::Corrupt => ErrorKind::UndecodableRecord,
        StoreErrorKind::Full => ErrorKind::Full,
        StoreErrorKind::Unavailable => ErrorKind::Store,
        StoreErrorKind::Unknown => ErrorKind::OutcomeUnknown,
    };
    Error::new(kind).with_source(error)
}
