//! The tables, and what is said when they are not as they should be.

use std::{error::Error, sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, SqlitePool};
use tenure::{
    Handle,
    store::{
        PrincipalIndex, Record, SessionStore, SetupError, SetupErrorKind, SqliteStore,
        StoreErrorKind, Version,
    },
};

use tokio::sync::Barrier;

use super::File;

/// Opens a file without making its tables, and runs statements in it.
async fn prepared(file: &File, text: &str) -> SqliteStore {
    let store = SqliteStore::connect(&file.url()).await.unwrap();
    run(store.pool(), text).await;
    store
}

async fn run(pool: &SqlitePool, text: &str) {
    let text = AssertSqlSafe(text.to_owned());
    sqlx::raw_sql(text).execute(pool).await.unwrap();
}

fn said(error: &SetupError, kind: SetupErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_starts_at_once_make_the_tables_once() {
    for _ in 0..5 {
        let file = File::new();
        start_ten_times(&file).await;
        let store = file.open().await;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM tenure_sessions_schema")
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!(count, 1);
    }
}

async fn start_ten_times(file: &File) {
    let all_are_there = Arc::new(Barrier::new(10));
    let starts: Vec<_> = (0..10)
        .map(|_| {
            let (url, all_are_there) = (file.url(), all_are_there.clone());
            tokio::spawn(async move {
                all_are_there.wait().await;
                let store = SqliteStore::connect(&url).await.unwrap();
                all_are_there.wait().await;
                store.migrate().await.unwrap();
            })
        })
        .collect();
    for start in starts {
        start.await.unwrap();
    }
}

#[tokio::test]
async fn the_printed_statements_make_what_is_checked() {
    let file = File::new();
    let store = prepared(&file, "")
        .await
        .with_table("main.sessions")
        .unwrap();
    let error = store.check().await.unwrap_err();
    said(
        &error,
        SetupErrorKind::MissingTable,
        "call `migrate`, or run the text that `ddl` returns",
    );
    run(store.pool(), &store.ddl()).await;
    run(store.pool(), &store.ddl()).await;
    store.check().await.unwrap();
    store.migrate().await.unwrap();
}

#[tokio::test]
async fn a_missing_table_is_named_on_first_use() {
    let file = File::new();
    let store = prepared(&file, "").await;
    let error = store.load(&HANDLE).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::MissingTable, "\"tenure_sessions\"");
}

#[tokio::test]
async fn what_is_missing_of_the_index_is_named_and_made() {
    let file = File::new();
    let store = file.open().await;
    for missing in [
        "table \"tenure_sessions_logins\"",
        "table \"tenure_sessions_principals\"",
        "trigger \"tenure_sessions_gone\"",
        "trigger \"tenure_sessions_came\"",
    ] {
        run(store.pool(), &format!("DROP {missing}")).await;
        let error = store.check().await.unwrap_err();
        let words = format!("there is no {missing}; call `migrate`");
        said(&error, SetupErrorKind::MissingTable, &words);
        store.migrate().await.unwrap();
    }
    run(store.pool(), "DROP TABLE tenure_sessions_logins").await;
    let error = store.entries(&"ada".into()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(
        source,
        SetupErrorKind::MissingTable,
        "\"tenure_sessions_logins\"",
    );
}

#[tokio::test]
async fn a_table_of_another_layout_is_named_and_left_alone() {
    let file = File::new();
    let store = prepared(
        &file,
        "CREATE TABLE tenure_sessions (id TEXT, version INTEGER)",
    )
    .await;
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::Layout, "it has no column `handle`");
    run(
        store.pool(),
        "INSERT INTO tenure_sessions (id) VALUES ('theirs')",
    )
    .await;
}

#[tokio::test]
async fn a_table_of_a_later_release_is_named() {
    let file = File::new();
    let store = file.open().await;
    run(
        store.pool(),
        "UPDATE tenure_sessions_schema SET version = 2",
    )
    .await;
    let error = store.migrate().await.unwrap_err();
    said(
        &error,
        SetupErrorKind::Layout,
        "has layout 2, and this release knows layout 1",
    );
    run(store.pool(), "DELETE FROM tenure_sessions_schema").await;
    let error = store.check().await.unwrap_err();
    said(&error, SetupErrorKind::Layout, "it does not say which");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_named() {
    let file = File::new();
    file.open().await.pool().close().await;
    let path = file.0.path().join("sessions.db");
    let url = format!("sqlite:{}?mode=ro", path.display());
    let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
    let store = SqliteStore::new(SqlitePool::connect_with(options).await.unwrap());
    let error = store.migrate().await.unwrap_err();
    said(&error, SetupErrorKind::ReadOnly, "no `mode=ro`");
    let record = Record::new(Version::from_u64(1), [1], [2]);
    let error = store.create(&HANDLE, &record, HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::ReadOnly, "no `mode=ro`");
}

#[tokio::test]
async fn what_is_no_url_and_what_does_not_open_are_named() {
    let error = SqliteStore::connect("sqlite:a.db?mode=nonsense")
        .await
        .unwrap_err();
    said(
        &error,
        SetupErrorKind::Url,
        "one looks like `sqlite:sessions.db`",
    );
    let file = File::new();
    let nowhere = format!("sqlite:{}/no/such/folder/a.db", file.0.path().display());
    let error = SqliteStore::connect(&nowhere).await.unwrap_err();
    said(
        &error,
        SetupErrorKind::Unreachable,
        "does the file's folder exist",
    );
    let store = SqliteStore::connect("sqlite::memory:").await.unwrap();
    let error = store.with_table("a b").unwrap_err();
    said(&error, SetupErrorKind::Name, "`a b` is no name for a table");
}

#[tokio::test]
async fn what_is_not_ours_is_an_error_and_left_alone() {
    let file = File::new();
    let store = file.open().await;
    let insert = "INSERT INTO tenure_sessions VALUES (x'07070707070707070707070707070707', 1, NULL, -5, 0, \
                  9000000000000, 9000000000000, x'01', x'02')";
    run(store.pool(), insert).await;
    let corrupt = |error: tenure::store::StoreError| {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
    };
    corrupt(store.load(&HANDLE).await.unwrap_err());
    run(
        store.pool(),
        "UPDATE tenure_sessions SET created = 0, header = 17",
    )
    .await;
    corrupt(store.load(&HANDLE).await.unwrap_err());
    run(
        store.pool(),
        "UPDATE tenure_sessions SET header = x'01', payload = 17",
    )
    .await;
    corrupt(store.load(&HANDLE).await.unwrap_err());
    let record = Record::new(Version::from_u64(3), [1], [2]);
    corrupt(
        store
            .update(&HANDLE, Version::from_u64(2), &record, HOUR)
            .await
            .unwrap_err(),
    );
    let kept: (i64, i64) = sqlx::query_as("SELECT version, payload FROM tenure_sessions")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(kept, (1, 17));
}

#[tokio::test]
async fn a_full_database_says_so_and_keeps_what_it_has() {
    let file = File::new();
    let store = file.open().await;
    let record = Record::new(Version::from_u64(1), [1], vec![7; 20_000]);
    store.create(&HANDLE, &record, HOUR).await.unwrap();
    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let full = SqliteStore::new(options.connect(&file.url()).await.unwrap());
    run(full.pool(), "PRAGMA max_page_count = 1").await;
    let other = Handle::from_bytes([8; 16]);
    let error = full.create(&other, &record, HOUR).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert_eq!(store.load(&HANDLE).await.unwrap().unwrap().record, record);
    assert_eq!(store.load(&other).await.unwrap(), None);
}

const HANDLE: Handle = Handle::from_bytes([7; 16]);
const HOUR: Duration = Duration::from_secs(3_600);
