use std::thread;

use super::*;
use crate::{
    id::SecretHash,
    record::{Header, Identity, Values},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn record(principal: Option<&str>) -> Record {
    let mut header = Header::new(SecretHash::from_bytes([0; 32]), None);
    header.identity = principal.map(|principal| Identity {
        principal: principal.into(),
        authenticated_at: Timestamp::from_millis(0),
    });
    Record::with_values(Version::from_u64(1), &header, &Values::empty())
}

fn sized(len: usize) -> Record {
    Record::new(Version::from_u64(1), [1], vec![0; len])
}

fn handle(number: u64) -> Handle {
    // Spread over the shards as random ones are.
    let [a, b, ..] = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&[a, b]);
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Handle::from_bytes(bytes)
}

fn site(store: MemoryStore) -> (MemoryStore, Clock) {
    let clock = Clock::manual();
    (store.with_clock(clock.clone()), clock)
}

fn create(
    store: &MemoryStore,
    number: u64,
    principal: Option<&str>,
    expires_in: Duration,
) -> Created {
    store
        .0
        .create(&handle(number), &record(principal), expires_in)
}

fn is_live(store: &MemoryStore, number: u64) -> bool {
    answered(store.load(&handle(number))).is_some()
}

fn answered<T>(answer: Answer<T>) -> T {
    answer.split().ok().expect("it answers at once").unwrap()
}

fn queued(store: &MemoryStore) -> usize {
    store
        .0
        .shards
        .iter()
        .map(|shard| shard.lock().queued())
        .sum()
}

#[test]
fn a_full_store_gives_up_the_anonymous_session_that_expires_next() {
    let (store, _) = site(MemoryStore::new().with_max_entries(3));
    create(&store, 1, Some("1"), HOUR);
    create(&store, 2, None, HOUR);
    create(&store, 3, None, HOUR / 2);
    assert!(matches!(create(&store, 4, None, HOUR), Created::Done(_)));
    assert_eq!(store.len(), 3);
    assert!(is_live(&store, 1) && is_live(&store, 4));
    assert_ne!(is_live(&store, 2), is_live(&store, 3));
}

#[test]
fn within_a_shard_the_earliest_deadline_goes_first() {
    let (store, _) = site(MemoryStore::new().with_max_entries(3));
    let same_shard =
        |last: u8| Handle::from_bytes([7, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    for (last, hours) in [(1, 3), (2, 1), (3, 2)] {
        store
            .0
            .create(&same_shard(last), &record(None), HOUR * hours);
    }
    // A touch moves the second behind the others, though its place in the queue is the old one.
    let touched = store.touch(&same_shard(2), Version::from_u64(1), HOUR * 9);
    assert!(answered(touched));
    store.0.create(&same_shard(4), &record(None), HOUR * 4);
    let live = |last| answered(store.load(&same_shard(last))).is_some();
    assert_eq!([1, 2, 3, 4].map(live), [true, true, false, true]);
}

#[test]
fn a_store_full_of_signed_in_sessions_refuses_a_new_one_and_keeps_them() {
    let (store, clock) = site(MemoryStore::new().with_max_entries(2));
    create(&store, 1, Some("1"), HOUR);
    create(&store, 2, Some("2"), HOUR);
    assert_eq!(create(&store, 3, None, HOUR), Created::Full);
    assert_eq!(create(&store, 3, Some("3"), HOUR), Created::Full);
    assert!(is_live(&store, 1) && is_live(&store, 2));
    clock.advance(HOUR);
    assert!(
        matches!(create(&store, 3, None, HOUR), Created::Done(_)),
        "the expired make room"
    );
}

#[test]
fn a_session_that_signed_in_is_not_given_up_any_more() {
    let (store, _) = site(MemoryStore::new().with_max_entries(2));
    create(&store, 1, None, HOUR);
    create(&store, 2, None, HOUR * 2);
    let signed_in = store
        .0
        .update(&handle(1), Version::from_u64(1), &record(Some("1")), HOUR);
    assert_eq!(signed_in.unwrap(), Updated::Done);
    create(&store, 3, None, HOUR);
    create(&store, 4, None, HOUR);
    assert!(is_live(&store, 1) && !is_live(&store, 2));
    assert_eq!(store.len(), 2);
}

#[test]
fn bytes_are_bounded_and_a_session_that_grows_never_gives_itself_up() {
    let (store, _) = site(MemoryStore::new().with_max_bytes(3_000));
    assert!(matches!(
        store.0.create(&handle(1), &sized(1_000), HOUR),
        Created::Done(_)
    ));
    assert!(matches!(
        store.0.create(&handle(2), &sized(1_000), HOUR),
        Created::Done(_)
    ));
    let grown = store
        .0
        .update(&handle(1), Version::from_u64(1), &sized(2_000), HOUR);
    assert_eq!(grown.unwrap(), Updated::Done);
    assert!(
        is_live(&store, 1) && !is_live(&store, 2),
        "the other one made room"
    );
    let too_large = store
        .0
        .update(&handle(1), Version::from_u64(1), &sized(4_000), HOUR);
    assert!(too_large.is_err());
    assert_eq!(
        answered(store.load(&handle(1))).unwrap().record,
        sized(2_000)
    );
    assert_eq!(
        store.0.create(&handle(3), &sized(4_000), HOUR),
        Created::Full
    );
}

#[test]
fn what_has_expired_is_removed_by_other_verbs() {
    let (store, clock) = site(MemoryStore::new());
    let create_all = |numbers: std::ops::Range<u64>| {
        numbers.for_each(|number| {
            assert!(matches!(
                create(&store, number, None, HOUR),
                Created::Done(_)
            ));
        });
    };
    create_all(0..5_000);
    clock.advance(HOUR);
    assert!(!is_live(&store, 1));
    create_all(5_000..15_000);
    assert_eq!(store.len(), 10_000);
    (5_000..15_000).for_each(|number| drop(store.delete(&handle(number))));
    assert!(store.is_empty());
    assert_eq!(store.0.bytes.used(), 0);
}

#[test]
fn deleted_and_touched_sessions_do_not_fill_the_queues() {
    let (store, _) = site(MemoryStore::new());
    for number in 0..200_000 {
        create(&store, number, None, HOUR);
        drop(store.delete(&handle(number)));
    }
    assert!(queued(&store) <= SHARDS * 65, "{}", queued(&store));
    create(&store, 1, None, HOUR);
    let before = queued(&store);
    (0..1_000).for_each(|_| drop(store.touch(&handle(1), Version::from_u64(1), HOUR)));
    assert_eq!(queued(&store), before);
}

#[test]
fn parallel_creates_never_exceed_the_bound() {
    let (store, _) = site(MemoryStore::new().with_max_entries(100));
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..2_000 {
                    create(store, thread * 2_000 + number, None, HOUR);
                    assert!(store.len() <= 100);
                }
            });
        }
    });
    let live = (0..8_000).filter(|number| is_live(&store, *number)).count();
    assert_eq!((live, store.len()), (100, 100));
}

#[test]
fn debug_shows_sizes_only() {
    let (store, _) = site(MemoryStore::new());
    create(&store, 1, Some("secret name"), HOUR);
    assert!(!format!("{store:?}").contains("secret name"));
}
