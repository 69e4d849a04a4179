//! The index of principals: what the server sees of it, and what logins that wait for each other find.

use std::error::Error;

use tenure::{
    CredentialStamp, Handle, Session, SessionLayer,
    store::{
        Entered, Entry, PostgresStore, PrincipalIndex, SessionStore, SetupError, SetupErrorKind,
        StoreErrorKind, Sweep,
    },
};

use super::{
    HANDLE, HOUR,
    bed::{postgres::Database, visitor},
    contention::until_one_waits,
    engine::{forget, statements},
    open, record,
    setup::said,
    version,
};

#[tokio::test]
async fn a_login_is_two_statements_more_and_lists_are_one() {
    let database = Database::new().await;
    let client = database.client().await;
    let extension = "CREATE EXTENSION pg_stat_statements";
    client.batch_execute(extension).await.unwrap();
    let builder = PostgresStore::builder(database.url()).unwrap();
    let store = builder.with_connections(1).connect().await.unwrap();
    store.migrate().await.unwrap();
    let (ada, entry) = ("ada".into(), Entry::new(HANDLE, version(1)));
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    forget(&client).await;
    store.enter(&ada, entry, None, usize::MAX).await.unwrap();
    assert_eq!(statements(&client).await, 2, "enter");
    let stamp = CredentialStamp::of("new");
    store.restamp(&ada, &stamp).await.unwrap();
    assert_eq!(statements(&client).await, 2, "restamp");
    let other = CredentialStamp::of("old");
    let refused = store
        .enter(&ada, entry, Some(&other), usize::MAX)
        .await
        .unwrap();
    assert_eq!((refused, statements(&client).await), (Entered::Refused, 1));
    store.entries(&ada).await.unwrap();
    assert_eq!(statements(&client).await, 1, "entries");
    store.load_all(&[HANDLE; 1_000]).await.unwrap();
    assert_eq!(statements(&client).await, 1, "load_all");
    store.walk(None, 1_000).await.unwrap();
    assert_eq!(statements(&client).await, 1, "walk");
    assert_eq!(store.count().await.unwrap(), Some(1));
    assert_eq!(statements(&client).await, 1, "count");
    store.leave(&ada, &[entry; 1_000]).await.unwrap();
    assert_eq!(statements(&client).await, 1, "leave");
    store.delete(&HANDLE).await.unwrap();
    assert_eq!(statements(&client).await, 1, "delete");
    store.sweep(100).await.unwrap();
    assert_eq!(statements(&client).await, 2, "sweep");
    let layer = SessionLayer::new(store);
    let cookie = visitor::arrive(&layer).await;
    forget(&client).await;
    let login = async |session: Session| session.login("grace");
    let (_, cookie) = visitor::visit(&layer, Some(&cookie), login).await;
    assert_eq!(statements(&client).await, 4, "load, enter, update");
    visitor::log_out(&layer, &cookie.unwrap()).await;
    assert_eq!(statements(&client).await, 2, "load, delete");
}

/// Lets a login wait for somebody who has the principal's row, and returns how it was entered when he has committed.
async fn entered_behind(theirs: &str, stamp: Option<CredentialStamp>) -> Entered {
    let database = Database::new().await;
    let store = open(&database).await;
    let other = database.client().await;
    let begun = format!("BEGIN; {theirs}");
    other.batch_execute(&begun).await.unwrap();
    let mut entering = tokio::spawn(async move {
        let entry = Entry::new(HANDLE, version(1));
        store
            .enter(&"ada".into(), entry, stamp.as_ref(), usize::MAX)
            .await
    });
    tokio::select! {
        () = until_one_waits(&other) => {}
        entered = &mut entering => panic!("it does not wait: {entered:?}"),
    }
    other.batch_execute("COMMIT").await.unwrap();
    entering.await.unwrap().unwrap()
}

const LOCK: &str = "INSERT INTO tenure_sessions_principals (principal, stamp, sweep_after) \
                    VALUES ('ada', decode(repeat('09', 32), 'hex'), 9000000000000)";

#[tokio::test]
async fn a_login_that_waited_for_another_finds_it() {
    let login = "INSERT INTO tenure_sessions_logins (principal, handle, login) \
                 VALUES ('ada', decode(repeat('08', 16), 'hex'), 8)";
    let entered = entered_behind(&format!("{LOCK}; {login}"), None).await;
    let theirs = Entry::new(Handle::from_bytes([8; 16]), version(8));
    assert_eq!(entered, Entered::After(vec![theirs]));
}

#[tokio::test]
async fn a_login_that_waited_for_another_stamp_is_refused() {
    let entered = entered_behind(LOCK, Some(CredentialStamp::of("old"))).await;
    assert_eq!(entered, Entered::Refused);
}

#[tokio::test]
async fn a_sweep_does_not_wait_for_a_principal_who_is_logging_in() {
    let database = Database::new().await;
    let store = open(&database).await;
    for who in ["ada", "grace", "joan"] {
        let stamp = CredentialStamp::of("new");
        store.restamp(&who.into(), &stamp).await.unwrap();
    }
    let other = database.client().await;
    let forget = "UPDATE tenure_sessions_principals SET sweep_after = 1";
    other.batch_execute(forget).await.unwrap();
    let lock = "BEGIN; SELECT FROM tenure_sessions_principals WHERE principal = 'grace' FOR UPDATE";
    other.batch_execute(lock).await.unwrap();
    assert_eq!(store.sweep(100).await.unwrap(), 2, "all but the locked one");
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(store.sweep(100).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_missing_of_the_index_is_named_and_made() {
    let database = Database::new().await;
    let store = open(&database).await;
    let client = database.client().await;
    for table in ["tenure_sessions_logins", "tenure_sessions_principals"] {
        let drop = format!("DROP TABLE {table}");
        client.batch_execute(&drop).await.unwrap();
        let words = format!("there is no table \"{table}\"; call `migrate`");
        let error = store.check().await.unwrap_err();
        said(&error, SetupErrorKind::MissingTable, &words);
        let entry = Entry::new(HANDLE, version(1));
        let error = store
            .enter(&"ada".into(), entry, None, usize::MAX)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
        said(source, SetupErrorKind::MissingTable, &words);
        store.migrate().await.unwrap();
    }
}

#[tokio::test]
async fn an_index_of_another_layout_is_named() {
    let database = Database::new().await;
    let store = open(&database).await;
    let client = database.client().await;
    let change = "ALTER TABLE tenure_sessions_logins DROP COLUMN login";
    client.batch_execute(change).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    let words = "the table \"tenure_sessions_logins\" has another layout: it has no column `login`";
    said(&error, SetupErrorKind::Layout, words);
    let error = store.entries(&"ada".into()).await.unwrap_err();
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::Layout, "does not exist");
}
