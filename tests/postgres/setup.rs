//! The tables, and what is said when they are not as they should be.

use std::{error::Error, sync::Arc};

use tenure::store::{
    Entry, PostgresStore, PrincipalIndex, SessionStore, SetupError, SetupErrorKind, StoreErrorKind,
    Sweep,
};
use tokio::sync::Barrier;

use super::{HANDLE, HOUR, bed::postgres::Database, open, record, version};

pub(super) fn said(error: &SetupError, kind: SetupErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(words), "{error}");
}

/// Connects to a database without making the tables.
async fn connected(database: &Database) -> PostgresStore {
    PostgresStore::connect(database.url()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_starts_at_once_make_the_tables_once() {
    let database = Database::new().await;
    let all_are_there = Arc::new(Barrier::new(10));
    let starts: Vec<_> = (0..10)
        .map(|_| {
            let (url, all_are_there) = (database.url().to_owned(), all_are_there.clone());
            tokio::spawn(async move {
                let builder = PostgresStore::builder(&url).unwrap().with_connections(1);
                let store = builder.connect().await.unwrap();
                all_are_there.wait().await;
                store.migrate().await.unwrap();
            })
        })
        .collect();
    for start in starts {
        start.await.unwrap();
    }
    let text = "SELECT count(*) FROM tenure_sessions_schema";
    let count: i64 = database
        .client()
        .await
        .query_one(text, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 1);
}

#[tokio::test]
async fn the_printed_statements_make_what_is_checked() {
    let database = Database::new().await;
    let client = database.client().await;
    client.batch_execute("CREATE SCHEMA app").await.unwrap();
    let builder = PostgresStore::builder(database.url()).unwrap();
    let store = builder
        .with_table("app.Sessions")
        .unwrap()
        .connect()
        .await
        .unwrap();
    let error = store.check().await.unwrap_err();
    said(
        &error,
        SetupErrorKind::MissingTable,
        "call `migrate`, or run the text that `ddl` returns",
    );
    client.batch_execute(&store.ddl()).await.unwrap();
    client.batch_execute(&store.ddl()).await.unwrap();
    store.check().await.unwrap();
    store.migrate().await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let text =
        "SELECT count(*) FROM pg_indexes WHERE schemaname = 'app' AND tablename = 'Sessions'";
    let indexes: i64 = client.query_one(text, &[]).await.unwrap().get(0);
    assert_eq!(indexes, 2);
}

/// Connects as a user with some rights to the tables.
async fn connected_with(database: &Database, rights: &str) -> PostgresStore {
    let role = format!("clerk_{:08x}", getrandom::u32().unwrap());
    let grants = format!(
        "CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM public; \
         GRANT {rights} ON tenure_sessions, tenure_sessions_logins, tenure_sessions_principals TO {role}; \
         GRANT SELECT ON tenure_sessions_schema TO {role}"
    );
    let client = database.client().await;
    client.batch_execute(&grants).await.unwrap();
    let url = database.url().replace("tenure@", &format!("{role}@"));
    PostgresStore::connect(&url).await.unwrap()
}

#[tokio::test]
async fn a_right_that_is_missing_is_noticed_at_the_start() {
    let database = Database::new().await;
    open(&database).await;
    for (rights, missing) in [
        ("SELECT", "it lacks INSERT, UPDATE, DELETE"),
        ("SELECT, INSERT, UPDATE", "it lacks DELETE"),
    ] {
        let store = connected_with(&database, rights).await;
        let error = store.check().await.unwrap_err();
        said(&error, SetupErrorKind::Unreachable, "grant the user SELECT");
        assert!(
            error.source().unwrap().to_string().contains(missing),
            "{error:?}"
        );
    }
    let drop = "DROP TABLE tenure_sessions, tenure_sessions_logins, tenure_sessions_principals";
    let store = connected_with(&database, "SELECT").await;
    database.client().await.batch_execute(drop).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::Unreachable, "grant the user CREATE");
}

#[tokio::test]
async fn a_user_who_may_make_no_tables_finds_those_that_are_there() {
    let database = Database::new().await;
    open(&database).await;
    let store = connected_with(&database, "SELECT, INSERT, UPDATE, DELETE").await;
    store.migrate().await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let entry = Entry::new(HANDLE, version(1));
    store
        .enter(&"ada".into(), entry, None, usize::MAX)
        .await
        .unwrap();
    assert_eq!(store.sweep(100).await.unwrap(), 0);
    assert!(store.delete(&HANDLE).await.unwrap());
}

#[tokio::test]
async fn a_missing_table_is_named_on_first_use() {
    let database = Database::new().await;
    let store = connected(&database).await;
    let error = store.load(&HANDLE).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::MissingTable, "\"tenure_sessions\"");
    store.migrate().await.unwrap();
    assert_eq!(
        store.load(&HANDLE).await.unwrap(),
        None,
        "it is found once it is there"
    );
}

#[tokio::test]
async fn a_table_of_another_layout_is_named_and_left_alone() {
    let database = Database::new().await;
    let client = database.client().await;
    client
        .batch_execute("CREATE TABLE tenure_sessions (id text, version text)")
        .await
        .unwrap();
    let store = connected(&database).await;
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::Layout, "it has no column `handle`");
    let error = store.load(&HANDLE).await.unwrap_err();
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::Layout, "does not exist");
    client
        .batch_execute("INSERT INTO tenure_sessions VALUES ('theirs')")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_table_of_a_later_release_is_named() {
    let database = Database::new().await;
    let store = open(&database).await;
    let client = database.client().await;
    client
        .batch_execute("UPDATE tenure_sessions_schema SET version = 2")
        .await
        .unwrap();
    let error = store.migrate().await.unwrap_err();
    said(
        &error,
        SetupErrorKind::Layout,
        "has layout 2, and this release knows layout 1",
    );
    client
        .batch_execute("DROP TABLE tenure_sessions_schema")
        .await
        .unwrap();
    let error = store.check().await.unwrap_err();
    said(&error, SetupErrorKind::Layout, "it does not say which");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_named() {
    let database = Database::new().await;
    open(&database).await;
    let name = database.url().rsplit('/').next().unwrap();
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only TO on");
    database
        .client()
        .await
        .batch_execute(&read_only)
        .await
        .unwrap();
    let store = connected(&database).await;
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::ReadOnly, "connect to the primary");
    let error = store.create(&HANDLE, &record(1), HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::ReadOnly, "connect to the primary");
}

#[tokio::test]
async fn what_is_no_url_and_who_does_not_answer_are_named() {
    let error = PostgresStore::connect("mysql://root@localhost/shop")
        .await
        .unwrap_err();
    said(
        &error,
        SetupErrorKind::Url,
        "one looks like `postgres://user@host/database`",
    );
    let error = PostgresStore::connect("postgres://nobody@127.0.0.1:1/none")
        .await
        .unwrap_err();
    said(&error, SetupErrorKind::Unreachable, "is it running");
    let builder = PostgresStore::builder("postgres://nobody@127.0.0.1:1/none").unwrap();
    let error = builder.with_table("a;b").unwrap_err();
    said(&error, SetupErrorKind::Name, "`a;b` is no name for a table");
    let database = Database::new().await;
    let encrypted = format!("{}?sslmode=require", database.url());
    let error = PostgresStore::connect(&encrypted).await.unwrap_err();
    said(
        &error,
        SetupErrorKind::Unreachable,
        "is TLS set up on both sides",
    );
}
