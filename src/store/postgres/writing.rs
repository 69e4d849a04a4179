//! Updates and touches, several to a statement: a transaction waits for the disk, whatever it holds.

use std::{
    collections::{BTreeMap, HashSet, VecDeque, btree_map},
    sync::Arc,
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::connection::{Connection, Parameter, get, principal};
use crate::{
    id::Handle,
    store::{
        Record, StoreError, StoreErrorKind, Updated, Version,
        link::in_full,
        sql::{Ttl, handle, signed},
    },
    sync::Mutex,
};

/// An update, or a touch: that is one without a record.
pub(super) struct Change {
    pub(super) handle: Handle,
    pub(super) expected: Version,
    pub(super) record: Option<Record>,
    pub(super) ttl: Ttl,
}

/// A change, and who waits for it.
struct Write {
    change: Change,
    answer: oneshot::Sender<Result<Updated, StoreError>>,
    _place: OwnedSemaphorePermit,
}

/// The changes that wait for the one that is under way on a connection.
#[derive(Default)]
pub(super) struct Writes(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    is_busy: bool,
    writes: VecDeque<Write>,
}

impl Writes {
    /// Adds a change; false if somebody is there who will carry it out.
    fn is_first(&self, write: Write) -> bool {
        let mut waiting = self.0.lock();
        waiting.writes.push_back(write);
        !std::mem::replace(&mut waiting.is_busy, true)
    }

    /// Takes the changes that come next: of sessions that differ, in the order of their handles. All lock rows in this
    /// order, so that they do not lock each other out.
    fn next(&self) -> Vec<Write> {
        let mut waiting = self.0.lock();
        let mut group = BTreeMap::new();
        for write in std::mem::take(&mut waiting.writes) {
            let is_full = group.len() == MOST;
            match group.entry(write.change.handle) {
                _ if write.answer.is_closed() => {}
                btree_map::Entry::Vacant(place) if !is_full => drop(place.insert(write)),
                _ => waiting.writes.push_back(write),
            }
        }
        waiting.is_busy = !group.is_empty();
        group.into_values().collect()
    }
}

impl Connection {
    /// Carries out a change at once if none is under way, else together with those that wait too. It is carried out
    /// whole or not at all, also if nobody waits any longer.
    pub(super) async fn write(
        self: Arc<Self>,
        change: Change,
        place: OwnedSemaphorePermit,
    ) -> Result<Updated, StoreError> {
        let (answer, answered) = oneshot::channel();
        let write = Write {
            change,
            answer,
            _place: place,
        };
        if self.writes.is_first(write) {
            tokio::spawn(self.clone().write_all());
        }
        let answer = async { answered.await.map_err(StoreError::unknown)? };
        self.in_time(answer).await
    }

    /// Carries out what waits, until nothing does.
    async fn write_all(self: Arc<Self>) {
        loop {
            let writes = self.writes.next();
            if writes.is_empty() {
                return;
            }
            self.carry_out(writes).await;
        }
    }

    async fn carry_out(self: &Arc<Self>, mut writes: Vec<Write>) {
        if writes.len() == 1 {
            let write = writes.remove(0);
            return self.clone().alone(write).await;
        }
        let changed = match self.in_time(self.change_all(&writes)).await {
            Ok(changed) => changed,
            Err(error) if error.kind() == StoreErrorKind::Unknown => return doubt(writes, &error),
            // Nothing was changed; one of them is to blame.
            Err(_) => HashSet::new(),
        };
        for write in writes {
            match changed.contains(&write.change.handle) {
                true => drop(write.answer.send(Ok(Updated::Done))),
                // Its own statement says why.
                false => drop(tokio::spawn(self.clone().alone(write))),
            }
        }
    }

    /// Makes changes by one statement, and returns the handles of those that were made.
    async fn change_all(&self, writes: &[Write]) -> Result<HashSet<Handle>, StoreError> {
        let statement = &self.prepared().await?.change_all;
        let columns = Columns::of(writes);
        let rows = self.rows(statement, &columns.parameters()).await?;
        let handles = rows.iter().map(|row| handle(get(row, 0)?));
        handles.collect()
    }

    /// Makes a change by a statement of its own.
    async fn alone(self: Arc<Self>, write: Write) {
        let answer = self.in_time(self.change(&write.change)).await;
        drop(write.answer.send(answer));
    }

    async fn change(&self, change: &Change) -> Result<Updated, StoreError> {
        let Change {
            handle,
            expected,
            record,
            ttl,
        } = change;
        match record {
            Some(record) => self.update(*handle, *expected, record, *ttl).await,
            None => self.touch(*handle, *expected, *ttl).await,
        }
    }
}

/// Changes as the statement takes them, a list for each column.
#[derive(Default)]
struct Columns<'a> {
    handles: Vec<&'a [u8]>,
    expected: Vec<i64>,
    versions: Vec<Option<i64>>,
    headers: Vec<Option<&'a [u8]>>,
    values: Vec<Option<&'a [u8]>>,
    principals: Vec<Option<&'a str>>,
    expires_in: Vec<i64>,
    slack: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(writes: &'a [Write]) -> Self {
        let mut columns = Self::default();
        for Write { change, .. } in writes {
            let record = change.record.as_ref();
            columns.handles.push(change.handle.as_bytes());
            columns.expected.push(signed(change.expected));
            columns
                .versions
                .push(record.map(|record| signed(record.version())));
            columns.headers.push(record.map(Record::header));
            columns.values.push(record.map(Record::values));
            columns.principals.push(record.and_then(principal));
            columns.expires_in.push(change.ttl.expires_in);
            columns.slack.push(change.ttl.slack);
        }
        columns
    }

    fn parameters(&self) -> [Parameter<'_>; 8] {
        [
            &self.handles,
            &self.expected,
            &self.versions,
            &self.headers,
            &self.values,
            &self.principals,
            &self.expires_in,
            &self.slack,
        ]
    }
}

fn doubt(writes: Vec<Write>, error: &StoreError) {
    let cause = in_full(error);
    for write in writes {
        drop(write.answer.send(Err(StoreError::unknown(cause.clone()))));
    }
}

/// How many changes share a statement at most: so many rows are locked while one of them is waited for.
const MOST: usize = 64;
