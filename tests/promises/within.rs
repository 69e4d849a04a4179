//! What one request does to its own session beside a handler and a commit: several commits, and some that it gives up.

use http::StatusCode;
use tenure::Session;

use crate::support::{Fault, Gate, Site, Told, told};

/// Begins to change `b` at once, gives up waiting for it, and lets it go on once the handler has returned.
async fn give_up_a_commit(session: &Session, gate: Gate) {
    let commit = session.update_now("b", |b: &mut u32| *b += 1);
    tokio::select! {
        _ = commit => unreachable!("the gate is closed"),
        () = gate.reached() => {}
    }
    tokio::spawn(async move {
        tokio::task::yield_now().await;
        gate.open();
    });
}

#[tokio::test]
async fn a_change_is_kept_beside_a_commit_that_its_handler_gave_up_waiting_for() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("update", Fault::Gate(gate.clone()));
    let response = browser
        .visit(|session| async move {
            give_up_a_commit(&session, gate).await;
            session.insert("a", 2)?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(browser.read("b").await, Some(1));
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn a_logout_is_carried_out_beside_a_commit_that_its_handler_gave_up_waiting_for() {
    for status in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
        let site = Site::new();
        let mut browser = site.member("1").await;
        let gate = Gate::new();
        site.store.fail("update", Fault::Gate(gate.clone()));
        let response = browser
            .visit(move |session| async move {
                give_up_a_commit(&session, gate).await;
                session.logout()?;
                Ok(status)
            })
            .await;
        assert_eq!(
            (response.status(), told(&response)),
            (status, Told::Removal)
        );
        assert!(site.store.inner.is_empty());
    }
}
