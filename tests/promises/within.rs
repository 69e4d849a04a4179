//! What one request does to its own session beside a handler and a commit: several commits, and some that it gives up.

use std::future::Future;

use http::{Request, StatusCode};
use tenure::{Error, Session};

use crate::support::{Answered, Browser, Fault, Gate, Site, Told, told};

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

/// Sends a request, and another that increments `a` while the first stands at the gate that its handler is given.
async fn overtaken<F>(
    browser: &Browser,
    handler: impl FnOnce(Session, Gate) -> F + Send + 'static,
) -> StatusCode
where
    F: Future<Output = Answered> + Send + 'static,
{
    let gate = Gate::new();
    let (inside, mut other_tab) = (gate.clone(), browser.clone());
    let request = browser.send(Request::new(String::new()), move |session| {
        handler(session, inside)
    });
    let other = async {
        gate.reached().await;
        let response = other_tab.visit(increment).await;
        gate.open();
        response
    };
    let (response, other) = tokio::join!(request, other);
    assert_eq!(other.status(), StatusCode::OK);
    response.status()
}

async fn increment(session: Session) -> Answered {
    session.update("a", |a: &mut u32| *a += 1)?;
    Ok(StatusCode::OK)
}

async fn increment_b_now(session: &Session) -> Result<(), Error> {
    session.update_now("b", |b: &mut u32| *b += 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_pending_update_counts_after_a_commit_that_another_request_overtook() {
    let site = Site::new();
    let browser = site.visitor().await;
    let status = overtaken(&browser, |session, gate| async move {
        session.update("a", |a: &mut u32| *a += 1)?;
        gate.pass().await;
        increment_b_now(&session).await?;
        Ok(StatusCode::OK)
    });
    assert_eq!(status.await, StatusCode::OK);
    assert_eq!(browser.read("a").await, Some(3));
}

#[tokio::test]
async fn what_was_read_is_not_overwritten_after_a_commit_that_another_request_overtook() {
    for insert_first in [true, false] {
        let site = Site::new();
        let browser = site.visitor().await;
        let status = overtaken(&browser, move |session, gate| async move {
            let a: u32 = session.get("a")?.unwrap();
            if insert_first {
                session.insert("a", a + 10)?;
            }
            gate.pass().await;
            increment_b_now(&session).await?;
            if !insert_first {
                session.insert("a", a + 10)?;
            }
            Ok(StatusCode::OK)
        });
        assert_eq!(status.await, StatusCode::CONFLICT);
        assert_eq!(browser.read("a").await, Some(2));
        assert_eq!(browser.read("b").await, Some(1), "that was committed");
    }
}

#[tokio::test]
async fn a_take_removes_nothing_newer_after_a_commit_that_another_request_overtook() {
    let site = Site::new();
    let browser = site.visitor().await;
    let status = overtaken(&browser, |session, gate| async move {
        assert_eq!(session.take::<u32>("a")?, Some(1));
        gate.pass().await;
        increment_b_now(&session).await?;
        Ok(StatusCode::OK)
    });
    assert_eq!(status.await, StatusCode::OK);
    assert_eq!(browser.read("a").await, Some(2), "nobody has seen it yet");
}

#[tokio::test]
async fn of_two_claims_in_one_request_one_gets_the_value() {
    let site = Site::slow();
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            let (one, two) = tokio::join!(session.claim::<u32>("a"), session.claim::<u32>("a"));
            assert_eq!((one?, two?), (Some(1), None));
            Ok(StatusCode::OK)
        })
        .await;
}

#[tokio::test]
async fn two_update_nows_in_one_request_both_count() {
    let site = Site::slow();
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            let increment = || session.update_now("a", |a: &mut u32| *a += 1);
            let (one, two) = tokio::join!(increment(), increment());
            assert_eq!((one?, two?), (2, 3));
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(browser.read("a").await, Some(3));
}

/// Changes two values and commits one of them at once, by an update or a claim, in a request that then fails: what of the
/// other is kept was committed by that.
async fn commits_beside_its_own_key(begin: fn(&Session) -> Result<(), Error>) -> bool {
    let [update, claim] = [true, false].map(|is_update| async move {
        let site = Site::new();
        let mut browser = site.member("1").await;
        let response = browser.visit(move |session| async move {
            begin(&session)?;
            session.insert("b", 1)?;
            session.insert("c", 1)?;
            if is_update {
                session.update_now("b", |b: &mut u32| *b += 1).await?;
            } else {
                assert_eq!(session.claim::<u32>("b").await?, Some(1));
            }
            Ok(StatusCode::INTERNAL_SERVER_ERROR)
        });
        assert_eq!(response.await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let committed = if is_update { Some(2) } else { None };
        assert_eq!(browser.read("b").await, committed);
        browser.read("c").await.is_some()
    });
    let (update, claim) = tokio::join!(update, claim);
    assert_eq!(update, claim);
    update
}

#[tokio::test]
async fn update_now_and_claim_leave_what_is_pending_for_other_keys_to_the_response() {
    assert!(!commits_beside_its_own_key(|_| Ok(())).await);
}

#[tokio::test]
async fn after_a_clear_update_now_and_claim_commit_everything_that_is_pending() {
    assert!(commits_beside_its_own_key(Session::clear).await);
}

#[tokio::test]
async fn after_an_end_update_now_and_claim_commit_everything_that_is_pending() {
    assert!(commits_beside_its_own_key(Session::destroy).await);
}

#[tokio::test]
async fn after_a_login_as_another_update_now_and_claim_commit_everything_that_is_pending() {
    assert!(commits_beside_its_own_key(|session| session.login("2")).await);
}

#[tokio::test]
async fn after_an_end_nobody_is_signed_in_even_if_the_rest_of_the_commit_fails() {
    for verb in ["delete", "create"] {
        let site = Site::new();
        let mut browser = site.member("1").await;
        site.store.fail(verb, Fault::Unavailable);
        let response = browser
            .visit(|session| async move {
                session.logout()?;
                session.insert("a", 2)?;
                session.commit().await.unwrap_err();
                assert_eq!((session.principal(), session.handle()), (None, None));
                assert_eq!(session.get::<u32>("a")?, None);
                Ok(StatusCode::OK)
            })
            .await;
        assert_eq!(told(&response), Told::Removal, "{verb}");
    }
}

#[tokio::test]
async fn a_claim_that_waits_for_another_commit_gets_what_it_removes() {
    let site = Site::slow();
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            let (first, commit, one, two) = tokio::join!(
                increment_b_now(&session),
                session.commit(),
                session.claim::<u32>("a"),
                session.claim::<u32>("a"),
            );
            first?;
            commit?;
            assert_eq!(one?.into_iter().chain(two?).collect::<Vec<_>>(), [1]);
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(browser.read("a").await, None);
}

#[tokio::test]
async fn a_commit_that_waits_for_another_is_finished_when_its_request_goes_away() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("update", Fault::Gate(gate.clone()));
    let both = |session: Session| async move {
        session.insert("c", 1)?;
        let update = session.update_now("a", |a: &mut u32| *a += 1);
        let (one, two) = tokio::join!(increment_b_now(&session), update);
        one?;
        two?;
        Ok(StatusCode::OK)
    };
    tokio::select! {
        _ = browser.send(Request::default(), both) => unreachable!("the gate is closed"),
        () = gate.reached() => {}
    }
    gate.open();
    site.layer.drained().await;
    assert_eq!(browser.read("a").await, Some(2));
    assert_eq!(browser.read("b").await, Some(1));
    assert_eq!(
        browser.read("c").await,
        None,
        "nobody has begun to commit it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_of_requests_that_commit_several_times_in_parallel_loses_nothing() {
    const CROWD: u32 = 20;
    for site in [Site::new(), Site::slow()] {
        let browser = site.visitor().await;
        let requests = (0..CROWD).map(|number| {
            let browser = browser.clone();
            tokio::spawn(async move {
                let busy = move |session: Session| async move {
                    increment(session.clone()).await?;
                    let clone = session.clone();
                    let other = tokio::spawn(async move { increment_b_now(&clone).await });
                    increment_b_now(&session).await?;
                    increment(session.clone()).await?;
                    if number % 2 == 0 {
                        session.commit().await?;
                    }
                    other.await.unwrap()?;
                    increment(session).await
                };
                browser.send(Request::default(), busy).await.status()
            })
        });
        for status in futures::future::join_all(requests).await {
            assert_eq!(status.unwrap(), StatusCode::OK);
        }
        assert_eq!(browser.read("a").await, Some(1 + 3 * CROWD));
        assert_eq!(browser.read("b").await, Some(2 * CROWD));
    }
}
