//! Updates and touches, several to a statement: a transaction waits for the disk, whatever it holds.

use std::{
    collections::{BTreeMap, HashSet, VecDeque, btree_map},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinSet,
    time::timeout,
};

use super::{
    PostgresStore,
    connection::{ANSWER_TIMEOUT, Connection, Parameter, get, place, principal},
    links::Way,
};
use crate::{
    id::Handle,
    store::{
        Record, StoreError, StoreErrorKind, Updated, Version,
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

/// The changes of a store that wait, and those that are under way.
pub(super) struct Writes {
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Write>,
    under_way: HashSet<Handle>,
    writers: usize,
}

impl Writes {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            state: Mutex::default(),
        }
    }

    fn add(&self, write: Write) {
        self.state.lock().waiting.push_back(write);
    }

    /// Tells whether somebody must begin to write.
    fn want_a_writer(&self) -> bool {
        let mut state = self.state.lock();
        let is_wanted = state.writers < WRITERS && !state.waiting.is_empty();
        state.writers += usize::from(is_wanted);
        is_wanted
    }

    /// Takes the changes that come next; of none the writer is to end.
    ///
    /// They are of sessions that differ from each other and from those under way, so a row that somebody has locked
    /// holds up one connection. And they are in the order of their handles: rows are locked in this order by all, so
    /// that two stores do not lock each other out.
    fn next(&self) -> Vec<Write> {
        let mut state = self.state.lock();
        let mut group = BTreeMap::new();
        for write in std::mem::take(&mut state.waiting) {
            let handle = write.change.handle;
            let must_wait = group.len() == MOST || state.under_way.contains(&handle);
            match group.entry(handle) {
                _ if write.answer.is_closed() => {}
                btree_map::Entry::Vacant(place) if !must_wait => drop(place.insert(write)),
                _ => state.waiting.push_back(write),
            }
        }
        state.under_way.extend(group.keys());
        state.writers -= usize::from(group.is_empty());
        group.into_values().collect()
    }

    fn release(&self, handles: &[Handle]) {
        let mut state = self.state.lock();
        for handle in handles {
            state.under_way.remove(handle);
        }
    }
}

impl PostgresStore {
    /// Carries out a change at once if few are under way, else together with those that wait too. It is carried out
    /// whole or not at all, also if nobody waits any longer.
    pub(super) async fn write(&self, change: Change) -> Result<Updated, StoreError> {
        let (answer, answered) = oneshot::channel();
        let write = Write {
            change,
            answer,
            _place: place(&self.0.writes.places).await?,
        };
        self.0.writes.add(write);
        self.wake();
        let answer = timeout(ANSWER_TIMEOUT, answered).await;
        answer
            .map_err(StoreError::unknown)?
            .map_err(StoreError::unknown)?
    }

    fn wake(&self) {
        if self.0.writes.want_a_writer() {
            tokio::spawn(self.clone().write_all());
        }
    }

    /// Carries out what waits, until nothing does.
    async fn write_all(self) {
        loop {
            let writes = self.0.writes.next();
            if writes.is_empty() {
                return;
            }
            let task = tokio::spawn(self.clone().carry_out(writes));
            // What takes longer waits for somebody's lock: the others do not wait for that.
            let _ = timeout(SOON, task).await;
        }
    }

    async fn carry_out(self, writes: Vec<Write>) {
        let handles: Vec<_> = writes.iter().map(|write| write.change.handle).collect();
        match self.connection(Way::Changing, handles[0]).await {
            Ok((connection, _place)) => connection.carry_out(writes).await,
            Err(error) => refuse(writes, &error),
        }
        self.0.writes.release(&handles);
        self.wake();
    }
}

impl Connection {
    async fn carry_out(self: Arc<Self>, writes: Vec<Write>) {
        let changed = match &*writes {
            [_] => HashSet::new(),
            many => {
                let changed = self.in_time(pin!(self.change_all(many))).await;
                match changed {
                    Ok(changed) => changed,
                    Err(error) if error.kind() == StoreErrorKind::Unknown => {
                        return refuse(writes, &error);
                    }
                    // Nothing was changed; one of them is to blame.
                    Err(_) => HashSet::new(),
                }
            }
        };
        let mut alone = JoinSet::new();
        for write in writes {
            match changed.contains(&write.change.handle) {
                true => drop(write.answer.send(Ok(Updated::Done))),
                false => drop(alone.spawn(self.clone().carry_out_alone(write))),
            }
        }
        alone.join_all().await;
    }

    /// Makes changes by one statement, and returns the handles of those that were made.
    async fn change_all(&self, writes: &[Write]) -> Result<HashSet<Handle>, StoreError> {
        let statement = &self.prepared().await?.change_all;
        let columns = Columns::of(writes);
        let rows = self.rows(statement, &columns.parameters()).await?;
        let handles = rows.iter().map(|row| handle(get(row, 0)?));
        handles.collect()
    }

    /// Makes a change by a statement of its own, which says more of one that was not made.
    async fn carry_out_alone(self: Arc<Self>, write: Write) {
        let answer = self.in_time(pin!(self.change(&write.change))).await;
        // Some have stopped waiting.
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

/// Tells all what one error says.
fn refuse(writes: Vec<Write>, error: &StoreError) {
    for write in writes {
        drop(write.answer.send(Err(error.again())));
    }
}

/// How many changes of a store may wait.
const PLACES: usize = 8_192;
/// How many write at a time: one change waits for the disk while the next is carried out. The more there are, the fewer
/// changes share a statement.
const WRITERS: usize = 2;
/// How many changes share a statement at most: so many may wait for one row's lock.
const MOST: usize = 64;
const SOON: Duration = Duration::from_millis(20);
