//! What the server sees: how many statements, which clock, which rows move; and what it may be set to.

use std::time::Duration;

use http::StatusCode;
use sqlx::{AssertSqlSafe, MySqlConnection};
use tenure::{
    Clock, CredentialStamp, Handle, Session, SessionLayer, Timestamp,
    store::{
        Created, Entered, Entry, MySqlStore, PrincipalIndex, Record, SessionStore, StoreErrorKind,
        Sweep, Updated,
    },
};

use super::{
    HANDLE, HOUR,
    bed::{
        mariadb::{Database, MariaDb, kill, number, run},
        visitor,
    },
    open, record, version,
};

#[tokio::test]
async fn each_verb_is_one_statement() {
    let server = MariaDb::start_with(&["general-log=1", "log-output=TABLE"]);
    let database = server.database().await;
    let mut client = database.client().await;
    let store = open(&database).await;
    let update = async |expected| {
        let updated = store.update(&HANDLE, version(expected), &record(2), HOUR);
        updated.await.unwrap()
    };
    // Each is prepared when it is first needed.
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    store.load(&HANDLE).await.unwrap();
    update(1).await;
    store.touch(&HANDLE, version(2), HOUR).await.unwrap();
    store.delete(&HANDLE).await.unwrap();
    heard(&mut client).await;

    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert_eq!(heard(&mut client).await, ["Execute"], "create");
    let created = store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert_eq!(
        (created, heard(&mut client).await.len()),
        (Created::Taken, 1)
    );
    store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(heard(&mut client).await, ["Execute"], "load");
    assert_eq!(update(1).await, Updated::Done);
    assert_eq!(heard(&mut client).await, ["Execute"], "update");
    assert!(matches!(update(1).await, Updated::Conflict(Some(_))));
    assert_eq!(heard(&mut client).await, ["Execute"; 2], "a conflict");
    assert!(store.touch(&HANDLE, version(2), HOUR).await.unwrap());
    assert_eq!(heard(&mut client).await, ["Execute"], "touch");
    assert!(store.delete(&HANDLE).await.unwrap());
    assert_eq!(heard(&mut client).await, ["Execute"], "delete");
    assert_eq!(update(2).await, Updated::Gone);
    assert_eq!(heard(&mut client).await, ["Execute"; 2], "gone");
}

/// Returns what the server has heard from the store since this was last asked.
pub(super) async fn heard(client: &mut MySqlConnection) -> Vec<String> {
    let text = "SELECT CAST(command_type AS CHAR) FROM mysql.general_log WHERE user_host LIKE 'tenure%' \
                ORDER BY event_time";
    let heard = sqlx::query_scalar(text)
        .fetch_all(&mut *client)
        .await
        .unwrap();
    run(client, "TRUNCATE mysql.general_log").await;
    heard
}

/// The server behind a name may be another one now, and the old one may be there still.
#[tokio::test]
async fn a_connection_that_somebody_had_when_another_was_lost_is_not_used_again() {
    let database = Database::new().await;
    let store = open(&database).await;
    let other = Handle::from_bytes([8; 16]);
    for handle in [&HANDLE, &other] {
        store.create(handle, &record(1), HOUR).await.unwrap();
    }
    let mut client = database.client().await;
    let change = "START TRANSACTION; UPDATE tenure_sessions SET payload = '' WHERE handle = REPEAT(CHAR(7), 16)";
    run(&mut client, change).await;
    let busy = tokio::spawn({
        let store = store.clone();
        async move { store.touch(&HANDLE, version(1), HOUR).await }
    });
    database.until_one_waits("UPDATE").await;
    let busy_one = number(
        &mut client,
        &format!("{CONNECTION} AND info LIKE 'UPDATE%'"),
    )
    .await;
    store.load(&other).await.unwrap().unwrap();
    let idle = number(&mut client, &format!("{CONNECTION} AND command = 'Sleep'")).await;
    kill(&mut client, idle).await;
    store.load(&other).await.unwrap().unwrap();
    run(&mut client, "COMMIT").await;
    assert!(busy.await.unwrap().unwrap());
    let is_open =
        format!("SELECT count(*) FROM information_schema.processlist WHERE id = {busy_one}");
    for _ in 0..1_000 {
        if number(&mut client, &is_open).await == 0 {
            return;
        }
    }
    panic!("it is kept");
}

const CONNECTION: &str = "SELECT CAST(max(id) AS SIGNED) FROM information_schema.processlist \
                          WHERE db = DATABASE() AND user = 'tenure'";

#[tokio::test]
async fn touches_within_one_millisecond_are_all_made() {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    for _ in 0..200 {
        assert!(store.touch(&HANDLE, version(1), HOUR).await.unwrap());
    }
}

#[tokio::test]
async fn the_servers_clock_decides_and_not_the_nodes() {
    let server = MariaDb::start_with_a_clock();
    let database = server.database().await;
    let store = open(&database).await;
    let before = loaded_now(&store).await;
    server.set_clock(60 * 24);
    let after = loaded_now(&store).await;
    assert!(after.since(before) >= HOUR * 24, "{before:?} {after:?}");
    let layer = SessionLayer::new(store);
    let cookie = visitor::arrive(&layer).await;
    visitor::count_at_once(std::slice::from_ref(&layer), &cookie, 3).await;
    for (minutes, expected, why) in [
        (29, Some(3), "and touched"),
        (58, Some(3), "because of the touch"),
        (92, None, "by the server's clock it is over"),
    ] {
        server.set_clock(60 * 24 + minutes);
        assert_eq!(visitor::counted(&layer, &cookie).await, expected, "{why}");
    }
}

async fn loaded_now(store: &MySqlStore) -> Timestamp {
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    store.load(&HANDLE).await.unwrap().unwrap().now
}

#[tokio::test]
async fn of_ten_touches_eight_move_no_index() {
    let server = MariaDb::start_with_a_clock();
    let database = server.database().await;
    let (store, mut client) = (open(&database).await, database.client().await);
    let idle = Duration::from_secs(30 * 60);
    store.create(&HANDLE, &record(1), idle).await.unwrap();
    let mut indexed = Vec::new();
    for touches in 1..=100 {
        server.set_clock(touches * 3);
        assert!(store.touch(&HANDLE, version(1), idle).await.unwrap());
        indexed.push(number(&mut client, "SELECT sweep_after FROM tenure_sessions").await);
    }
    indexed.dedup();
    assert!(indexed.len() <= 20, "{} of 100", indexed.len());
}

/// Nothing that an administrator sets for all sessions makes a difference.
#[tokio::test]
async fn a_server_with_other_settings_keeps_sessions_as_well() {
    let server = MariaDb::start_with(&[
        "autocommit=0",
        "character-set-server=latin1",
        "collation-server=latin1_german1_ci",
        "default-storage-engine=Aria",
        "default-time-zone=-08:00",
        "init-connect=SET NAMES latin1, autocommit = 0, completion_type = 'CHAIN', sql_safe_updates = 1, max_join_size = 1",
        "innodb-default-row-format=compact",
        "innodb-force-primary-key=1",
        "lower-case-table-names=1",
        "sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_UNSIGNED_SUBTRACTION,PAD_CHAR_TO_FULL_LENGTH,PIPES_AS_CONCAT,SIMULTANEOUS_ASSIGNMENT",
        "sysdate-is-now",
        "transaction-isolation=SERIALIZABLE",
        "updatable-views-with-limit=NO",
    ]);
    let database = server.database().await;
    let store = open(&database).await;
    let handle = Handle::from_bytes(*b" ?\x5c'\"`\0%\xff\x00\x01abc\x80 ");
    let (first, second) = (
        Record::new(version(1), *handle.as_bytes(), *handle.as_bytes()),
        Record::new(version(u64::MAX), [7], [0; 20]),
    );
    let Created::Done(created) = store.create(&handle, &first, HOUR).await.unwrap() else {
        panic!("it was free");
    };
    let here = Clock::system().now();
    let off = here.since(created).max(created.since(here));
    assert!(off < Duration::from_secs(60), "{off:?}");
    let other_node = open(&database).await;
    let found = other_node.load(&handle).await.unwrap().unwrap();
    assert_eq!((found.record, found.created), (first, created));
    let taken = other_node.create(&handle, &second, HOUR).await.unwrap();
    assert_eq!(taken, Created::Taken);
    let updated = store.update(&handle, version(1), &second, HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    let late = other_node.update(&handle, version(1), &second, HOUR).await;
    let Updated::Conflict(Some(fresh)) = late.unwrap() else {
        panic!("it has another version");
    };
    assert_eq!(fresh.record, second);
    let millisecond = Duration::from_millis(1);
    let version = second.version();
    assert!(store.touch(&handle, version, millisecond).await.unwrap());
    while store.load(&handle).await.unwrap().is_some() {}
    let again = other_node.create(&handle, &second, millisecond).await;
    assert!(matches!(again.unwrap(), Created::Done(_)), "it has expired");
    while store.sweep(10).await.unwrap() == 0 {}
    let text = "SELECT count(*) FROM tenure_sessions";
    assert_eq!(number(&mut database.client().await, text).await, 0);
    keeps_an_index(&[store, other_node], handle).await;
}

async fn keeps_an_index([here, there]: &[MySqlStore; 2], handle: Handle) {
    let who = "\0 %'\"\\`".into();
    let entries = [1, u64::MAX].map(|number| Entry::new(handle, version(number)));
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    here.create(&handle, &record(1), HOUR).await.unwrap();
    there.restamp(&who, &new).await.unwrap();
    let refused = here
        .enter(&who, entries[0], Some(&old), usize::MAX)
        .await
        .unwrap();
    assert_eq!(refused, Entered::Refused);
    for (place, entry) in entries.iter().enumerate() {
        let entered = there
            .enter(&who, *entry, Some(&new), usize::MAX)
            .await
            .unwrap();
        assert_eq!(entered, Entered::After(entries[..place].to_vec()));
    }
    let found = here.load_all(&[handle]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().record, record(1));
    assert_eq!(here.walk(None, 10).await.unwrap().handles, [handle]);
    here.leave(&who, &entries[1..]).await.unwrap();
    assert_eq!(there.entries(&who).await.unwrap(), entries[..1]);
    assert!(here.delete(&handle).await.unwrap());
    assert_eq!(there.entries(&who).await.unwrap(), []);
}

#[tokio::test]
async fn a_read_does_not_notice_that_the_server_has_closed_the_connection() {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    close_all(&database).await;
    let found = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(found.record, record(1));
}

#[tokio::test]
async fn a_request_does_not_notice_that_the_server_has_closed_the_connections() {
    let database = Database::new().await;
    let layer = SessionLayer::new(open(&database).await);
    let cookie = visitor::arrive(&layer).await;
    visitor::count_at_once(std::slice::from_ref(&layer), &cookie, 20).await;
    close_all(&database).await;
    assert_eq!(visitor::count(&layer, &cookie).await, StatusCode::OK);
    assert_eq!(visitor::counted(&layer, &cookie).await, Some(21));
}

/// A server closes what is idle for `wait_timeout`, and a firewall forgets it sooner.
#[tokio::test]
async fn the_first_change_after_an_idle_night_is_made() {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    close_all(&database).await;
    let error = store.delete(&HANDLE).await.unwrap_err();
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unknown,
        "at once it is trusted"
    );
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    close_all(&database).await;
    tokio::time::pause();
    tokio::time::advance(HOUR * 9).await;
    tokio::time::resume();
    assert!(store.delete(&HANDLE).await.unwrap(), "it was asked before");
}

/// Closes the connections of the store, from the server's side.
async fn close_all(database: &Database) {
    let mut client = database.client().await;
    let text = format!(
        "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = '{}' AND user = 'tenure'",
        database.name()
    );
    let open = sqlx::query_scalar(AssertSqlSafe(text.clone()));
    let open: Vec<i64> = open.fetch_all(&mut client).await.unwrap();
    assert!(!open.is_empty());
    for id in open {
        kill(&mut client, id).await;
    }
    let count = format!("SELECT count(*) FROM ({text}) AS left_open");
    while number(&mut client, &count).await > 0 {}
}

#[tokio::test]
async fn a_table_that_is_changed_under_its_statements_is_read_as_it_is() {
    let database = Database::new().await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    store.load(&HANDLE).await.unwrap().unwrap();
    let change =
        "ALTER TABLE tenure_sessions ADD COLUMN note text FIRST, MODIFY payload longblob NOT NULL";
    run(&mut database.client().await, change).await;
    let found = store.load(&HANDLE).await.unwrap().unwrap();
    assert_eq!(found.record, record(1));
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
}

#[tokio::test]
async fn a_record_that_is_larger_than_a_packet_may_be_is_refused_and_others_are_not() {
    let server = MariaDb::start_with(&["max-allowed-packet=16K"]);
    let database = server.database().await;
    let store = open(&database).await;
    let large = Record::new(version(1), [1], [7; 32 * 1024]);
    let error = store.create(&HANDLE, &large, HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert_eq!(store.load(&HANDLE).await.unwrap(), None);
    let created = store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert!(matches!(created, Created::Done(_)), "{created:?}");
}

#[tokio::test]
async fn the_principal_is_in_a_column_of_its_own() {
    let database = Database::new().await;
    let mut client = database.client().await;
    let layer = SessionLayer::new(open(&database).await);
    for principal in ["ada", "a\0da", "Ada ", "ада"] {
        let login = async move |session: Session| session.login(principal);
        let (status, cookie) = visitor::visit(&layer, None, login).await;
        assert_eq!(status, StatusCode::OK, "{principal:?}");
        let kept = sqlx::query_scalar("SELECT principal FROM tenure_sessions");
        let kept: Option<Vec<u8>> = kept.fetch_one(&mut client).await.unwrap();
        assert_eq!(kept.as_deref(), Some(principal.as_bytes()));
        let signed_in = visitor::principal(&layer, cookie.as_deref().unwrap()).await;
        assert_eq!(signed_in.as_deref(), Some(principal));
        visitor::log_out(&layer, cookie.as_deref().unwrap()).await;
    }
}
