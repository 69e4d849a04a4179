//! One connection: the verbs as its statements.

use std::{collections::HashMap, time::Duration};

use sqlx::{
    Connection as _, Executor as _, MySqlConnection, Row as _,
    mysql::{MySqlQueryResult, MySqlRow},
};
use tokio::{
    sync::OwnedMutexGuard,
    time::{error::Elapsed, timeout},
};

use super::{
    Shared,
    failure::{self, Concerns},
    index::handle,
    places::Place,
    ready::{Parameter, Ready},
    statements::Statement,
    whole,
};
use crate::{
    id::Handle,
    store::{
        Created, Loaded, StoreError, StoreErrorKind, Updated, Version,
        sql::{missed, timestamp},
    },
};

/// A connection that one verb has until it is dropped. Then the next may have it, unless it is in the middle of
/// something: it is closed.
pub(super) struct Connection {
    connection: Option<MySqlConnection>,
    state: State,
    /// It had been idle, and was not asked whether it still is there.
    was_trusted: bool,
    /// Given back after the connection.
    place: Place,
    /// Given back after the place.
    turn: Option<OwnedMutexGuard<()>>,
}

/// What became of several loads; a handle of which there is nothing may be missing.
type Found = HashMap<Handle, Result<Option<Loaded>, StoreError>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Busy,
    /// It is not to be asked again.
    Closed,
    Idle,
    /// It is gone, or the server is not the one that should be asked; so may be the others.
    Lost,
}

impl Connection {
    pub(super) const fn new(connection: MySqlConnection, was_trusted: bool, place: Place) -> Self {
        Self {
            connection: Some(connection),
            state: State::Idle,
            was_trusted,
            place,
            turn: None,
        }
    }

    /// Lets go of a turn when it is dropped.
    pub(super) fn keep(&mut self, turn: OwnedMutexGuard<()>) {
        self.turn = Some(turn);
    }

    /// Tells whether it was lost, perhaps before anything was asked.
    pub(super) fn was_lost_while_idle(&self) -> bool {
        self.was_trusted && matches!(self.state, State::Closed | State::Lost)
    }

    /// Makes sure that it is still there.
    pub(super) async fn is_there(&mut self) -> bool {
        let ping = timeout(PING_TIMEOUT, self.begin().ping()).await;
        self.was_trusted = false;
        let is_there = matches!(ping, Ok(Ok(())));
        self.state = match is_there {
            true => State::Idle,
            false => State::Closed,
        };
        is_there
    }

    pub(super) async fn create(
        &mut self,
        store: &Shared,
        create: Ready,
    ) -> Result<Created, StoreError> {
        match self.carry_out(store, create).await?.last_insert_id() {
            0 => Ok(Created::Taken),
            millis => Ok(Created::Done(timestamp(millis.cast_signed())?)),
        }
    }

    /// Loads a few records by one statement, or one by one if the server refuses that: one of them may be to blame.
    pub(super) async fn load_some(
        &mut self,
        store: &Shared,
        handles: &[Handle],
    ) -> Result<Found, StoreError> {
        let query = store.statements.load_some(handles)?;
        let rows = match self.rows(store, query).await {
            Ok(rows) => rows,
            Err(error) if self.state != State::Idle || error.kind() == StoreErrorKind::Unknown => {
                return Err(error);
            }
            Err(_) => return self.load_each(store, handles).await,
        };
        let found = rows.iter().map(|row| {
            let handle = handle(row, 1).map_err(StoreError::corrupt)?;
            Ok((handle, loaded(row)))
        });
        found.collect()
    }

    /// Loads one by one, for as long as the connection is in order.
    async fn load_each(&mut self, store: &Shared, handles: &[Handle]) -> Result<Found, StoreError> {
        let mut found = Found::new();
        for handle in handles {
            match self.load(store, *handle).await {
                Err(error) if self.state != State::Idle => return Err(error),
                loaded => drop(found.insert(*handle, loaded)),
            }
        }
        Ok(found)
    }

    pub(super) async fn load(
        &mut self,
        store: &Shared,
        handle: Handle,
    ) -> Result<Option<Loaded>, StoreError> {
        let query = store.statements.load(handle)?;
        let rows = self.rows(store, query).await?;
        rows.first().map_or(Ok(None), loaded)
    }

    pub(super) async fn update(
        &mut self,
        store: &Shared,
        update: Ready,
        handle: Handle,
        expected: Version,
    ) -> Result<Updated, StoreError> {
        match self.carry_out(store, update).await?.rows_affected() {
            0 => {
                let found = self.load(store, handle).await?;
                Ok(missed(found, expected))
            }
            _ => Ok(Updated::Done),
        }
    }

    /// Carries out a statement, and tells whether there was a row for it.
    ///
    /// These are the rows that were found: sqlx asks for them, and not for those that were changed, which a touch within
    /// the same millisecond does not.
    pub(super) async fn was_found(
        &mut self,
        store: &Shared,
        query: Ready,
    ) -> Result<bool, StoreError> {
        let done = self.carry_out(store, query).await?;
        Ok(done.rows_affected() > 0)
    }

    pub(super) async fn execute(
        &mut self,
        store: &Shared,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<MySqlQueryResult, StoreError> {
        self.carry_out(store, statement.with(parameters)?).await
    }

    pub(super) async fn carry_out(
        &mut self,
        store: &Shared,
        query: Ready,
    ) -> Result<MySqlQueryResult, StoreError> {
        let done = timeout(ANSWER_TIMEOUT, self.begin().execute(query)).await;
        self.end(store, done)
    }

    pub(super) async fn rows(
        &mut self,
        store: &Shared,
        query: Ready,
    ) -> Result<Vec<MySqlRow>, StoreError> {
        let rows = timeout(ANSWER_TIMEOUT, self.begin().fetch_all(query)).await;
        self.end(store, rows)
    }

    /// Carries out several statements in one transaction. If it fails the connection is closed, and with it the
    /// transaction.
    pub(super) async fn together<T>(
        &mut self,
        store: &Shared,
        statements: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let connection = self.begin();
        let done = timeout(ANSWER_TIMEOUT, async {
            let mut transaction = connection.begin().await?;
            let done = statements(&mut transaction).await?;
            transaction.commit().await?;
            Ok(done)
        });
        let done = done.await;
        let done = self.end(store, done);
        if done.is_err() && self.state == State::Idle {
            self.state = State::Busy;
        }
        done
    }

    fn begin(&mut self) -> &mut MySqlConnection {
        self.state = State::Busy;
        let connection = self.connection.as_mut();
        connection.expect("it is there until it is dropped")
    }

    /// Takes what was answered, if it was in time.
    fn end<T>(
        &mut self,
        store: &Shared,
        answer: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, StoreError> {
        let answer = answer.map_err(StoreError::unknown)?;
        self.state = match answer.as_ref().map_err(failure::concerns) {
            Ok(_) | Err(Concerns::Nobody) => State::Idle,
            Err(Concerns::This) => State::Closed,
            Err(Concerns::All) => State::Lost,
        };
        answer.map_err(|error| failure::verb(error, &store.table))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        match (self.state, self.connection.take()) {
            (State::Idle, Some(connection)) => self.place.give_back(connection),
            (State::Lost, _) => self.place.give_up(),
            _ => {}
        }
    }
}

/// Reads a row that begins with a whole record; `None` if that has expired.
pub(super) fn loaded(row: &MySqlRow) -> Result<Option<Loaded>, StoreError> {
    whole::loaded(row.try_get(0).map_err(StoreError::corrupt)?)
}

/// As long as a commit has by default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_millis(500);
