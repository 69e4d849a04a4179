//! What the server sees of the index: how many commands, which keys, what is under them.

use std::collections::HashSet;

use tenure::{
    CredentialStamp, Handle, PrincipalId,
    store::{Entered, Entry, PrincipalIndex, RedisStore, SessionStore, StoreErrorKind},
};

use super::{
    HANDLE, HOUR,
    bed::redis::{Redis, Space, cluster},
    engine::Counting,
    record, version,
};

const ENTRY: Entry = Entry::new(HANDLE, version(1));

fn ada() -> PrincipalId {
    "ada".into()
}

/// Checks which commands were carried out since this was last asked, in scripts too.
fn was(counting: &Counting, expected: &[(&str, u64)]) {
    let calls = counting.calls();
    let calls: Vec<_> = calls
        .iter()
        .map(|(name, calls)| (&**name, *calls))
        .collect();
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn each_verb_is_one_command() {
    let counting = Counting::start().await;
    let (store, stamp) = (&counting.store, CredentialStamp::of("new"));
    for is_known in [false, true] {
        // Each script is known to the server from here on.
        counting.calls();
        store.restamp(&ada(), &stamp).await.unwrap();
        if is_known {
            counting.was_one("restamp", &["pexpire", "time", "zadd", "zrange"]);
        }
        store
            .enter(&ada(), ENTRY, Some(&stamp), usize::MAX)
            .await
            .unwrap();
        if is_known {
            counting.was_one(
                "enter",
                &["persist", "zadd", "zcard", "zrange", "zrank", "zscore"],
            );
        }
        store.leave(&ada(), &[ENTRY]).await.unwrap();
    }
    counting.was_one("leave", &["pexpire", "time", "zcard", "zrange", "zrem"]);
    store.entries(&ada()).await.unwrap();
    was(&counting, &[("zrange", 1)]);
    store.load_all(&[HANDLE, HANDLE]).await.unwrap();
    was(&counting, &[("get", 2), ("time", 1)]);
    store.load_all(&[]).await.unwrap();
    was(&counting, &[]);
    store.walk(None, 10).await.unwrap();
    was(&counting, &[("scan", 1)]);
}

#[tokio::test]
async fn a_principals_key_has_no_end_while_there_are_entries_and_is_gone_without_them() {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let key = format!("{}@ada", space.prefix());
    let ttl = async || console.run::<i64>(&format!("PTTL {key}")).await;
    store.enter(&ada(), ENTRY, None, usize::MAX).await.unwrap();
    assert_eq!(ttl().await, NO_END);
    store.leave(&ada(), &[ENTRY]).await.unwrap();
    assert_eq!(ttl().await, NO_KEY);
    store
        .restamp(&ada(), &CredentialStamp::of("new"))
        .await
        .unwrap();
    assert!(
        (86_300_000..=86_400_000).contains(&ttl().await),
        "a stamp alone"
    );
    store.enter(&ada(), ENTRY, None, usize::MAX).await.unwrap();
    assert_eq!(ttl().await, NO_END);
    store
        .restamp(&ada(), &CredentialStamp::of("newer"))
        .await
        .unwrap();
    assert_eq!(ttl().await, NO_END);
    store.leave(&ada(), &[ENTRY]).await.unwrap();
    assert!(
        (86_300_000..=86_400_000).contains(&ttl().await),
        "alone again"
    );
}

#[tokio::test]
async fn a_stamp_is_forgotten_after_its_day_though_there_are_entries() {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    store.enter(&ada(), ENTRY, None, usize::MAX).await.unwrap();
    store.restamp(&ada(), &new).await.unwrap();
    let other = Entry::new(HANDLE, version(2));
    assert_eq!(
        store
            .enter(&ada(), other, Some(&old), usize::MAX)
            .await
            .unwrap(),
        Entered::Refused
    );
    // As if it had been long ago.
    let key = format!("{}@ada", space.prefix());
    let script = "redis.call('ZADD',KEYS[1],-1000,redis.call('ZRANGE',KEYS[1],0,0)[1])";
    console
        .run::<redis::Value>(&format!("EVAL {script} 1 {key}"))
        .await;
    let entered = store
        .enter(&ada(), other, Some(&old), usize::MAX)
        .await
        .unwrap();
    assert_eq!(entered, Entered::After(vec![ENTRY]));
    store.leave(&ada(), &[ENTRY, other]).await.unwrap();
    assert_eq!(console.run::<i64>(&format!("EXISTS {key}")).await, 0);
}

/// Lets every verb meet what somebody else has put under a principal's key.
async fn is_left_alone(put: &str, look: &str) {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let key = format!("{}@ada", space.prefix());
    let (put, look) = (put.replace("KEY", &key), look.replace("KEY", &key));
    console.run::<redis::Value>(&put).await;
    let before: redis::Value = console.run(&look).await;
    let stamp = CredentialStamp::of("new");
    let kinds = [
        store
            .enter(&ada(), ENTRY, Some(&stamp), usize::MAX)
            .await
            .map(drop),
        store.entries(&ada()).await.map(drop),
        store.leave(&ada(), &[ENTRY]).await,
        store.restamp(&ada(), &stamp).await.map(drop),
    ]
    .map(|answer| answer.map_err(|error| error.kind()));
    assert_eq!(kinds, [Err(StoreErrorKind::Corrupt); 4], "{put}");
    assert_eq!(console.run::<redis::Value>(&look).await, before, "{put}");
    assert_eq!(
        console.run::<i64>(&format!("PTTL {key}")).await,
        NO_END,
        "{put}"
    );
}

#[tokio::test]
async fn what_is_no_index_is_corrupt_and_left_alone() {
    is_left_alone("SET KEY theirs", "GET KEY").await;
    is_left_alone("HSET KEY a b", "HGETALL KEY").await;
    let (entry, later) = ("e".repeat(24), "e".repeat(25));
    for members in [
        "1 theirs",
        &format!("1 {entry} 2 {later}"),
        &format!("1 {later} 2 {entry}"),
    ] {
        is_left_alone(&format!("ZADD KEY {members}"), "ZRANGE KEY 0 -1 WITHSCORES").await;
    }
}

#[tokio::test]
async fn among_many_records_one_that_is_none_is_an_error() {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let other = Handle::from_bytes([8; 16]);
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    for put in ["SET KEY theirs", "RPUSH KEY a"] {
        let key = format!("{}{other}", space.prefix());
        console.run::<redis::Value>(&put.replace("KEY", &key)).await;
        let error = store.load_all(&[HANDLE, other]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{put}");
        store.delete(&other).await.unwrap();
    }
    assert!(store.load_all(&[HANDLE, other]).await.is_ok());
}

#[tokio::test]
async fn of_many_entries_each_is_answered_to_some_login() {
    let space = Space::new();
    let store = space.open().await;
    let stamp = CredentialStamp::of("new");
    store.restamp(&ada(), &stamp).await.unwrap();
    let mut seen = HashSet::new();
    for number in 0..200_u8 {
        let handle = Handle::from_bytes([number.wrapping_mul(97); Handle::LEN]);
        let entry = Entry::new(handle, version(1));
        match store.enter(&ada(), entry, Some(&stamp), 8).await.unwrap() {
            Entered::After(some) => seen.extend(some),
            other => panic!("{other:?}"),
        }
    }
    assert!(seen.len() > 150, "{}", seen.len());
}

#[tokio::test]
async fn a_full_server_lets_nobody_in_and_entries_leave() {
    let server = Redis::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    store.enter(&ada(), ENTRY, None, usize::MAX).await.unwrap();
    server.fill();
    let other = Entry::new(HANDLE, version(2));
    let error = store
        .enter(&ada(), other, None, usize::MAX)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let error = store
        .restamp(&ada(), &CredentialStamp::of("new"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert_eq!(store.entries(&ada()).await.unwrap(), [ENTRY]);
    store.leave(&ada(), &[ENTRY]).await.unwrap();
    assert_eq!(store.entries(&ada()).await.unwrap(), []);
}

/// Braces choose a slot of a Cluster; here they must neither break nor mix anything up.
async fn principals_with_braces_are_different(space: Space) {
    let store = space.open().await;
    let names = [
        "{a}",
        "{a}1",
        "{a}2",
        "a",
        "{}",
        "{}a",
        "}{",
        "{",
        "}",
        "{a",
        "a}",
        "{{a}}",
        "{a}{b}",
        "{\"sub\":\"a\"}",
    ];
    for (number, name) in (1..).zip(names) {
        let entry = Entry::new(HANDLE, version(number));
        let entered = store
            .enter(&name.into(), entry, None, usize::MAX)
            .await
            .unwrap();
        assert_eq!(entered, Entered::After(vec![]), "{name}");
    }
    for (number, name) in (1..).zip(names) {
        let entry = Entry::new(HANDLE, version(number));
        assert_eq!(
            store.entries(&name.into()).await.unwrap(),
            [entry],
            "{name}"
        );
    }
}

#[tokio::test]
async fn principals_with_braces_are_different_on_one_server() {
    principals_with_braces_are_different(Space::new()).await;
}

#[tokio::test]
async fn principals_with_braces_are_different_in_a_cluster() {
    principals_with_braces_are_different(cluster::space()).await;
}

const NO_END: i64 = -1;
const NO_KEY: i64 = -2;
