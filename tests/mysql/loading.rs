//! Loads that wait for a connection, and what those are told that share a statement.

use futures::future::join_all;
use sqlx::MySqlConnection;
use tenure::{
    Handle,
    store::{Loaded, MySqlStore, SessionStore, StoreError, StoreErrorKind},
};
use tokio::task::{JoinHandle, yield_now};

use super::{
    HOUR,
    bed::mariadb::{Database, MariaDb, kill, number, run},
    engine::heard,
    record, version,
};

type Load = JoinHandle<Result<Option<Loaded>, StoreError>>;

/// Opens a store with one connection, and begins sessions of these numbers.
async fn store(database: &Database, sessions: u8) -> MySqlStore {
    let builder = MySqlStore::builder(database.url()).unwrap();
    let store = builder.with_connections(1).connect().await.unwrap();
    store.migrate().await.unwrap();
    for number in 0..sessions {
        let record = record(number.into());
        store.create(&handle(number), &record, HOUR).await.unwrap();
    }
    store
}

const fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; 16])
}

/// Asks the store for sessions, and lets each come as far as it does at once.
async fn ask(store: &MySqlStore, numbers: &[u8]) -> Vec<Load> {
    let ask = |number: &u8| {
        let (store, handle) = (store.clone(), handle(*number));
        tokio::spawn(async move { store.load(&handle).await })
    };
    let loads = numbers.iter().map(ask).collect();
    yield_now().await;
    loads
}

/// Asks the store for sessions, of which the first has the connection and the others wait.
async fn asked(database: &Database, store: &MySqlStore, numbers: &[u8]) -> Vec<Load> {
    let mut client = database.client().await;
    run(&mut client, LOCK).await;
    let mut loads = ask(store, &numbers[..1]).await;
    database.until_one_waits(LOADS).await;
    loads.extend(ask(store, &numbers[1..]).await);
    run(&mut client, "UNLOCK TABLES").await;
    loads
}

/// Lets the first of three loads carry out what waits, and the server not answer it until the tables are unlocked.
async fn carried_out_by_the_first(
    database: &Database,
    store: &MySqlStore,
) -> (Vec<Load>, MySqlConnection) {
    let [mut owner, mut next] = [database.client().await, database.client().await];
    let change = "START TRANSACTION; UPDATE tenure_sessions SET payload = '' WHERE version = 0";
    run(&mut owner, change).await;
    let before = {
        let store = store.clone();
        tokio::spawn(async move { store.touch(&handle(0), version(0), HOUR).await })
    };
    database.until_one_waits("UPDATE").await;
    let loads = ask(store, &[1, 2, 3]).await;
    // It comes after the touch, and before any load.
    let locked = tokio::spawn(async move {
        run(&mut next, LOCK).await;
        next
    });
    database.until_one_waits("LOCK").await;
    run(&mut owner, "COMMIT").await;
    assert!(before.await.unwrap().unwrap());
    let next = locked.await.unwrap();
    database.until_one_waits(LOADS).await;
    (loads, next)
}

const LOCK: &str = "LOCK TABLES tenure_sessions WRITE";
const LOADS: &str = "SELECT CONCAT_WS";

async fn all(loads: Vec<Load>) -> Vec<Result<Option<Loaded>, StoreError>> {
    let loaded = join_all(loads).await;
    loaded.into_iter().map(Result::unwrap).collect()
}

fn of(loaded: Result<Option<Loaded>, StoreError>) -> Option<u64> {
    let loaded = loaded.expect("an answer")?;
    Some(loaded.record.version().as_u64())
}

#[tokio::test]
async fn loads_that_wait_share_a_statement_and_each_is_told_of_its_own_session() {
    let server = MariaDb::start_with(&["general-log=1", "log-output=TABLE"]);
    let database = server.database().await;
    let store = store(&database, 18).await;
    let mut client = database.client().await;
    heard(&mut client).await;
    let numbers: Vec<u8> = (0..20).chain([3]).collect();
    let loads = asked(&database, &store, &numbers).await;
    for (number, loaded) in numbers.iter().zip(all(loads).await) {
        let expected = (*number < 18).then_some(u64::from(*number));
        assert_eq!(of(loaded), expected);
    }
    let mut heard = heard(&mut client).await;
    heard.retain(|command| command == "Execute");
    assert_eq!(heard.len(), 3, "one, sixteen and four");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_loads_at_once_each_is_told_of_its_own_session() {
    let database = Database::new().await;
    let store = store(&database, 60).await;
    for connections in [1, 3, 16] {
        let builder = MySqlStore::builder(database.url()).unwrap();
        let many = builder.with_connections(connections).connect();
        let many = many.await.unwrap();
        let numbers: Vec<u8> = (0..64).cycle().take(640).collect();
        let loads = ask(&many, &numbers).await;
        for (number, loaded) in numbers.iter().zip(all(loads).await) {
            let expected = (*number < 60).then_some(u64::from(*number));
            assert_eq!(of(loaded), expected, "over {connections}");
        }
    }
    drop(store);
}

#[tokio::test]
async fn a_row_that_is_damaged_fails_the_load_of_its_own_session_alone() {
    let database = Database::new().await;
    let store = store(&database, 3).await;
    let damage = "UPDATE tenure_sessions SET created = -1 WHERE version = 1";
    run(&mut database.client().await, damage).await;
    let loads = asked(&database, &store, &[0, 0, 1, 2, 1]).await;
    let loaded: Vec<_> = all(loads).await;
    let kinds = loaded.into_iter().map(|loaded| match loaded {
        Ok(loaded) => Ok(of(Ok(loaded))),
        Err(error) => Err(error.kind()),
    });
    let corrupt = Err(StoreErrorKind::Corrupt);
    let expected = [Ok(Some(0)), Ok(Some(0)), corrupt, Ok(Some(2)), corrupt];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn loads_are_carried_out_though_who_has_begun_it_is_gone() {
    let database = Database::new().await;
    let store = store(&database, 4).await;
    let (mut loads, mut client) = carried_out_by_the_first(&database, &store).await;
    let first = loads.remove(0);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    run(&mut client, "UNLOCK TABLES").await;
    let loaded = all(loads).await.into_iter().map(of);
    assert_eq!(loaded.collect::<Vec<_>>(), [Some(2), Some(3)]);
}

#[tokio::test]
async fn loads_whose_connection_was_lost_are_carried_out_on_another() {
    let database = Database::new().await;
    let store = store(&database, 4).await;
    let (loads, mut client) = carried_out_by_the_first(&database, &store).await;
    let text = "SELECT CAST(max(id) AS SIGNED) FROM information_schema.processlist \
                WHERE db = DATABASE() AND user = 'tenure' AND info LIKE 'SELECT CONCAT_WS%'";
    let id = number(&mut client, text).await;
    kill(&mut client, id).await;
    run(&mut client, "UNLOCK TABLES").await;
    let loaded = all(loads).await.into_iter().map(of);
    assert_eq!(loaded.collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn loads_that_the_server_refuses_together_are_carried_out_one_by_one() {
    let database = Database::new().await;
    let store = store(&database, 3).await;
    // A view has no index that could be named.
    let view =
        "RENAME TABLE tenure_sessions TO kept; CREATE VIEW tenure_sessions AS SELECT * FROM kept";
    run(&mut database.client().await, view).await;
    let numbers: Vec<u8> = (0..4).cycle().take(40).collect();
    let loads = ask(&store, &numbers).await;
    for (number, loaded) in numbers.iter().zip(all(loads).await) {
        assert_eq!(of(loaded), (*number < 3).then_some(u64::from(*number)));
    }
}

#[tokio::test]
async fn loads_that_cannot_be_carried_out_are_all_refused() {
    let mut server = MariaDb::start();
    let database = server.database().await;
    let store = store(&database, 4).await;
    let (loads, _client) = carried_out_by_the_first(&database, &store).await;
    server.kill();
    for refused in all(loads).await {
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
}
