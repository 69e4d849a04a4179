//! One connection: the verbs as its statements.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_postgres::{Client, Row as PgRow, Statement, types::ToSql};

use super::{
    failure,
    statements::{Prepared, PreparedIndex, Statements},
};
use crate::{
    id::Handle,
    store::{
        Created, Loaded, Record, StoreError, Updated, Version,
        link::Connected,
        sql::{Row, Table, Ttl, at_most, half_done, missed, signed, timestamp},
    },
};

/// A connection on which statements follow each other without waiting for answers.
pub(super) struct Connection {
    client: Client,
    table: Table,
    statements: Arc<Statements>,
    prepared: OnceCell<Prepared>,
    prepared_index: OnceCell<PreparedIndex>,
    places: Arc<Semaphore>,
    given_up: Notify,
}

pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

impl Connection {
    pub(super) fn new(client: Client, table: Table, statements: Arc<Statements>) -> Self {
        Self {
            client,
            table,
            statements,
            prepared: OnceCell::new(),
            prepared_index: OnceCell::new(),
            places: Arc::new(Semaphore::new(PLACES)),
            given_up: Notify::new(),
        }
    }

    /// Returns how many statements wait for an answer.
    pub(super) fn waiting(&self) -> usize {
        PLACES - self.places.available_permits()
    }

    /// Takes a place among the statements that wait for an answer. A server that answers nobody does not fill the
    /// memory of this process.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        place(&self.places).await
    }

    /// Waits for an answer, but not for ever: if it does not come, another connection takes this one's place.
    ///
    /// The answer is pinned by who asks: one that is given away is held twice.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>> + Unpin,
    ) -> Result<T, StoreError> {
        timeout(ANSWER_TIMEOUT, answer)
            .await
            .unwrap_or_else(|elapsed| {
                self.given_up.notify_one();
                Err(StoreError::unknown(elapsed))
            })
    }

    pub(super) async fn create(
        &self,
        handle: Handle,
        record: &Record,
        ttl: Ttl,
    ) -> Result<Created, StoreError> {
        let statement = &self.prepared().await?.create;
        let parameters: [Parameter<'_>; 7] = [
            &&handle.as_bytes()[..],
            &signed(record.version()),
            &record.header(),
            &record.values(),
            &principal(record),
            &ttl.expires_in,
            &ttl.slack,
        ];
        match self.row(statement, &parameters).await? {
            Some(row) => Ok(Created::Done(timestamp(get(&row, 0)?)?)),
            None => Ok(Created::Taken),
        }
    }

    pub(super) async fn load(&self, handle: Handle) -> Result<Option<Loaded>, StoreError> {
        let statement = &self.prepared().await?.load;
        let row = self.row(statement, &[&&handle.as_bytes()[..]]).await?;
        row.as_ref().map(loaded).transpose()
    }

    pub(super) async fn update(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
        ttl: Ttl,
    ) -> Result<Updated, StoreError> {
        let statement = &self.prepared().await?.update;
        let parameters: [Parameter<'_>; 8] = [
            &&handle.as_bytes()[..],
            &signed(expected),
            &signed(record.version()),
            &record.header(),
            &record.values(),
            &principal(record),
            &ttl.expires_in,
            &ttl.slack,
        ];
        let row = self.row(statement, &parameters).await?;
        let found = match &row {
            Some(row) if get::<Option<i64>>(row, 0)?.is_none() => return Ok(Updated::Done),
            found => found.as_ref().map(loaded).transpose()?,
        };
        match missed(found, expected) {
            // It was changed or deleted while the statement waited for its lock; now it can be seen which.
            Updated::Conflict(None) => Ok(missed(self.load(handle).await?, expected)),
            updated => Ok(updated),
        }
    }

    pub(super) async fn touch(
        &self,
        handle: Handle,
        expected: Version,
        ttl: Ttl,
    ) -> Result<Updated, StoreError> {
        let statement = &self.prepared().await?.touch;
        let parameters: [Parameter<'_>; 4] = [
            &&handle.as_bytes()[..],
            &signed(expected),
            &ttl.expires_in,
            &ttl.slack,
        ];
        match self.execute(statement, &parameters).await? {
            0 => Ok(Updated::Gone),
            _ => Ok(Updated::Done),
        }
    }

    pub(super) async fn delete(&self, handle: Handle) -> Result<bool, StoreError> {
        let statement = &self.prepared().await?.delete;
        let deleted = self.execute(statement, &[&&handle.as_bytes()[..]]).await?;
        Ok(deleted > 0)
    }

    pub(super) async fn sweep(&self, most: usize) -> Result<usize, StoreError> {
        let statement = &self.prepared().await?.sweep;
        let records = self.execute(statement, &[&at_most(most)]).await? as usize;
        if records == most {
            return Ok(records);
        }
        let principals = self.sweep_principals(most - records).await;
        Ok(records + principals.map_err(half_done)?)
    }

    pub(super) async fn prepared(&self) -> Result<&Prepared, StoreError> {
        if let Some(prepared) = self.prepared.get() {
            return Ok(prepared);
        }
        let prepare = || self.statements.prepare(&self.client);
        // In a box, for it is once for each connection that this is due.
        let prepared = Box::pin(self.prepared.get_or_try_init(prepare)).await;
        prepared.map_err(|error| failure::preparing(error, &self.table))
    }

    pub(super) async fn prepared_index(&self) -> Result<&PreparedIndex, StoreError> {
        if let Some(prepared) = self.prepared_index.get() {
            return Ok(prepared);
        }
        let prepare = || self.statements.prepare_index(&self.client);
        let prepared = Box::pin(self.prepared_index.get_or_try_init(prepare)).await;
        prepared.map_err(|error| failure::preparing(error, &self.table))
    }

    pub(super) async fn row(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<PgRow>, StoreError> {
        let row = self.client.query_opt(statement, parameters).await;
        row.map_err(|error| self.failed(error))
    }

    pub(super) async fn rows(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<PgRow>, StoreError> {
        let rows = self.client.query(statement, parameters).await;
        rows.map_err(|error| self.failed(error))
    }

    pub(super) async fn execute(
        &self,
        statement: &Statement,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, StoreError> {
        let done = self.client.execute(statement, parameters).await;
        done.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: tokio_postgres::Error) -> StoreError {
        if failure::needs_another_connection(&error) {
            self.given_up.notify_one();
        }
        failure::verb(error, &self.table)
    }
}

impl Connected for Connection {
    fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    async fn given_up(&self) {
        self.given_up.notified().await;
    }
}

/// Takes one of some places; waits a moment for one.
pub(super) async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
    if let Ok(place) = places.clone().try_acquire_owned() {
        return Ok(place);
    }
    let place = timeout(PLACE_TIMEOUT, places.clone().acquire_owned()).await;
    place
        .map_err(StoreError::unavailable)?
        .map_err(StoreError::unavailable)
}

/// PostgreSQL's text cannot hold a zero; the header can, and is what counts.
pub(super) fn principal(record: &Record) -> Option<&str> {
    record.principal().filter(|text| !text.contains('\0'))
}

pub(super) fn loaded(row: &PgRow) -> Result<Loaded, StoreError> {
    let row = Row {
        version: get(row, 0)?,
        header: get(row, 1)?,
        payload: get(row, 2)?,
        created: get(row, 3)?,
        last_seen: get(row, 4)?,
        now: get(row, 5)?,
    };
    row.loaded()
}

pub(super) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a PgRow,
    column: usize,
) -> Result<T, StoreError> {
    row.try_get(column).map_err(StoreError::corrupt)
}

/// How many statements of one connection may wait for an answer.
const PLACES: usize = 1_024;
const PLACE_TIMEOUT: Duration = Duration::from_secs(1);
/// As long as a commit has by default.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
