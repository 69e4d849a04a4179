//! The tables, and what is said when they are not as they should be.

use std::{error::Error, sync::Arc};

use tenure::store::{MySqlStore, SessionStore, SetupError, SetupErrorKind, StoreErrorKind};
use tokio::sync::Barrier;

use super::{
    HANDLE, HOUR,
    bed::mariadb::{Database, MariaDb, number, run},
    open, record,
};

pub(super) fn said(error: &SetupError, kind: SetupErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

/// Connects to a database without making the tables.
async fn connected(database: &Database) -> MySqlStore {
    MySqlStore::connect(database.url()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_starts_at_once_make_the_tables_once() {
    let database = Database::new().await;
    let all_are_there = Arc::new(Barrier::new(10));
    let starts: Vec<_> = (0..10)
        .map(|_| {
            let (url, all_are_there) = (database.url().to_owned(), all_are_there.clone());
            tokio::spawn(async move {
                let store = MySqlStore::connect(&url).await.unwrap();
                all_are_there.wait().await;
                store.migrate().await.unwrap();
            })
        })
        .collect();
    for start in starts {
        start.await.unwrap();
    }
    let text = "SELECT count(*) FROM tenure_sessions_schema";
    assert_eq!(number(&mut database.client().await, text).await, 1);
}

#[tokio::test]
async fn those_who_make_the_tables_take_turns() {
    let server = MariaDb::start();
    let database = server.database().await;
    let (mut other, mut client) = (database.client().await, database.client().await);
    run(&mut other, "DO GET_LOCK('tenure/migrate', 10)").await;
    let store = connected(&database).await;
    let migrating = tokio::spawn(async move { store.migrate().await });
    let waiting = "SELECT count(*) FROM information_schema.processlist WHERE state = 'User lock'";
    while number(&mut client, waiting).await == 0 {
        assert!(!migrating.is_finished(), "it does not wait");
    }
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    assert_eq!(number(&mut client, tables).await, 0);
    run(&mut other, "DO RELEASE_LOCK('tenure/migrate')").await;
    migrating.await.unwrap().unwrap();
    assert_eq!(number(&mut client, tables).await, 4);
}

#[tokio::test]
async fn the_printed_statements_make_what_is_checked() {
    let database = Database::new().await;
    let mut client = database.client().await;
    let name = format!("{}.Sessions", database.name());
    let builder = MySqlStore::builder(database.url()).unwrap();
    let store = builder.with_table(&name).unwrap().connect().await.unwrap();
    let error = store.check().await.unwrap_err();
    said(
        &error,
        SetupErrorKind::MissingTable,
        "call `migrate`, or run the text that `ddl` returns",
    );
    run(&mut client, &store.ddl()).await;
    run(&mut client, &store.ddl()).await;
    store.check().await.unwrap();
    store.migrate().await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let text = "SELECT count(DISTINCT index_name) FROM information_schema.statistics \
                WHERE table_schema = DATABASE() AND table_name = 'Sessions'";
    assert_eq!(number(&mut client, text).await, 2);
}

#[tokio::test]
async fn a_user_who_may_make_no_tables_finds_those_that_are_there() {
    let database = Database::new().await;
    open(&database).await;
    let url = user(&database, "DELETE, INSERT, SELECT, UPDATE", "").await;
    let store = MySqlStore::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
}

#[tokio::test]
async fn a_user_who_may_not_write_is_told_what_to_grant() {
    let database = Database::new().await;
    open(&database).await;
    let url = user(&database, "SELECT", "").await;
    let store = MySqlStore::connect(&url).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::Unreachable, "grant the user");
    let error = store.create(&HANDLE, &record(1), HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn a_right_that_is_missing_is_noticed_at_the_start() {
    let database = Database::new().await;
    for rights in [
        "INSERT, SELECT, UPDATE",
        "DELETE, SELECT, UPDATE",
        "DELETE, INSERT, SELECT",
    ] {
        open(&database).await;
        let url = user(&database, rights, "").await;
        let store = MySqlStore::connect(&url).await.unwrap();
        let error = store.check().await.unwrap_err();
        said(&error, SetupErrorKind::Unreachable, "grant the user SELECT");
    }
    let empty = Database::new().await;
    let url = user(&empty, "DELETE, INSERT, SELECT, UPDATE", "").await;
    let store = MySqlStore::connect(&url).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::Unreachable, "grant the user CREATE");
}

/// Makes a user with some rights to the tables, and returns the address with his name.
async fn user(database: &Database, rights: &str, password: &str) -> String {
    let name = format!("clerk_{:08x}", getrandom::u32().unwrap());
    let at = format!("{name}@'127.0.0.1'");
    let grants = format!(
        "CREATE USER {at} IDENTIFIED BY '{password}'; GRANT {rights} ON {}.* TO {at}",
        database.name()
    );
    run(&mut database.client().await, &grants).await;
    database.url().replace("tenure@", &format!("{name}@"))
}

#[tokio::test]
async fn a_missing_table_is_named_on_first_use() {
    let database = Database::new().await;
    let store = connected(&database).await;
    let error = store.load(&HANDLE).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::MissingTable, "`tenure_sessions`");
    store.migrate().await.unwrap();
    let found = store.load(&HANDLE).await.unwrap();
    assert_eq!(found, None, "it is found once it is there");
}

#[tokio::test]
async fn a_table_of_another_layout_is_named_and_left_alone() {
    let database = Database::new().await;
    let mut client = database.client().await;
    run(
        &mut client,
        "CREATE TABLE tenure_sessions (id int, version bigint)",
    )
    .await;
    let store = connected(&database).await;
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::Layout, "it has no column `handle`");
    let error = store.load(&HANDLE).await.unwrap_err();
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::Layout, "Unknown column");
    run(&mut client, "INSERT INTO tenure_sessions VALUES (1, 2)").await;
}

#[tokio::test]
async fn a_column_of_another_type_and_a_table_of_another_engine_are_named() {
    let database = Database::new().await;
    let store = open(&database).await;
    let mut client = database.client().await;
    for (change, words) in [
        ("MODIFY handle char(16)", "its column `handle` is char(16)"),
        (
            "MODIFY handle varbinary(16)",
            "is varbinary(16) and not binary(16)",
        ),
        (
            "MODIFY handle binary(16), MODIFY principal text",
            "is text and not varbinary(255)",
        ),
        (
            "MODIFY principal varbinary(255), MODIFY version bigint unsigned",
            "is bigint unsigned and not bigint",
        ),
        (
            "MODIFY version bigint, ENGINE = MyISAM",
            "its engine is MyISAM and not InnoDB",
        ),
    ] {
        run(
            &mut client,
            &format!("ALTER TABLE tenure_sessions {change}"),
        )
        .await;
        let error = store.check().await.unwrap_err();
        said(&error, SetupErrorKind::Layout, words);
    }
    run(&mut client, "ALTER TABLE tenure_sessions ENGINE = InnoDB").await;
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_table_of_a_later_release_is_named() {
    let database = Database::new().await;
    let store = open(&database).await;
    let mut client = database.client().await;
    run(&mut client, "UPDATE tenure_sessions_schema SET version = 2").await;
    let error = store.migrate().await.unwrap_err();
    said(
        &error,
        SetupErrorKind::Layout,
        "has layout 2, and this release knows layout 1",
    );
    run(&mut client, "DROP TABLE tenure_sessions_schema").await;
    let error = store.check().await.unwrap_err();
    said(&error, SetupErrorKind::Layout, "it does not say which");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_named() {
    let server = MariaDb::start();
    let database = server.database().await;
    let store = open(&database).await;
    run(&mut database.client().await, "SET GLOBAL read_only = 1").await;
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::ReadOnly, "connect to the primary");
    let error = store.create(&HANDLE, &record(1), HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::ReadOnly, "connect to the primary");
}

#[tokio::test]
async fn a_server_that_logs_statements_for_its_replicas_is_named() {
    let server = MariaDb::start_with(&["log-bin=log", "binlog-format=STATEMENT", "server-id=1"]);
    let database = server.database().await;
    let store = connected(&database).await;
    let error = store.migrate().await.unwrap_err();
    let words = "`binlog_format` to ROW or MIXED";
    said(&error, SetupErrorKind::ReadOnly, words);
    let mut client = database.client().await;
    run(&mut client, "SET GLOBAL binlog_format = MIXED").await;
    let store = open(&database).await;
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    run(&mut client, "SET GLOBAL binlog_format = STATEMENT").await;
    let store = connected(&database).await;
    let error = store.check().await.unwrap_err();
    said(&error, SetupErrorKind::ReadOnly, words);
    let error = store.delete(&HANDLE).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::ReadOnly, words);
}

#[tokio::test]
async fn what_is_no_url_and_who_does_not_answer_are_named() {
    for url in ["postgres://root@localhost/shop", "mysql:/", "shop"] {
        let error = MySqlStore::connect(url).await.unwrap_err();
        said(
            &error,
            SetupErrorKind::Url,
            "`mysql://user:password@host/database`",
        );
    }
    let error = MySqlStore::connect("mysql://app@127.0.0.1:1")
        .await
        .unwrap_err();
    said(&error, SetupErrorKind::Url, "one looks like");
    assert_eq!(
        error.source().unwrap().to_string(),
        "there is no database in it"
    );
    let nobody = "mariadb://nobody@127.0.0.1:1/none";
    let error = MySqlStore::connect(nobody).await.unwrap_err();
    said(&error, SetupErrorKind::Unreachable, "is it running");
    let builder = MySqlStore::builder(nobody).unwrap();
    let error = builder.with_table("a;b").unwrap_err();
    said(&error, SetupErrorKind::Name, "`a;b` is no name for a table");
}

#[tokio::test]
async fn a_wrong_user_password_or_database_and_a_missing_encryption_are_named() {
    let database = Database::new().await;
    let known = user(&database, "SELECT", "secret").await;
    let with_password = known.replace('@', ":secret@");
    MySqlStore::connect(&with_password).await.unwrap();
    let elsewhere = with_password.replace(database.name(), "nowhere");
    for (url, words) in [
        (known.as_str(), "the password is another"),
        (&known.replace('@', ":wrong@"), "the password is another"),
        (
            &database.url().replace("tenure", "nobody"),
            "it knows no such user",
        ),
        (
            &database.url().replace(database.name(), "nowhere"),
            "there is no such database",
        ),
        (&elsewhere, "or the user has no rights in it"),
        (
            &format!("{}?ssl-mode=REQUIRED", database.url()),
            "is TLS set up on both sides",
        ),
    ] {
        let error = MySqlStore::connect(url).await.unwrap_err();
        said(&error, SetupErrorKind::Unreachable, words);
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
