//! The contract of [`SessionStore`] as tests: a function for each sentence, and a line that runs them all.
//!
//! ```
//! # mod my_store { pub use tenure::store::MemoryStore as MyStore; }
//! # use my_store::MyStore;
//! tenure::store_conformance!(MyStore::new());
//! # fn main() {}
//! ```
//!
//! The line stands in a test file or a `mod tests` and declares a `#[tokio::test]` for each function of this module,
//! so the crate that has it needs `tokio` with `macros` and `rt`. What it is given is made anew for each test, and may
//! be any [`Subject`]: a store whose time passes by itself, or one whose clock the test moves. Handles are drawn at
//! random, so tests may share a database.
//!
//! A store that keeps an [index of principals](super::PrincipalIndex) has `tenure::index_conformance!` beside it, for an
//! [`Indexed`] subject. A store that [sweeps](super::Sweep) has `tenure::sweep_conformance!` beside it, for a [`Swept`] subject with a
//! table of its own.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

mod indexing;
mod sweeping;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

pub use indexing::{
    INDEX_SENTENCES, Indexed, a_count_is_of_all_records, a_remembered_stamp_refuses_another,
    a_stamp_is_of_its_principal, a_walk_finds_every_record, an_entry_stays_as_long_as_its_record,
    entries_keep_the_order_in_which_they_were_entered, many_records_are_read_in_their_places,
    no_more_entries_are_answered_than_were_asked_for, of_entries_made_at_once_one_finds_the_other,
    of_two_logins_of_a_session_one_can_leave, principals_are_compared_byte_for_byte,
    the_store_says_that_it_keeps_an_index, to_enter_an_entry_again_changes_nothing,
    what_is_entered_while_a_stamp_changes_is_refused_or_seen,
};
pub use sweeping::{
    SWEEP_SENTENCES, Swept, a_sweep_removes_no_more_than_it_may, a_sweep_removes_what_has_expired,
    a_sweep_spares_what_was_created_on_an_expired_handle, a_sweep_spares_what_was_given_more_time,
    sweeps_at_the_same_time_share_the_work,
};

use super::{Answer, Created, Loaded, Record, SessionStore, StoreError, Updated, Version};
use crate::{
    clock::{Clock, Timestamp},
    id::{Handle, Random, Token},
};

/// A store to be tested, and how time passes for it.
pub trait Subject: Send + Sync + 'static {
    /// Returns the store.
    fn store(&self) -> Arc<dyn SessionStore>;

    /// Lets time pass. The shortest wait is a few milliseconds.
    fn wait(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// Any store that can be cloned is tested as it is; waiting is sleeping.
impl<S: SessionStore + Clone> Subject for S {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.clone())
    }

    async fn wait(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A store on a clock that stands still until it is moved, so that waiting takes no time.
#[derive(Clone, Debug)]
pub struct Clocked<S>(pub S, pub Clock);

impl<S: SessionStore + Clone> Subject for Clocked<S> {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.0.clone())
    }

    async fn wait(&self, duration: Duration) {
        self.1.advance(duration);
    }
}

macro_rules! sentences {
    ($d:tt $subjects:ident $macro:ident $module:ident $names:ident
    $($(#[$doc:meta])* $name:ident($subject:ident) $body:block)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Panics
            ///
            /// If the store breaks this promise.
            pub async fn $name($subject: &impl $subjects) $body
        )*

        /// The names of the functions, in their order.
        pub const $names: &[&str] = &[$(stringify!($name)),*];

        /// Declares a test for each sentence of a contract; see [`store::conformance`](crate::store::conformance).
        #[macro_export]
        macro_rules! $macro {
            ($d subject:expr) => {
                mod $module {
                    #[allow(unused_imports)]
                    use super::*;
                    $(
                        #[tokio::test]
                        async fn $name() {
                            $crate::store::conformance::$name(&{ $d subject }).await;
                        }
                    )*
                }
            };
        }
    };
}

use sentences;

sentences! { $ Subject store_conformance conformance SENTENCES

/// A created record loads back as it was.
a_created_record_loads_back(subject) {
    let (store, handle, record) = (subject.store(), handle(), record(1, b"value"));
    assert!(matches!(store.create(&handle, &record, HOUR).await, Ok(Created::Done(_))));
    assert_eq!(loaded(&*store, handle).await.record, record);
}

/// `created` and `last_seen` of a new record are the moment it was created, by the engine's clock.
a_created_record_is_stamped_by_the_engine(subject) {
    let (store, handle) = (subject.store(), handle());
    let before = created_at(&*store, self::handle()).await;
    let now = created_at(&*store, handle).await;
    let found = loaded(&*store, handle).await;
    assert_eq!((found.created, found.last_seen), (now, now), "created and last seen at {now:?}");
    assert!(before <= now && now <= found.now, "the engine's clock does not go back");
}

/// A handle that a live record has is taken, and that record is not changed.
a_live_handle_is_taken(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"first"), HOUR).await;
    let before = loaded(&*store, handle).await;
    subject.wait(TICK).await;
    assert_eq!(store.create(&handle, &record(2, b"second"), HOUR).await.unwrap(), Created::Taken);
    let after = loaded(&*store, handle).await;
    assert_eq!((after.record, after.last_seen), (before.record, before.last_seen), "the record was changed");
}

/// The handle of an expired record is free.
an_expired_handle_is_free(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"first"), SHORT).await;
    subject.wait(SHORT + TICK).await;
    let now = created_at(&*store, handle).await;
    assert_eq!(loaded(&*store, handle).await.created, now, "the new record is as old as the old one");
}

/// An unknown handle is absent for every verb, and that is no error.
an_unknown_handle_is_absent(subject) {
    absent(&*subject.store(), handle(), version(1)).await;
}

/// An expired record is absent for every verb, whether or not anything has swept it.
an_expired_record_is_absent(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"value"), SHORT).await;
    subject.wait(SHORT + TICK).await;
    absent(&*store, handle, version(1)).await;
}

/// A deleted record is absent for every verb.
a_deleted_record_is_absent(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"value"), HOUR).await;
    assert!(store.delete(&handle).await.unwrap(), "there was a record to delete");
    absent(&*store, handle, version(1)).await;
}

/// Loading changes neither the expiry nor `last_seen`.
loading_changes_nothing(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"value"), SHORT).await;
    let before = loaded(&*store, handle).await;
    subject.wait(SHORT / 2).await;
    let after = loaded(&*store, handle).await;
    assert_eq!((after.record, after.last_seen), (before.record, before.last_seen));
    assert!(after.now > before.now, "the engine's clock goes on");
    subject.wait(SHORT / 2 + TICK).await;
    assert_eq!(store.load(&handle).await.unwrap(), None, "it lives longer because it was loaded");
}

/// An update on the version it expects replaces the record.
an_update_replaces_the_record(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"first"), HOUR).await;
    let successor = Record::new(version(2), [9, 9], *b"second");
    assert_eq!(store.update(&handle, version(1), &successor, HOUR).await.unwrap(), Updated::Done);
    assert_eq!(loaded(&*store, handle).await.record, successor);
}

/// An update keeps `created` and moves `last_seen` to its own moment.
an_update_moves_last_seen_and_keeps_created(subject) {
    let (store, handle) = (subject.store(), handle());
    let created = created_at(&*store, handle).await;
    subject.wait(TICK).await;
    store.update(&handle, version(1), &record(2, b""), HOUR).await.unwrap();
    let found = loaded(&*store, handle).await;
    assert_eq!(found.created, created);
    assert!(found.last_seen > created && found.last_seen <= found.now, "last seen at {:?}", found.last_seen);
}

/// The expiry that an update sets counts from it, whether it is nearer or farther than before.
an_updates_expiry_counts_from_the_update(subject) {
    let (store, longer, shorter) = (subject.store(), handle(), handle());
    create(&*store, longer, &record(1, b""), SHORT).await;
    create(&*store, shorter, &record(1, b""), HOUR).await;
    store.update(&longer, version(1), &record(2, b""), HOUR).await.unwrap();
    store.update(&shorter, version(1), &record(2, b""), SHORT).await.unwrap();
    subject.wait(SHORT + TICK).await;
    assert!(store.load(&longer).await.unwrap().is_some(), "it ended at its old expiry");
    assert_eq!(store.load(&shorter).await.unwrap(), None, "it lives until its old expiry");
}

/// An update on another version is a conflict, brings the fresh record or none, and changes nothing.
an_update_on_another_version_conflicts(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"first"), SHORT).await;
    let before = loaded(&*store, handle).await;
    subject.wait(TICK).await;
    match store.update(&handle, version(2), &record(3, b"late"), HOUR).await.unwrap() {
        Updated::Conflict(Some(fresh)) => assert_eq!((fresh.record, fresh.created), (before.record.clone(), before.created)),
        Updated::Conflict(None) => {}
        other => panic!("an update on another version is a conflict, not {other:?}"),
    }
    let after = loaded(&*store, handle).await;
    assert_eq!((after.record, after.last_seen), (before.record, before.last_seen), "the conflict changed it");
    subject.wait(SHORT).await;
    assert_eq!(store.load(&handle).await.unwrap(), None, "the conflict moved its expiry");
}

/// Of updates that expect one version, one succeeds.
of_parallel_updates_on_one_version_one_succeeds(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(0, b""), HOUR).await;
    let updates = (1..=WRITERS).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.update(&handle, version(0), &record(number, b""), HOUR).await.unwrap() })
    });
    let mut done = 0;
    for update in updates.collect::<Vec<_>>() {
        done += usize::from(update.await.unwrap() == Updated::Done);
    }
    assert_eq!(done, 1, "{done} of {WRITERS} updates on one version succeeded");
}

/// Writers that make their change again after a conflict lose nothing.
parallel_writers_lose_nothing(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(0, &0_u64.to_be_bytes()), HOUR).await;
    let writers = (1..=WRITERS).map(|writer| tokio::spawn(increment_many(store.clone(), handle, writer)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let count = counted(&loaded(&*store, handle).await);
    assert_eq!(count, WRITERS * INCREMENTS, "increments were lost");
}

/// A touch moves the expiry and `last_seen` to its own moment, nearer or farther.
a_touch_moves_the_expiry_and_last_seen(subject) {
    let (store, longer, shorter) = (subject.store(), handle(), handle());
    create(&*store, longer, &record(1, b""), SHORT).await;
    create(&*store, shorter, &record(1, b""), HOUR).await;
    subject.wait(TICK).await;
    assert!(store.touch(&longer, version(1), HOUR).await.unwrap());
    assert!(store.touch(&shorter, version(1), SHORT).await.unwrap());
    let found = loaded(&*store, longer).await;
    assert!(found.last_seen > found.created && found.last_seen <= found.now, "last seen at {:?}", found.last_seen);
    subject.wait(SHORT + TICK).await;
    assert!(store.load(&longer).await.unwrap().is_some(), "it ended at its old expiry");
    assert_eq!(store.load(&shorter).await.unwrap(), None, "it lives until its old expiry");
}

/// A touch leaves the record and its version as they are, so a writer does not conflict with a reader.
a_touch_makes_no_writer_conflict(subject) {
    let (store, handle) = (subject.store(), handle());
    let before = record(1, b"value");
    create(&*store, handle, &before, HOUR).await;
    store.touch(&handle, version(1), HOUR).await.unwrap();
    assert_eq!(loaded(&*store, handle).await.record, before);
    assert_eq!(store.update(&handle, version(1), &record(2, b""), HOUR).await.unwrap(), Updated::Done);
}

/// A touch on another version changes nothing: it does not undo a shorter lifetime that was set meanwhile.
a_touch_on_another_version_changes_nothing(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b""), HOUR).await;
    store.update(&handle, version(1), &record(2, b""), SHORT).await.unwrap();
    let before = loaded(&*store, handle).await;
    subject.wait(TICK).await;
    assert!(!store.touch(&handle, version(1), HOUR).await.unwrap(), "the touch says that it was made");
    assert_eq!(loaded(&*store, handle).await.last_seen, before.last_seen);
    subject.wait(SHORT).await;
    assert_eq!(store.load(&handle).await.unwrap(), None, "the touch moved the expiry");
}

/// A record is deleted whatever its version, once.
a_record_is_deleted_once_whatever_its_version(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b""), HOUR).await;
    store.update(&handle, version(1), &record(2, b""), HOUR).await.unwrap();
    assert!(store.delete(&handle).await.unwrap(), "there was a record to delete");
    assert!(!store.delete(&handle).await.unwrap(), "there was nothing left to delete");
}

/// Nothing that was on its way brings a deleted record back.
nothing_brings_a_deleted_record_back(subject) {
    let store = subject.store();
    for round in 0..ROUNDS {
        let handle = handle();
        create(&*store, handle, &record(1, b""), HOUR).await;
        let (updating, touching, deleting) = (store.clone(), store.clone(), store.clone());
        let update = tokio::spawn(async move { updating.update(&handle, version(1), &record(2, b""), HOUR).await });
        let touch = tokio::spawn(async move { touching.touch(&handle, version(1), HOUR).await });
        let delete = tokio::spawn(async move { deleting.delete(&handle).await });
        assert!(delete.await.unwrap().unwrap(), "round {round}: there was a record to delete");
        let (updated, _) = (update.await.unwrap().unwrap(), touch.await.unwrap().unwrap());
        assert!(matches!(updated, Updated::Done | Updated::Gone), "round {round}: {updated:?}");
        assert_eq!(store.load(&handle).await.unwrap(), None, "round {round}: it came back after {updated:?}");
    }
}

/// A record that was created after a deletion is another one to whoever knew the first.
a_record_created_again_is_another_one(subject) {
    let (store, handle) = (subject.store(), handle());
    create(&*store, handle, &record(1, b"first"), HOUR).await;
    store.delete(&handle).await.unwrap();
    create(&*store, handle, &record(2, b"second"), HOUR).await;
    let late = store.update(&handle, version(1), &record(3, b"late"), HOUR).await.unwrap();
    assert!(matches!(late, Updated::Conflict(_)), "{late:?}");
    assert!(!store.touch(&handle, version(1), HOUR).await.unwrap());
    assert_eq!(loaded(&*store, handle).await.record, record(2, b"second"));
}

/// A time to live below a second ends, and is never taken for none.
a_time_to_live_below_a_second_ends(subject) {
    let (store, shortest, short) = (subject.store(), handle(), handle());
    create(&*store, shortest, &record(1, b""), Duration::from_millis(1)).await;
    create(&*store, short, &record(1, b""), SHORT).await;
    subject.wait(TICK).await;
    assert_eq!(store.load(&shortest).await.unwrap(), None, "a millisecond has passed");
    assert!(store.load(&short).await.unwrap().is_some(), "{SHORT:?} have not passed");
    subject.wait(SHORT).await;
    assert_eq!(store.load(&short).await.unwrap(), None, "{SHORT:?} have passed");
}

/// The longest time to live there is neither fails nor ends at once.
the_longest_time_to_live_is_kept(subject) {
    let store = subject.store();
    for longest in [Duration::from_secs(400 * 86_400), Duration::from_millis(u64::MAX)] {
        let handle = handle();
        create(&*store, handle, &record(1, b""), longest).await;
        assert_eq!(store.update(&handle, version(1), &record(2, b""), longest).await.unwrap(), Updated::Done);
        assert!(store.touch(&handle, version(2), longest).await.unwrap());
        assert!(store.load(&handle).await.unwrap().is_some(), "{longest:?} have not passed");
    }
}

/// Handles are compared byte for byte.
handles_are_compared_byte_for_byte(subject) {
    let store = subject.store();
    let handles = look_alikes();
    for (number, handle) in (1..).zip(&handles) {
        create(&*store, *handle, &record(number, b""), HOUR).await;
    }
    for (number, handle) in (1..).zip(&handles) {
        assert_eq!(loaded(&*store, *handle).await.record.version(), version(number), "{handle}");
    }
    for handle in &handles {
        assert!(store.delete(handle).await.unwrap(), "{handle} was deleted with another");
    }
}

/// Every byte survives in the header and in the values, and so do 32 KiB and none.
every_byte_survives(subject) {
    let store = subject.store();
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    let large: Vec<u8> = bytes.iter().copied().cycle().take(32 * 1024).collect();
    for (header, values) in [(&bytes[..], &[][..]), (&[1], &bytes), (&[1], &large)] {
        let (handle, kept) = (handle(), Record::new(version(1), header, values));
        create(&*store, handle, &kept, HOUR).await;
        assert_eq!(loaded(&*store, handle).await.record, kept);
        let kept = Record::new(version(2), header, values);
        store.update(&handle, version(1), &kept, HOUR).await.unwrap();
        assert_eq!(loaded(&*store, handle).await.record, kept);
    }
}

/// Every version survives, and is told from every other.
every_version_survives(subject) {
    let (store, handle) = (subject.store(), handle());
    let numbers = [0, 1, u64::MAX, i64::MAX as u64, i64::MAX as u64 + 1, (1 << 53) + 1, 1 << 53];
    create(&*store, handle, &record(numbers[0], b""), HOUR).await;
    for pair in numbers.windows(2) {
        let wrong = store.update(&handle, version(pair[1]), &record(7, b""), HOUR).await.unwrap();
        assert!(matches!(wrong, Updated::Conflict(_)), "{} was taken for {}", pair[1], pair[0]);
        let right = store.update(&handle, version(pair[0]), &record(pair[1], b""), HOUR).await.unwrap();
        assert_eq!(right, Updated::Done, "{} was not recognised", pair[0]);
        assert_eq!(loaded(&*store, handle).await.record.version(), version(pair[1]));
    }
}

/// A verb that is dropped half-way is carried out whole or not at all.
a_dropped_verb_is_whole_or_nothing(subject) {
    let store = subject.store();
    for polls in 0..MAX_POLLS {
        let handle = handle();
        let (old, new) = (Record::new(version(1), [1], [1]), Record::new(version(2), [2], [2]));
        poll_and_drop(store.create(&handle, &old, HOUR), polls).await;
        let found = store.load(&handle).await.unwrap();
        assert!(found.is_none_or(|found| found.record == old), "half of a create after {polls} polls");
        store.create(&handle, &old, HOUR).await.unwrap();
        poll_and_drop(store.update(&handle, version(1), &new, HOUR), polls).await;
        let found = loaded(&*store, handle).await.record;
        assert!(found == old || found == new, "half of an update after {polls} polls: {found:?}");
        poll_and_drop(store.touch(&handle, found.version(), HOUR), polls).await;
        // What was dropped may still be on its way, on a connection of its own.
        let whole = |record: &Record| *record == found || *record == new;
        assert!(whole(&loaded(&*store, handle).await.record), "a dropped touch changed the record");
        poll_and_drop(store.delete(&handle), polls).await;
        let left = store.load(&handle).await.unwrap();
        assert!(left.is_none_or(|left| whole(&left.record)), "half of a deletion after {polls} polls");
    }
}

/// Records of different handles have nothing to do with each other.
records_are_independent(subject) {
    let store = subject.store();
    let handles: Vec<Handle> = (0..100).map(|_| handle()).collect();
    for (number, handle) in (0..).zip(&handles) {
        create(&*store, *handle, &record(number, &[7; 50]), HOUR).await;
    }
    for handle in handles.iter().skip(1).step_by(2) {
        store.delete(handle).await.unwrap();
    }
    for (number, handle) in (0..).zip(&handles) {
        let found = store.load(handle).await.unwrap().map(|found| found.record.version());
        assert_eq!(found, (number % 2 == 0).then(|| version(number)));
    }
}

}

fn handle() -> Handle {
    let token = Token::draw(Random::System);
    token.expect("the system has random bytes").handle()
}

const fn version(number: u64) -> Version {
    Version::from_u64(number)
}

fn record(number: u64, values: &[u8]) -> Record {
    Record::new(version(number), [1], values)
}

async fn create(
    store: &dyn SessionStore,
    handle: Handle,
    record: &Record,
    expires_in: Duration,
) -> Timestamp {
    match store.create(&handle, record, expires_in).await {
        Ok(Created::Done(now)) => now,
        other => panic!("a free handle can be created, not {other:?}"),
    }
}

async fn created_at(store: &dyn SessionStore, handle: Handle) -> Timestamp {
    create(store, handle, &record(1, b""), HOUR).await
}

async fn loaded(store: &dyn SessionStore, handle: Handle) -> Loaded {
    let loaded = store.load(&handle).await;
    loaded
        .expect("a load that succeeds")
        .expect("a record that is live")
}

async fn absent(store: &dyn SessionStore, handle: Handle, version: Version) {
    assert_eq!(store.load(&handle).await.unwrap(), None, "it was loaded");
    let updated = store
        .update(&handle, version, &record(9, b"late"), HOUR)
        .await
        .unwrap();
    assert_eq!(updated, Updated::Gone, "it was updated");
    assert!(
        !store.touch(&handle, version, HOUR).await.unwrap(),
        "it was touched"
    );
    assert!(!store.delete(&handle).await.unwrap(), "it was deleted");
    assert_eq!(
        store.load(&handle).await.unwrap(),
        None,
        "one of these verbs has created it"
    );
}

async fn increment_many(store: Arc<dyn SessionStore>, handle: Handle, writer: u64) {
    for increment in 1..=INCREMENTS {
        loop {
            let found = loaded(&*store, handle).await;
            let next = record(
                writer << 32 | increment,
                &(counted(&found) + 1).to_be_bytes(),
            );
            let updated = store
                .update(&handle, found.record.version(), &next, HOUR)
                .await
                .unwrap();
            if updated == Updated::Done {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn counted(loaded: &Loaded) -> u64 {
    u64::from_be_bytes(loaded.record.values().try_into().expect("eight bytes"))
}

/// Handles that a store may take for one another: by case, by one bit, by what is cut off their ends.
fn look_alikes() -> Vec<Handle> {
    let mut handles: Vec<[u8; Handle::LEN]> = vec![
        *b"abcdefghijklmnop",
        *b"ABCDEFGHIJKLMNOP",
        [0; 16],
        [0xff; 16],
    ];
    for end in [0, 15] {
        for byte in [0, b' ', 0x7f, 0x80] {
            let mut handle = *b"abcdefghijklmnop";
            handle[end] = byte;
            handles.push(handle);
        }
    }
    // One prefix for all, so that a shared database has seen none of them.
    let salt = handle();
    let salted = handles.into_iter().map(|mut handle| {
        handle[4..12].copy_from_slice(&salt.as_bytes()[..8]);
        Handle::from_bytes(handle)
    });
    salted.collect()
}

/// Polls an answer so many times, if it takes so long, and drops it.
async fn poll_and_drop<T: Unpin>(answer: Answer<T>, polls: usize) {
    let mut answer = pin!(answer);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        let answered: Poll<Result<T, StoreError>> = answer.as_mut().poll(context);
        answered.map(drop)
    })
    .await;
}

const HOUR: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(400);
/// Longer than an engine's clock is coarse.
const TICK: Duration = Duration::from_millis(20);
const WRITERS: u64 = 8;
const INCREMENTS: u64 = 25;
const ROUNDS: usize = 50;
const MAX_POLLS: usize = 6;
