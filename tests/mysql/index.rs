//! The index of principals: what the server sees of it, and what logins that wait for each other find.

use std::error::Error;

use futures::FutureExt;
use tenure::{
    CredentialStamp, Handle,
    store::{
        Entered, Entry, PrincipalIndex, SessionStore, SetupError, SetupErrorKind, StoreErrorKind,
        Sweep,
    },
};

use super::{
    HANDLE, HOUR,
    bed::mariadb::{Database, MariaDb, number, run},
    engine::heard,
    open, record,
    setup::said,
    version,
};

#[tokio::test]
async fn a_login_is_a_transaction_and_a_statement_more_and_lists_are_one() {
    let server = MariaDb::start_with(&["general-log=1", "log-output=TABLE"]);
    let database = server.database().await;
    let mut client = database.client().await;
    let store = open(&database).await;
    let (ada, entry) = ("ada".into(), Entry::new(HANDLE, version(1)));
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    for _ in 0..2 {
        // Each is prepared when it is first needed.
        heard(&mut client).await;
        store.create(&HANDLE, &record(1), HOUR).await.unwrap();
        heard(&mut client).await;
        store.restamp(&ada, &new).await.unwrap();
        let restamp = heard(&mut client).await;
        store.enter(&ada, entry, None, usize::MAX).await.unwrap();
        let enter = heard(&mut client).await;
        let refused = store
            .enter(&ada, entry, Some(&old), usize::MAX)
            .await
            .unwrap();
        assert_eq!(refused, Entered::Refused);
        let refused = heard(&mut client).await;
        store.entries(&ada).await.unwrap();
        let entries = heard(&mut client).await;
        store.load_all(&[HANDLE; 500]).await.unwrap();
        let load_all = heard(&mut client).await;
        store.walk(None, 1_000).await.unwrap();
        let walk = heard(&mut client).await;
        assert_eq!(store.count().await.unwrap(), Some(1));
        let count = heard(&mut client).await;
        store.leave(&ada, &[entry; 500]).await.unwrap();
        let leave = heard(&mut client).await;
        store.sweep(100).await.unwrap();
        let sweep = heard(&mut client).await;
        store.delete(&HANDLE).await.unwrap();
        if !enter.contains(&"Prepare".to_owned()) {
            assert_eq!(enter, ["Query", "Execute", "Execute", "Query", "Execute"]);
            assert_eq!(refused, ["Query", "Execute", "Query"]);
            assert_eq!(restamp, ["Execute"; 2]);
            for one in [entries, load_all, walk, count, leave] {
                assert_eq!(one, ["Execute"]);
            }
            assert_eq!(sweep, ["Query", "Execute", "Query", "Execute"]);
            return;
        }
    }
    panic!("what was prepared is prepared again");
}

#[tokio::test]
async fn a_login_that_fails_half_way_holds_no_lock_and_is_not_entered() {
    let database = Database::new().await;
    let store = open(&database).await;
    let mut other = database.client().await;
    let (ada, entry) = ("ada".into(), Entry::new(HANDLE, version(1)));
    store.enter(&ada, entry, None, usize::MAX).await.unwrap();
    let lock = "START TRANSACTION; SELECT 1 FROM tenure_sessions_logins FOR UPDATE";
    run(&mut other, lock).await;
    let error = store
        .enter(&ada, entry, None, usize::MAX)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    let principal = "SET innodb_lock_wait_timeout = 1; \
                     UPDATE tenure_sessions_principals SET sweep_after = sweep_after + 1";
    run(&mut other, principal).await;
    run(&mut other, "COMMIT").await;
    let entered = store.enter(&ada, entry, None, usize::MAX).await.unwrap();
    assert_eq!(entered, Entered::After(vec![]));
}

/// A login whose future is dropped is carried out whole, and leaves nothing locked.
#[tokio::test]
async fn a_login_that_nobody_waits_for_leaves_no_lock() {
    let database = Database::new().await;
    let store = open(&database).await;
    let ada = "ada".into();
    for polls in 1..20 {
        let entry = Entry::new(HANDLE, version(polls));
        let mut entering = store.enter(&ada, entry, None, usize::MAX);
        for _ in 0..polls {
            let _ = (&mut entering).now_or_never();
            tokio::task::yield_now().await;
        }
        drop(entering);
    }
    let last = Entry::new(HANDLE, version(20));
    store.enter(&ada, last, None, usize::MAX).await.unwrap();
    let count = "SELECT count(*) FROM tenure_sessions_logins";
    let found = store.entries(&ada).await.unwrap();
    assert_eq!(found.last(), Some(&last));
    let count = number(&mut database.client().await, count).await;
    assert_eq!(count, found.len() as i64);
}

/// Lets a login wait for somebody who has the principal's row, and returns how it was entered when he has committed.
async fn entered_behind(theirs: &str, stamp: Option<CredentialStamp>) -> Entered {
    let database = Database::new().await;
    let store = open(&database).await;
    let mut other = database.client().await;
    run(&mut other, &format!("START TRANSACTION; {theirs}")).await;
    let mut entering = tokio::spawn(async move {
        let entry = Entry::new(HANDLE, version(1));
        store
            .enter(&"ada".into(), entry, stamp.as_ref(), usize::MAX)
            .await
    });
    tokio::select! {
        () = database.until_one_waits("INSERT") => {}
        entered = &mut entering => panic!("it does not wait: {entered:?}"),
    }
    run(&mut other, "COMMIT").await;
    entering.await.unwrap().unwrap()
}

const LOCK: &str = "INSERT INTO tenure_sessions_principals (principal, stamp, sweep_after) \
                    VALUES ('ada', REPEAT('9', 32), 9000000000000)";

#[tokio::test]
async fn a_login_that_waited_for_another_finds_it() {
    let login = "INSERT INTO tenure_sessions_logins (principal, handle, login) \
                 VALUES ('ada', REPEAT('8', 16), 8)";
    let entered = entered_behind(&format!("{LOCK}; {login}"), None).await;
    let theirs = Entry::new(Handle::from_bytes([b'8'; 16]), version(8));
    assert_eq!(entered, Entered::After(vec![theirs]));
}

#[tokio::test]
async fn a_login_that_waited_for_another_stamp_is_refused() {
    let entered = entered_behind(LOCK, Some(CredentialStamp::of("old"))).await;
    assert_eq!(entered, Entered::Refused);
}

#[tokio::test]
async fn what_is_missing_of_the_index_is_named_and_made() {
    let database = Database::new().await;
    let store = open(&database).await;
    let mut client = database.client().await;
    for table in ["tenure_sessions_logins", "tenure_sessions_principals"] {
        run(&mut client, &format!("DROP TABLE {table}")).await;
        let words = format!("there is no table `{table}`; call `migrate`");
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
    let mut client = database.client().await;
    let change = "ALTER TABLE tenure_sessions_logins CHANGE login logged int";
    run(&mut client, change).await;
    let error = store.migrate().await.unwrap_err();
    let words = "the table `tenure_sessions_logins` has another layout: it has no column `login`";
    said(&error, SetupErrorKind::Layout, words);
    let error = store.entries(&"ada".into()).await.unwrap_err();
    let source: &SetupError = error.source().unwrap().downcast_ref().unwrap();
    said(source, SetupErrorKind::Layout, "Unknown column");
}
