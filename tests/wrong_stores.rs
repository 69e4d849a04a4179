//! Each sentence of the conformance suite can fail: for each there is a store that breaks just this promise.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tenure::{
    Clock, Handle, Timestamp,
    store::{
        Answer, Created, Loaded, Record, SessionStore, Sweep, Updated, Version,
        conformance::{self as suite, Clocked, SENTENCES, SWEEP_SENTENCES},
    },
};

/// What a store does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    CreateForgetsValues,
    CreateIsNotStamped,
    CreateOverwrites,
    DeleteIsAlwaysTrue,
    DeletedIsTouched,
    ExpiredIsTaken,
    ExpiredIsUpdated,
    HandlesIgnoreCase,
    HandlesShareRows,
    LoadTouches,
    None,
    SweepCountsForOthers,
    SweepIgnoresItsLimit,
    SweepIsLazy,
    SweepTrustsAnOldList,
    TimeToLiveInSeconds,
    TimeToLiveOverflows,
    TouchChangesTheVersion,
    TouchIgnoresTheVersion,
    TouchKeepsLastSeen,
    UpdateCreates,
    UpdateIgnoresTheVersion,
    UpdateIsTorn,
    UpdateKeepsExpiry,
    UpdateKeepsHeader,
    UpdateKeepsLastSeen,
    UpdateLooksThenWrites,
    ValuesAreText,
    VersionsAreFloats,
}

type Sentence = fn(Clocked<Wrong>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! table {
    ($($sentence:ident: $fault:ident,)*) => {
        const TABLE: &[(&str, Sentence, Fault)] = &[$((
            stringify!($sentence),
            |subject| Box::pin(async move { suite::$sentence(&subject).await }),
            Fault::$fault,
        )),*];
    };
}

table! {
    a_created_record_loads_back: CreateForgetsValues,
    a_created_record_is_stamped_by_the_engine: CreateIsNotStamped,
    a_live_handle_is_taken: CreateOverwrites,
    an_expired_handle_is_free: ExpiredIsTaken,
    an_unknown_handle_is_absent: UpdateCreates,
    an_expired_record_is_absent: ExpiredIsUpdated,
    a_deleted_record_is_absent: DeletedIsTouched,
    loading_changes_nothing: LoadTouches,
    an_update_replaces_the_record: UpdateKeepsHeader,
    an_update_moves_last_seen_and_keeps_created: UpdateKeepsLastSeen,
    an_updates_expiry_counts_from_the_update: UpdateKeepsExpiry,
    an_update_on_another_version_conflicts: UpdateIgnoresTheVersion,
    of_parallel_updates_on_one_version_one_succeeds: UpdateLooksThenWrites,
    parallel_writers_lose_nothing: UpdateLooksThenWrites,
    a_touch_moves_the_expiry_and_last_seen: TouchKeepsLastSeen,
    a_touch_makes_no_writer_conflict: TouchChangesTheVersion,
    a_touch_on_another_version_changes_nothing: TouchIgnoresTheVersion,
    a_record_is_deleted_once_whatever_its_version: DeleteIsAlwaysTrue,
    nothing_brings_a_deleted_record_back: UpdateLooksThenWrites,
    a_record_created_again_is_another_one: UpdateIgnoresTheVersion,
    a_time_to_live_below_a_second_ends: TimeToLiveInSeconds,
    the_longest_time_to_live_is_kept: TimeToLiveOverflows,
    handles_are_compared_byte_for_byte: HandlesIgnoreCase,
    every_byte_survives: ValuesAreText,
    every_version_survives: VersionsAreFloats,
    a_dropped_verb_is_whole_or_nothing: UpdateIsTorn,
    records_are_independent: HandlesShareRows,
    a_sweep_removes_what_has_expired: SweepIsLazy,
    a_sweep_spares_what_was_given_more_time: SweepTrustsAnOldList,
    a_sweep_spares_what_was_created_on_an_expired_handle: SweepTrustsAnOldList,
    a_sweep_removes_no_more_than_it_may: SweepIgnoresItsLimit,
    sweeps_at_the_same_time_share_the_work: SweepCountsForOthers,
}

#[tokio::test]
async fn each_sentence_fails_on_the_store_that_breaks_it() {
    for (name, sentence, fault) in TABLE {
        let run = tokio::spawn(sentence(Wrong::with(*fault))).await;
        assert!(
            run.is_err_and(|error| error.is_panic()),
            "{name} passes on a store with {fault:?}"
        );
    }
}

#[tokio::test]
async fn each_sentence_passes_on_the_same_store_without_a_fault() {
    for (name, sentence, _) in TABLE {
        let run = tokio::spawn(sentence(Wrong::with(Fault::None))).await;
        assert!(run.is_ok(), "{name} fails on a right store");
    }
}

#[test]
fn no_sentence_is_missing_here() {
    let names: Vec<&str> = TABLE.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, [SENTENCES, SWEEP_SENTENCES].concat());
}

/// A store that is right but for its fault.
#[derive(Clone)]
struct Wrong {
    fault: Fault,
    clock: Clock,
    rows: Arc<Mutex<HashMap<Vec<u8>, Row>>>,
    created: Arc<Mutex<Vec<FirstDeadline>>>,
}

/// When a record should have expired when it was created, and its key.
type FirstDeadline = (Timestamp, Vec<u8>);

#[derive(Clone)]
struct Row {
    record: Record,
    created: Timestamp,
    last_seen: Timestamp,
    deadline: Timestamp,
    deleted: bool,
}

impl Wrong {
    fn with(fault: Fault) -> Clocked<Self> {
        let clock = Clock::manual();
        Clocked(
            Self {
                fault,
                clock: clock.clone(),
                rows: Arc::default(),
                created: Arc::default(),
            },
            clock,
        )
    }

    fn key(&self, handle: &Handle) -> Vec<u8> {
        match self.fault {
            Fault::HandlesIgnoreCase => handle.as_bytes().to_ascii_lowercase(),
            Fault::HandlesShareRows => handle.as_bytes()[..1].to_vec(),
            _ => handle.as_bytes().to_vec(),
        }
    }

    fn deadline(&self, expires_in: Duration) -> Timestamp {
        let now = self.clock.now();
        match self.fault {
            Fault::TimeToLiveInSeconds if expires_in.as_secs() == 0 => now + Duration::MAX,
            Fault::TimeToLiveOverflows => {
                let millis = expires_in.as_millis() as u64;
                Timestamp::from_millis(now.as_millis().wrapping_add(millis))
            }

            _ => now + expires_in,
        }
    }

    fn kept(&self, record: &Record) -> Record {
        let values = match self.fault {
            Fault::CreateForgetsValues => Vec::new(),
            Fault::ValuesAreText => String::from_utf8_lossy(record.values())
                .into_owned()
                .into_bytes(),
            _ => record.values().to_vec(),
        };
        let version = match self.fault {
            Fault::VersionsAreFloats => Version::from_u64(record.version().as_u64() as f64 as u64),
            _ => record.version(),
        };
        Record::new(version, record.header(), values)
    }

    fn row(&self, record: &Record, expires_in: Duration) -> Row {
        let now = self.clock.now();
        Row {
            record: self.kept(record),
            created: now,
            last_seen: match self.fault {
                Fault::CreateIsNotStamped => Timestamp::from_millis(0),
                _ => now,
            },
            deadline: self.deadline(expires_in),
            deleted: false,
        }
    }

    fn live<'a>(
        &self,
        rows: &'a mut HashMap<Vec<u8>, Row>,
        handle: &Handle,
    ) -> Option<&'a mut Row> {
        let now = self.clock.now();
        rows.get_mut(&self.key(handle))
            .filter(|row| row.deadline > now && !row.deleted)
    }

    fn matches(&self, row: &Row, expected: Version) -> bool {
        let expected = match self.fault {
            Fault::VersionsAreFloats => Version::from_u64(expected.as_u64() as f64 as u64),
            _ => expected,
        };
        row.record.version() == expected
    }

    fn update_now(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Updated {
        let mut rows = self.rows.lock().unwrap();
        if self.fault == Fault::UpdateCreates && !rows.contains_key(&self.key(handle)) {
            rows.insert(self.key(handle), self.row(record, expires_in));
            return Updated::Gone;
        }
        let now = self.clock.now();
        let row = match self.fault {
            Fault::ExpiredIsUpdated => rows.get_mut(&self.key(handle)),
            _ => self.live(&mut rows, handle),
        };
        let Some(row) = row else { return Updated::Gone };
        if !self.matches(row, expected) && self.fault != Fault::UpdateIgnoresTheVersion {
            return Updated::Conflict(Some(Loaded::new(
                row.record.clone(),
                row.created,
                row.last_seen,
                now,
            )));
        }
        let record = self.kept(record);
        row.record = match self.fault {
            Fault::UpdateKeepsHeader => {
                Record::new(record.version(), row.record.header(), record.values())
            }
            _ => record,
        };
        if self.fault != Fault::UpdateKeepsLastSeen {
            row.last_seen = now;
        }
        if self.fault != Fault::UpdateKeepsExpiry {
            row.deadline = self.deadline(expires_in);
        }
        Updated::Done
    }

    /// Returns the keys of the records that a sweep removes.
    fn expired(&self, most: usize) -> Vec<Vec<u8>> {
        let now = self.clock.now();
        let (rows, created) = (self.rows.lock().unwrap(), self.created.lock().unwrap());
        let keys = |pairs: &mut dyn Iterator<Item = (Timestamp, &Vec<u8>)>| {
            let expired = pairs.filter(|(deadline, _)| *deadline <= now);
            expired.map(|(_, key)| key.clone()).collect()
        };
        let mut expired: Vec<_> = match self.fault {
            Fault::SweepIsLazy => Vec::new(),
            Fault::SweepTrustsAnOldList => keys(&mut created.iter().map(|(at, key)| (*at, key))),
            _ => keys(&mut rows.iter().map(|(key, row)| (row.deadline, key))),
        };
        if self.fault != Fault::SweepIgnoresItsLimit {
            expired.truncate(most);
        }
        expired
    }

    /// Looks, lets others go, and writes what it decided before.
    async fn look_then_write(
        self,
        handle: Handle,
        expected: Version,
        record: Record,
        expires_in: Duration,
    ) -> Updated {
        let found = self.live(&mut self.rows.lock().unwrap(), &handle).cloned();
        let Some(mut row) = found else {
            return Updated::Gone;
        };
        if row.record.version() != expected {
            return Updated::Conflict(None);
        }
        tokio::task::yield_now().await;
        row.record = record;
        row.deadline = self.deadline(expires_in);
        self.rows.lock().unwrap().insert(self.key(&handle), row);
        Updated::Done
    }

    /// Writes the header, lets others go, and writes the values.
    async fn torn(
        self,
        handle: Handle,
        expected: Version,
        record: Record,
        expires_in: Duration,
    ) -> Updated {
        if let Some(row) = self.live(&mut self.rows.lock().unwrap(), &handle)
            && row.record.version() == expected
        {
            row.record = Record::new(expected, record.header(), row.record.values());
        }
        tokio::task::yield_now().await;
        self.update_now(&handle, expected, &record, expires_in)
    }
}

impl SessionStore for Wrong {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let mut rows = self.rows.lock().unwrap();
        let taken = match self.fault {
            Fault::CreateOverwrites => false,
            Fault::ExpiredIsTaken => rows.contains_key(&self.key(handle)),
            _ => self.live(&mut rows, handle).is_some(),
        };
        if taken {
            return Answer::ready(Ok(Created::Taken));
        }
        let row = self.row(record, expires_in);
        let created = (row.deadline, self.key(handle));
        self.created.lock().unwrap().push(created);
        rows.insert(self.key(handle), row);
        Answer::ready(Ok(Created::Done(self.clock.now())))
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let mut rows = self.rows.lock().unwrap();
        let now = self.clock.now();
        let loaded = self.live(&mut rows, handle).map(|row| {
            if self.fault == Fault::LoadTouches {
                row.deadline = row.deadline + Duration::from_millis(300);
            }
            Loaded::new(row.record.clone(), row.created, row.last_seen, now)
        });
        Answer::ready(Ok(loaded))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let (store, handle, record) = (self.clone(), *handle, record.clone());
        match self.fault {
            Fault::UpdateLooksThenWrites => Answer::later(async move {
                Ok(store
                    .look_then_write(handle, expected, record, expires_in)
                    .await)
            }),
            Fault::UpdateIsTorn => {
                Answer::later(
                    async move { Ok(store.torn(handle, expected, record, expires_in).await) },
                )
            }
            _ => Answer::ready(Ok(self.update_now(&handle, expected, &record, expires_in))),
        }
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let mut rows = self.rows.lock().unwrap();
        let now = self.clock.now();
        let row = match self.fault {
            Fault::DeletedIsTouched => rows.get_mut(&self.key(handle)),
            _ => self.live(&mut rows, handle),
        };
        let Some(row) = row else {
            return Answer::ready(Ok(false));
        };
        if !self.matches(row, expected) && self.fault != Fault::TouchIgnoresTheVersion {
            return Answer::ready(Ok(false));
        }
        row.deadline = self.deadline(expires_in);
        if self.fault != Fault::TouchKeepsLastSeen {
            row.last_seen = now;
        }
        if self.fault == Fault::TouchChangesTheVersion {
            row.record = Record::new(
                Version::from_u64(77),
                row.record.header(),
                row.record.values(),
            );
        }
        Answer::ready(Ok(true))
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let mut rows = self.rows.lock().unwrap();
        let existed = self.live(&mut rows, handle).is_some();
        match (self.fault, rows.get_mut(&self.key(handle))) {
            (Fault::DeletedIsTouched, Some(row)) => row.deleted = true,
            _ => drop(rows.remove(&self.key(handle))),
        }
        Answer::ready(Ok(existed || self.fault == Fault::DeleteIsAlwaysTrue))
    }
}

impl Sweep for Wrong {
    fn sweep(&self, most: usize) -> Answer<usize> {
        let (rows, expired) = (self.rows.clone(), self.expired(most));
        let remove = move || {
            let mut rows = rows.lock().unwrap();
            expired.iter().for_each(|key| drop(rows.remove(key)));
            Ok(expired.len())
        };
        match self.fault {
            Fault::SweepCountsForOthers => Answer::later(async move {
                tokio::task::yield_now().await;
                remove()
            }),
            _ => Answer::ready(remove()),
        }
    }
}
