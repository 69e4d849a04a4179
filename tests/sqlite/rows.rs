//! What somebody writes into the columns of a row, where records are authenticated and their values sealed.

use http::StatusCode;
use sqlx::AssertSqlSafe;
use tenure::{Keyring, ServerKey, Session, SessionLayer, store::SqliteStore, testing::signed_in};
use tokio::sync::oneshot;

use super::{
    File,
    bed::visitor::{log_out, send},
};

async fn run(store: &SqliteStore, text: &str) -> bool {
    let text = AssertSqlSafe(text.to_owned());
    sqlx::raw_sql(text).execute(store.pool()).await.is_ok()
}

/// Asks who is signed in, and writes; says how that was answered.
async fn visit(layer: &SessionLayer, cookie: &str) -> (StatusCode, Option<String>) {
    let (sender, receiver) = oneshot::channel();
    let ask = async move |session: Session| {
        let principal = session.principal().map(|principal| principal.to_string());
        sender.send(principal).unwrap();
        session.insert("a", 1)
    };
    let response = send(layer, Some(cookie), ask).await;
    (response.status(), receiver.await.ok().flatten())
}

#[tokio::test]
async fn whatever_stands_in_a_column_nobody_is_signed_in_by_it_and_nothing_panics() {
    let file = File::new();
    let store = file.open().await;
    let keyring = Keyring::new(ServerKey::generate().unwrap());
    let builder = SessionLayer::builder(store.clone()).with_keyring(keyring);
    let layer = builder.with_sealed_values().build().unwrap();
    let cookie = signed_in(&layer, "ada").await;
    let cookie = cookie.to_str().unwrap();
    assert!(run(&store, "CREATE TABLE kept AS SELECT * FROM tenure_sessions").await);
    let (mut written, mut trusted) = (0, 0);
    for column in ["version", "header", "payload"].iter().chain(&UNTRUSTED) {
        for value in VALUES {
            let changed = format!("UPDATE tenure_sessions SET {column} = {value}");
            let is_written = run(&store, &changed).await;
            written += usize::from(is_written);
            let (status, principal) = visit(&layer, cookie).await;
            let case = format!("{column} = {value}: {status}");
            if is_written && !UNTRUSTED.contains(column) {
                assert_eq!(principal, None, "{case}");
            }
            trusted += usize::from(principal.is_some_and(|principal| principal == "ada"));
            assert!([200, 409, 500, 503].contains(&status.as_u16()), "{case}");
            layer.sessions().list("ada").await.ok();
            log_out(&layer, cookie).await;
            let restored =
                "DELETE FROM tenure_sessions; INSERT INTO tenure_sessions SELECT * FROM kept";
            assert!(run(&store, restored).await, "{case}");
        }
    }
    assert!(written > 30 && trusted > 10, "{written} {trusted}");
    assert_eq!(
        visit(&layer, cookie).await,
        (StatusCode::OK, Some("ada".into()))
    );
}

/// What engines write themselves, and what is there for the index.
const UNTRUSTED: [&str; 5] = [
    "principal",
    "created",
    "last_seen",
    "expires",
    "sweep_after",
];

const VALUES: [&str; 11] = [
    "NULL",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "1e300",
    "'eve'",
    "x''",
    "x'ff'",
    "zeroblob(100000)",
];

/// After a break-in everybody is signed out, whatever whoever broke in has left behind.
#[tokio::test]
async fn rows_under_what_is_no_handle_keep_nobody_from_being_listed_and_ended() {
    let file = File::new();
    let store = file.open().await;
    let layer = SessionLayer::new(store.clone());
    let sessions = layer.sessions();
    for _ in 0..3 {
        signed_in(&layer, "ada").await;
    }
    for junk in [
        "x'00'",
        "x''",
        "zeroblob(15)",
        "zeroblob(17)",
        "x'ffffffffffffffffffffffffffffffffff'",
        "'eve'",
        "7",
        "1234567890123456",
    ] {
        let row = format!(
            "INSERT INTO tenure_sessions SELECT {junk}, version, principal, created, last_seen, expires, sweep_after, \
             header, payload FROM tenure_sessions WHERE length(handle) = 16 LIMIT 1"
        );
        let entry = format!(
            "INSERT INTO tenure_sessions_logins (principal, handle, login) SELECT principal, {junk}, 7 \
             FROM tenure_sessions_logins LIMIT 1"
        );
        assert!(run(&store, &row).await, "{junk}");
        assert!(run(&store, &entry).await, "{junk}");
    }
    assert_eq!(sessions.list("ada").await.unwrap().len(), 3);
    signed_in(&layer, "ada").await;
    assert_eq!(sessions.repair().await.unwrap(), 4);
    assert_eq!(sessions.revoke_all("ada").await.unwrap(), 4);
    signed_in(&layer, "ada").await;
    assert_eq!(sessions.revoke_everyone().await.unwrap(), 1);
}
