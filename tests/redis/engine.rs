//! What the server sees: how many commands, which keys, what is under them.

use std::time::Duration;

use tenure::{
    Handle, SessionLayer,
    store::{Created, RedisStore, SessionStore, StoreErrorKind, Updated},
};

use super::{
    HANDLE, HOUR,
    bed::{
        redis::{Redis, Space, client::Client},
        visitor,
    },
    costs, record, version,
};

/// A server of a test's own that counts its commands.
pub(super) struct Counting {
    pub(super) server: Redis,
    pub(super) store: RedisStore,
}

impl Counting {
    pub(super) async fn start() -> Self {
        let server = Redis::start();
        let store = RedisStore::connect(&server.url()).await.unwrap();
        // Each script is known to the server from here on.
        store.create(&HANDLE, &record(1), HOUR).await.unwrap();
        store.load(&HANDLE).await.unwrap();
        let update = store.update(&HANDLE, version(1), &record(2), HOUR);
        assert_eq!(update.await.unwrap(), Updated::Done);
        store.touch(&HANDLE, version(2), HOUR).await.unwrap();
        store.delete(&HANDLE).await.unwrap();
        server.ask("CONFIG RESETSTAT");
        Self { server, store }
    }

    /// Returns which commands were carried out since this was last asked, in scripts too, and how often.
    pub(super) fn calls(&self) -> Vec<(String, u64)> {
        let stats = self.server.ask("INFO commandstats").to_string();
        self.server.ask("CONFIG RESETSTAT");
        let lines = stats.lines().filter_map(|line| {
            let (name, numbers) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls = numbers.split(',').next()?.parse().ok()?;
            Some((name.to_owned(), calls))
        });
        let mut calls: Vec<_> = lines
            .filter(|(name, _)| !BESIDE.contains(&&**name))
            .collect();
        calls.sort();
        calls
    }

    /// Returns how many commands were sent since this was last asked, and what they were.
    fn sent(&self) -> (u64, Vec<String>) {
        let (mut count, mut names) = (0, Vec::new());
        for (name, calls) in self.calls() {
            if SENT.contains(&&*name) {
                count += calls;
            }
            names.push(name);
        }
        (count, names)
    }

    /// Checks that a record was asked for since this was last asked, and the time, once and without a script.
    pub(super) fn was_a_load(&self) {
        let once = |name: &str| (name.to_owned(), 1);
        assert_eq!(self.calls(), [once("get"), once("time")]);
    }

    /// Checks that one command was sent since this was last asked, and what it has done.
    pub(super) fn was_one(&self, verb: &str, done: &[&str]) {
        let (count, names) = self.sent();
        assert_eq!(count, 1, "{verb}: {names:?}");
        for name in names {
            let is_known = done.contains(&&*name) || SENT.contains(&&*name);
            assert!(is_known, "{verb}: {name}");
        }
    }
}

/// What is sent for a verb that is not a load.
const SENT: &[&str] = &["del", "eval", "evalsha"];
/// What this test asks (Redis 6 has one name for all of `CONFIG`), and what the store asks each second.
const BESIDE: &[&str] = &["config", "config|resetstat", "info", "role"];

#[tokio::test]
async fn each_verb_is_one_command_and_a_load_is_two_in_one_trip() {
    let counting = Counting::start().await;
    let store = &counting.store;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    counting.was_one("create", &["set", "time"]);
    assert_eq!(
        store.create(&HANDLE, &record(9), HOUR).await.unwrap(),
        Created::Taken
    );
    counting.was_one("create of what is there", &["getrange", "set", "time"]);
    store.load(&HANDLE).await.unwrap().unwrap();
    counting.was_a_load();
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    counting.was_one("update", &["getrange", "set", "time"]);
    let updated = store.update(&HANDLE, version(1), &record(3), HOUR).await;
    assert!(
        matches!(updated, Ok(Updated::Conflict(Some(_)))),
        "{updated:?}"
    );
    counting.was_one("a conflict", &["get", "getrange", "time"]);
    assert!(store.touch(&HANDLE, version(2), HOUR).await.unwrap());
    counting.was_one("touch", &["getrange", "pexpire", "setrange", "time"]);
    assert!(store.delete(&HANDLE).await.unwrap());
    counting.was_one("delete", &[]);
    let updated = store.update(&HANDLE, version(2), &record(3), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Gone);
    counting.was_one("an update of nothing", &["get", "getrange", "time"]);
}

#[tokio::test]
async fn a_request_costs_as_many_commands_as_it_has_verbs() {
    let server = Redis::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    costs::check(store, &[&server]).await;
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_scripts_is_sent_them_once() {
    let counting = Counting::start().await;
    let store = &counting.store;
    let forget = || {
        counting.server.ask("SCRIPT FLUSH");
        counting.sent();
    };
    let sent_twice = |verb: &str| assert_eq!(counting.sent().0, 2, "{verb}");
    forget();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    sent_twice("create");
    forget();
    // It needs none.
    assert_eq!(
        store.load(&HANDLE).await.unwrap().unwrap().record,
        record(1)
    );
    counting.was_a_load();
    forget();
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    sent_twice("update");
    forget();
    assert!(store.touch(&HANDLE, version(2), HOUR).await.unwrap());
    sent_twice("touch");
}

#[tokio::test]
async fn a_key_is_there_as_long_as_its_session_and_not_for_ever() {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let key = format!("{}{HANDLE}", space.prefix());
    let ttl = async || console.run::<i64>(&format!("PTTL {key}")).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert!((3_500_000..=3_600_000).contains(&ttl().await));
    let touched = store.touch(&HANDLE, version(1), HOUR * 2).await;
    assert!(touched.unwrap() && ttl().await > 3_600_000);
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    assert!((3_500_000..=3_600_000).contains(&ttl().await));
    store
        .touch(&HANDLE, version(2), Duration::MAX)
        .await
        .unwrap();
    assert!(ttl().await > 0, "it has an end");
    store
        .touch(&HANDLE, version(2), Duration::ZERO)
        .await
        .unwrap();
    while store.load(&HANDLE).await.unwrap().is_some() {}
    assert_eq!(console.run::<i64>(&format!("EXISTS {key}")).await, 0);
}

#[tokio::test]
async fn sessions_of_another_prefix_are_other_sessions() {
    let server = Redis::start();
    let stores = [server.space().open().await, server.space().open().await];
    stores[0].create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert_eq!(stores[1].load(&HANDLE).await.unwrap(), None);
    stores[1].create(&HANDLE, &record(2), HOUR).await.unwrap();
    assert!(stores[1].delete(&HANDLE).await.unwrap());
    let kept = stores[0].load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(kept.record, record(1));
}

/// Lets every verb but a deletion meet what somebody else has put under a session's key.
async fn is_left_alone(put: &str, look: &str) {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let key = format!("{}{HANDLE}", space.prefix());
    let (put, look) = (put.replace("KEY", &key), look.replace("KEY", &key));
    console.run::<redis::Value>(&put).await;
    let before: redis::Value = console.run(&look).await;
    let kinds = [
        store.create(&HANDLE, &record(1), HOUR).await.map(drop),
        store.load(&HANDLE).await.map(drop),
        store
            .update(&HANDLE, version(1), &record(2), HOUR)
            .await
            .map(drop),
        store.touch(&HANDLE, version(1), HOUR).await.map(drop),
    ]
    .map(|answer| answer.map_err(|error| error.kind()));
    assert_eq!(kinds, [Err(StoreErrorKind::Corrupt); 4], "{put}");
    assert_eq!(console.run::<redis::Value>(&look).await, before, "{put}");
    assert_eq!(console.run::<i64>(&format!("TTL {key}")).await, -1, "{put}");
    assert!(store.delete(&HANDLE).await.unwrap(), "{put}");
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
}

#[tokio::test]
async fn what_is_no_record_is_corrupt_and_left_alone() {
    let cut = "\u{1}".repeat(28);
    let later = format!("\u{2}{}", "\0".repeat(40));
    for bytes in ["", "theirs", &cut, &later] {
        is_left_alone(&format!("SET KEY {bytes}"), "GET KEY").await;
    }
}

#[tokio::test]
async fn what_is_no_string_is_corrupt_and_left_alone() {
    is_left_alone("RPUSH KEY a b", "LRANGE KEY 0 -1").await;
    is_left_alone("HSET KEY a b", "HGETALL KEY").await;
}

#[tokio::test]
async fn a_full_server_says_so_of_what_is_new_and_goes_on_with_the_rest() {
    let server = Redis::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    server.fill();
    let other = Handle::from_bytes([8; 16]);
    let created = store.create(&other, &record(1), HOUR).await.unwrap();
    assert_eq!(created, Created::Full);
    let update = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(update.unwrap_err().kind(), StoreErrorKind::Full);
    let touch = store.touch(&HANDLE, version(1), HOUR * 2).await;
    assert_eq!(touch.unwrap_err().kind(), StoreErrorKind::Full);
    let ttl = server.ask(&format!("PTTL tenure:{HANDLE}")).number();
    assert!(ttl <= 3_600_000, "a touch that failed has moved the expiry");
    assert_eq!(
        store.load(&HANDLE).await.unwrap().unwrap().record,
        record(1)
    );
    assert!(store.delete(&HANDLE).await.unwrap());
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let server = Redis::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    server.ask("CLIENT KILL TYPE normal SKIPME yes");
    let loaded = loop {
        match store.load(&HANDLE).await {
            Ok(loaded) => break loaded.unwrap(),
            Err(error) => assert!(is_outage(error.kind()), "{error:?}"),
        }
    };
    assert_eq!(loaded.record, record(1));
}

fn is_outage(kind: StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::Unavailable | StoreErrorKind::Unknown)
}

#[tokio::test]
async fn a_server_that_has_become_a_replica_is_not_read_from() {
    let server = Redis::start();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    server.ask("REPLICAOF 127.0.0.1 1");
    // Nobody writes: that it is a replica is found out by asking.
    let error = loop {
        match store.load(&HANDLE).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(is_outage(error.kind()), "{error:?}");
    server.ask("REPLICAOF NO ONE");
    while store.load(&HANDLE).await.is_err() {}
    assert_eq!(
        store.load(&HANDLE).await.unwrap().unwrap().record,
        record(1)
    );
}

#[tokio::test]
async fn the_requests_of_a_store_that_is_gone_are_over() {
    let server = Redis::start();
    let before = server.info("connected_clients");
    let store = RedisStore::connect(&server.url()).await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let cookie = visitor::arrive(&SessionLayer::new(store.clone())).await;
    assert!(!cookie.is_empty());
    drop(store);
    while server.info("connected_clients") != before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_connections_to_a_server_are_left_together_and_the_first_new_one_does_for_all() {
    let server = Redis::start();
    let mut asking = Client::connect(server.port()).unwrap();
    let mut ask = |command: &str| asking.ask(command).unwrap().to_string();
    let ids = |clients: &str| -> Vec<u64> {
        let words = clients.split_whitespace();
        let ids = words.filter_map(|word| word.strip_prefix("id="));
        ids.map(|id| id.parse().unwrap()).collect()
    };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    while ask("CLIENT LIST").matches("cmd=role").count() < 4 {
        tokio::task::yield_now().await;
    }
    let own = ids(&ask("CLIENT INFO"))[0];
    let before = ids(&ask("CLIENT LIST"));
    let last = before.iter().rfind(|id| **id != own).unwrap();
    // There is room for one.
    ask("CONFIG SET maxclients 2");
    ask(&format!("CLIENT KILL ID {last}"));
    while ids(&ask("CLIENT LIST"))
        .iter()
        .any(|id| *id != own && before.contains(id))
    {
        tokio::task::yield_now().await;
    }
    let handle = |lane| Handle::from_bytes([lane; 16]);
    while store.load(&handle(0)).await.is_err() {
        tokio::task::yield_now().await;
    }
    for lane in 0..16 {
        assert_eq!(store.load(&handle(lane)).await.unwrap(), None, "{lane}");
    }
    assert!(ask("INFO clients").contains("connected_clients:2"));
}
