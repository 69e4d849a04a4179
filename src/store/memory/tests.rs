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
        principal,
        authenticated_at: Timestamp::from_millis(0),
    });
    Record::of(
        Version::from_u64(1),
        header.encode().into(),
        &Values::empty(),
    )
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
    sum(store, Shard::queued)
}

fn sum(store: &MemoryStore, of: impl Fn(&Shard) -> usize) -> usize {
    store.0.shards.iter().map(|shard| of(&shard.lock())).sum()
}

/// Drives every shard a little, as other visitors do.
fn pass_by(store: &MemoryStore) {
    for number in 0..20_000 {
        drop(store.delete(&handle(number + (1 << 40))));
    }
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
fn sessions_that_signed_in_are_not_in_the_way_of_one_to_give_up() {
    let (store, _) = site(MemoryStore::new());
    for number in 0..5_000 {
        create(&store, number, None, HOUR);
        let member = record(Some("1"));
        let signed_in = store
            .0
            .update(&handle(number), Version::from_u64(1), &member, HOUR);
        assert_eq!(signed_in.unwrap(), Updated::Done);
    }
    assert_eq!(sum(&store, Shard::queued_as_anonymous), 0);
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
fn what_lives_is_counted() {
    let (store, clock) = site(MemoryStore::new());
    for number in 0..9 {
        create(&store, number, None, HOUR * (1 + number as u32 % 3));
    }
    assert_eq!(answered(store.count()), Some(9));
    clock.advance(HOUR);
    assert_eq!(answered(store.count()), Some(6));
    answered(store.delete(&handle(2)));
    assert_eq!(answered(store.count()), Some(5));
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
    let bound = SHARDS * (shard::SLACK + 1);
    assert!(queued(&store) <= bound, "{}", queued(&store));
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

#[test]
fn a_session_that_becomes_anonymous_can_be_given_up() {
    let (store, _) = site(MemoryStore::new().with_max_entries(1));
    create(&store, 1, Some("1"), HOUR);
    drop(store.update(&handle(1), Version::from_u64(1), &record(None), HOUR));
    assert!(matches!(create(&store, 2, None, HOUR), Created::Done(_)));
    assert!(!is_live(&store, 1) && is_live(&store, 2));
}

#[test]
fn the_expired_of_any_shard_go_before_a_live_anonymous_session() {
    let (store, clock) = site(MemoryStore::new().with_max_entries(2));
    create(&store, 1, Some("1"), HOUR);
    create(&store, 2, None, HOUR * 3);
    clock.advance(HOUR * 2);
    let mut near_the_second = *handle(2).as_bytes();
    near_the_second[7] = 1;
    store
        .0
        .create(&Handle::from_bytes(near_the_second), &record(None), HOUR);
    assert!(is_live(&store, 2));
    assert_eq!(store.len(), 2);
}

#[test]
fn what_can_never_fit_ends_nobodys_session() {
    let (store, _) = site(MemoryStore::new().with_max_bytes(3_000));
    store.0.create(&handle(1), &sized(100), HOUR);
    store.0.create(&handle(2), &sized(100), HOUR);
    let created = store.0.create(&handle(3), &sized(4_000), HOUR);
    assert_eq!(created, Created::Full);
    let updated = store
        .0
        .update(&handle(1), Version::from_u64(1), &sized(4_000), HOUR);
    assert_eq!(
        updated.unwrap_err().kind(),
        crate::store::StoreErrorKind::Full
    );
    assert!(is_live(&store, 1) && is_live(&store, 2));
}

#[test]
fn a_login_needs_no_room_that_a_full_store_may_not_have() {
    let user = "c0ffee00-0000-4000-8000-000000000000";
    let (store, _) = site(MemoryStore::new());
    create(&store, 1, Some(user), HOUR);
    create(&store, 2, None, HOUR);
    let used = store.0.bytes.used();
    let store = store.with_max_bytes(used);
    let login = store
        .0
        .update(&handle(2), Version::from_u64(1), &record(Some(user)), HOUR);
    assert_eq!(login.unwrap(), Updated::Done);
    assert_eq!(store.0.bytes.used(), used);
}

#[test]
fn a_taken_handle_is_taken_even_in_a_full_store() {
    let (store, _) = site(MemoryStore::new().with_max_entries(2));
    create(&store, 1, Some("1"), HOUR);
    create(&store, 2, None, HOUR);
    assert_eq!(create(&store, 1, None, HOUR), Created::Taken);
    assert!(is_live(&store, 1) && is_live(&store, 2));
}

#[test]
fn settings_forget_nothing_that_is_kept() {
    let (store, _) = site(MemoryStore::new());
    create(&store, 1, None, HOUR);
    let store = store.with_max_entries(5).with_max_bytes(5_000);
    assert_eq!(store.len(), 1);
    assert!(answered(store.delete(&handle(1))));
    assert_eq!((store.len(), store.0.bytes.used()), (0, 0));
}

#[test]
fn a_session_whose_expiry_became_shorter_is_removed_in_time() {
    let (store, clock) = site(MemoryStore::new());
    let version = Version::from_u64(1);
    create(&store, 1, Some("1"), HOUR * 100);
    create(&store, 2, Some("2"), HOUR * 100);
    assert!(answered(store.touch(&handle(1), version, HOUR)));
    drop(store.update(&handle(2), version, &record(Some("2")), HOUR));
    clock.advance(HOUR);
    assert!(!is_live(&store, 1) && !is_live(&store, 2));
    pass_by(&store);
    assert!(store.is_empty());
}

#[test]
fn a_session_that_is_touched_lives_on_when_its_place_comes_up() {
    let (store, clock) = site(MemoryStore::new());
    create(&store, 1, None, HOUR);
    for _ in 0..10 {
        clock.advance(HOUR / 2);
        assert!(answered(store.touch(
            &handle(1),
            Version::from_u64(1),
            HOUR
        )));
        pass_by(&store);
    }
    assert!(is_live(&store, 1));
    clock.advance(HOUR);
    pass_by(&store);
    assert!(store.is_empty());
}

#[test]
fn ever_shorter_expiries_do_not_fill_the_queues() {
    let (store, _) = site(MemoryStore::new());
    create(&store, 1, None, HOUR);
    for millis in (1..10_000).rev() {
        let expires_in = Duration::from_millis(millis);
        drop(store.touch(&handle(1), Version::from_u64(1), expires_in));
    }
    assert!(queued(&store) <= 2 + shard::SLACK + 1);
}

#[test]
fn memory_is_given_back_once_a_crowd_has_gone() {
    let (store, clock) = site(MemoryStore::new());
    (0..100_000).for_each(|number| {
        create(&store, number, None, HOUR);
    });
    let crowded = sum(&store, Shard::capacity);
    clock.advance(HOUR);
    (0..5).for_each(|_| pass_by(&store));
    assert!(store.is_empty());
    let left = sum(&store, Shard::capacity);
    assert!(left <= crowded / 4, "{left} of {crowded}");
}

#[test]
fn the_longest_times_there_are_overflow_nothing() {
    let (store, clock) = site(MemoryStore::new());
    assert!(matches!(
        create(&store, 1, None, Duration::MAX),
        Created::Done(_)
    ));
    assert!(answered(store.touch(
        &handle(1),
        Version::from_u64(1),
        Duration::MAX
    )));
    clock.advance(HOUR * 24 * 365 * 1_000);
    assert!(is_live(&store, 1));
}

#[test]
fn whatever_is_done_each_session_has_its_place_and_is_accounted_for() {
    let (store, clock) = site(
        MemoryStore::new()
            .with_max_entries(40)
            .with_max_bytes(20_000),
    );
    let mut state = 1_u64;
    let mut below = |most: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % most
    };
    for _ in 0..50_000 {
        // Few handles in two shards, so that they meet.
        let mut bytes = [0; 16];
        bytes[1] = u8::try_from(below(2)).unwrap();
        bytes[15] = u8::try_from(below(60)).unwrap();
        let handle = Handle::from_bytes(bytes);
        let expires_in = Duration::from_millis(1 + below(400));
        let record = record([None, Some("1")][usize::from(below(8) == 0)]);
        let version = Version::from_u64(1);
        match below(6) {
            0 | 1 => drop(store.create(&handle, &record, expires_in)),
            2 => drop(store.update(&handle, version, &record, expires_in)),
            3 => drop(store.touch(&handle, version, expires_in)),
            4 => drop(store.delete(&handle)),
            _ => clock.advance(Duration::from_millis(below(20))),
        }
        let kept: Vec<_> = (0..2)
            .map(|shard| store.0.shards[shard].lock().audit())
            .collect();
        let total = |of: fn(&shard::Audit) -> usize| kept.iter().map(of).sum::<usize>();
        assert_eq!(total(|kept| kept.entries), store.len());
        assert_eq!(total(|kept| kept.bytes), store.0.bytes.used());
        assert_eq!(total(|kept| kept.anonymous), store.0.anonymous.used());
        assert!(store.len() <= 40 && store.0.bytes.used() <= 20_000);
    }
}

#[test]
fn parallel_verbs_exceed_no_bound_and_leave_nothing_behind() {
    const BYTES: usize = 100_000;
    let (store, clock) = site(MemoryStore::new().with_max_bytes(BYTES));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (store, clock) = (&store, &clock);
            scope.spawn(move || {
                for number in 0..4_000_u64 {
                    // Each handle is another thread's too.
                    let handle = handle((number * 7 + thread) % 500);
                    let len = (number * 131 % 900) as usize;
                    let version = Version::from_u64(1);
                    match (number + thread) % 4 {
                        0 => drop(store.create(&handle, &sized(len), HOUR)),
                        1 => drop(store.update(&handle, version, &sized(len), HOUR)),
                        2 => drop(store.delete(&handle)),
                        _ => drop(store.create(&handle, &record(Some("1")), HOUR / 60)),
                    }
                    if number % 50 == 0 {
                        clock.advance(HOUR / 100);
                    }
                    assert!(store.0.bytes.used() <= BYTES);
                }
            });
        }
    });
    (0..500).for_each(|number| drop(store.delete(&handle(number))));
    let left = [&store.0.entries, &store.0.bytes, &store.0.anonymous].map(Quota::used);
    assert_eq!(left, [0; 3]);
}

#[test]
fn principals_who_never_come_back_leave_nothing_behind() {
    let clock = Clock::manual();
    let store = MemoryStore::new().with_clock(clock.clone());
    let enter = |number: u64| {
        drop(store.create(&handle(number), &record(None), HOUR));
        let entry = Login::new(handle(number), Version::from_u64(number));
        drop(store.enter(&number.into(), entry, None, 0));
    };
    (0..1_000).for_each(enter);
    drop(store.restamp(&7_u64.into(), &CredentialStamp::of("new")));
    assert_eq!(store.0.index.lock().len(), 1_000);
    clock.advance(HOUR * 25);
    (1_000..2_000).for_each(enter);
    let left = store.0.index.lock().len();
    assert!((1_000..1_500).contains(&left), "{left}");
}

#[test]
fn a_principal_who_comes_again_and_again_leaves_little_behind() {
    let clock = Clock::manual();
    let store = MemoryStore::new().with_clock(clock.clone());
    for number in 0..1_000 {
        clock.advance(HOUR / 10);
        drop(store.create(&handle(number), &record(None), HOUR));
        let entry = Login::new(handle(number), Version::from_u64(number));
        drop(store.enter(&"ada".into(), entry, None, 0));
    }
    let left = store.0.index.lock().entries(&"ada".into()).len();
    assert!((10..40).contains(&left), "{left}");
}
