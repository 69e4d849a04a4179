//! All sessions are found, whatever becomes of servers and slots meanwhile.

use std::collections::HashSet;

use tenure::{
    Handle,
    store::{Cursor, Entry, PrincipalIndex, RedisStore, SessionStore, StoreErrorKind},
};

use super::{
    HOUR,
    bed::redis::{
        Redis, Space,
        cluster::{Cluster, Watch},
    },
    record, version,
};

/// Creates so many sessions that a walk takes many steps.
async fn filled(store: &RedisStore) -> HashSet<Handle> {
    let mut handles = HashSet::new();
    for _ in 0..SESSIONS {
        let handle = Handle::from_bytes(random());
        store.create(&handle, &record(1), HOUR).await.unwrap();
        handles.insert(handle);
    }
    handles
}

fn random() -> [u8; Handle::LEN] {
    let mut bytes = [0; Handle::LEN];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// A walk on its way.
struct Walk<'a> {
    store: &'a RedisStore,
    found: HashSet<Handle>,
    next: Option<Cursor>,
    steps: usize,
}

impl<'a> Walk<'a> {
    async fn begin(store: &'a RedisStore) -> Self {
        let mut walk = Self {
            store,
            found: HashSet::new(),
            next: None,
            steps: 0,
        };
        walk.step().await;
        walk
    }

    async fn step(&mut self) {
        let step = self.store.walk(self.next.as_ref(), 10).await.unwrap();
        self.found.extend(step.handles);
        self.next = step.next;
        self.steps += 1;
    }

    /// Goes on while it is at a place of which something is true.
    async fn go_while(&mut self, is_so: impl Fn(&str) -> bool) {
        while self.next.as_ref().is_some_and(|next| is_so(next.as_str())) {
            self.step().await;
        }
    }

    async fn finish(mut self) -> HashSet<Handle> {
        assert!(
            self.next.is_some(),
            "it has ended before something has happened"
        );
        self.go_while(|_| true).await;
        self.found
    }
}

#[tokio::test]
async fn a_walk_finds_sessions_and_no_other_keys() {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let prefix = space.prefix();
    let deeper = space.builder().with_prefix(&format!("{prefix}a:")).unwrap();
    let other = deeper.connect().await.unwrap();
    let theirs = filled(&other).await;
    let ours = filled(&store).await;
    for handle in &theirs {
        let principal = handle.to_string();
        let entry = Entry::new(*handle, version(1));
        store
            .enter(&principal.as_str().into(), entry, None, usize::MAX)
            .await
            .unwrap();
        store
            .enter(&principal[1..].into(), entry, None, usize::MAX)
            .await
            .unwrap();
    }
    console
        .run::<()>(&format!("SET {prefix}{} x", "x".repeat(22)))
        .await;
    let walk = Walk::begin(&store).await;
    assert_eq!(walk.finish().await, ours);
}

#[tokio::test]
async fn what_is_no_place_of_a_walk_is_refused() {
    let space = Space::new();
    let store = space.open().await;
    for place in ["", "7", "x.7", "7.x"] {
        let error = store.walk(Some(&Cursor::new(place)), 10).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{place}");
    }
}

#[tokio::test]
async fn a_walk_finds_every_session_though_the_server_is_restarted() {
    let mut server = Redis::start_with(&["appendonly yes", "appendfsync always"]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let sessions = filled(&store).await;
    let mut walk = Walk::begin(&store).await;
    while walk.found.len() < SESSIONS / 2 {
        walk.step().await;
    }
    // Its keys are then in another order.
    server.restart();
    while store.load(&Handle::from_bytes(random())).await.is_err() {}
    assert_eq!(walk.finish().await, sessions);
}

/// A Cluster, and the numbers of its primaries in the order in which they are walked through.
fn cluster() -> (Cluster, Vec<usize>) {
    let site = Cluster::start(Watch::Calm, &[]);
    let mut order = vec![0, 1, 2];
    order.sort_by_key(|number| address(&site, *number));
    (site, order)
}

fn address(site: &Cluster, number: usize) -> String {
    site.nodes()[number].address().to_string()
}

/// Walks until the first node has been looked through and the last has not.
async fn past_the_first<'a>(store: &'a RedisStore, site: &Cluster, order: &[usize]) -> Walk<'a> {
    let mut walk = Walk::begin(store).await;
    let first = address(site, order[0]);
    walk.go_while(|place| place.ends_with(&first)).await;
    assert!(walk.steps > 5, "{}", walk.steps);
    walk
}

#[tokio::test]
async fn a_walk_finds_what_moves_to_a_node_that_has_been_looked_through() {
    let (site, order) = cluster();
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let sessions = filled(&store).await;
    let walk = past_the_first(&store, &site, &order).await;
    let (from, to) = (order[2], order[0]);
    for slot in site.slots_with_keys(from).into_iter().take(20) {
        site.begin_to_move(slot, from, to);
        site.move_keys(slot, from, to);
        site.end_moving(slot, to);
    }
    assert_eq!(walk.finish().await, sessions);
}

#[tokio::test]
async fn a_walk_finds_what_is_on_its_way_to_a_node_that_has_been_looked_through() {
    let (site, order) = cluster();
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let sessions = filled(&store).await;
    let walk = past_the_first(&store, &site, &order).await;
    let (from, to) = (order[2], order[0]);
    for slot in site.slots_with_keys(from).into_iter().take(20) {
        site.begin_to_move(slot, from, to);
        site.move_keys(slot, from, to);
    }
    assert_eq!(walk.finish().await, sessions);
}

#[tokio::test]
async fn a_walk_finds_every_session_though_a_replica_takes_over() {
    let (site, order) = cluster();
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let sessions = filled(&store).await;
    let mut walk = past_the_first(&store, &site, &order).await;
    walk.step().await;
    site.until_replicated();
    let replica = order[1] + 3;
    site.nodes()[replica].ask("CLUSTER FAILOVER");
    site.until_primary(replica);
    assert_eq!(walk.finish().await, sessions);
}

#[tokio::test]
async fn many_records_are_read_wherever_their_slots_have_moved_to() {
    let (site, _) = cluster();
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let mut handles: Vec<_> = filled(&store).await.into_iter().collect();
    handles.push(Handle::from_bytes(random()));
    for (number, slot) in site.slots_with_keys(0).into_iter().take(20).enumerate() {
        site.begin_to_move(slot, 0, 1);
        site.move_keys(slot, 0, 1);
        if number % 2 == 0 {
            site.end_moving(slot, 1);
        }
    }
    let loaded = store.load_all(&handles).await.unwrap();
    let (absent, there) = loaded.split_last().unwrap();
    assert_eq!(*absent, None);
    let records = there.iter().flatten().map(|loaded| &loaded.record);
    assert!(records.eq(vec![&record(1); SESSIONS]));
}

#[tokio::test]
async fn an_index_is_kept_while_its_slot_moves() {
    let (site, _) = cluster();
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let entries = [1, 2, 3].map(|number| Entry::new(Handle::from_bytes([7; 16]), version(number)));
    let stamp = tenure::CredentialStamp::of("new");
    let names: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
    for name in &names {
        let principal = name.as_str().into();
        store
            .enter(&principal, entries[0], None, usize::MAX)
            .await
            .unwrap();
    }
    let slots = site.slots_with_keys(0);
    assert!(!slots.is_empty());
    for has_moved in [false, true] {
        for slot in &slots {
            match has_moved {
                false => site.begin_to_move(*slot, 0, 1),
                true => site.move_keys(*slot, 0, 1),
            }
        }
        for name in &names {
            let principal = name.as_str().into();
            store
                .enter(&principal, entries[1], Some(&stamp), usize::MAX)
                .await
                .unwrap();
            let found = store.restamp(&principal, &stamp).await.unwrap();
            assert_eq!(found, entries[..2]);
            store.leave(&principal, &entries[1..]).await.unwrap();
            assert_eq!(store.entries(&principal).await.unwrap(), entries[..1]);
        }
    }
}

const SESSIONS: usize = 300;
