//! Defects whose mend is larger than a few lines: each of these tests fails until somebody mends it.
#![allow(dead_code, reason = "the helpers are those of `tests/promises`")]

#[path = "promises/support.rs"]
mod support;

use std::{pin::pin, sync::mpsc, thread, time::Duration};

use http::{Request, Response, StatusCode, header};
use tenure::{Lifetime, Main, Session, SessionSlot};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Fault, Gate, Site};

/// A load that was begun and is not polled any more holds up all others of its request, for ever.
///
/// The look-up belongs to the future that began it. Mend: the slot keeps it, and whoever waits drives it.
#[tokio::test(start_paused = true)]
async fn a_load_goes_on_while_the_future_that_began_it_is_not_polled() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("load", Fault::Gate(gate.clone()));
    let service = service_fn(move |request: Request<String>| {
        let gate = gate.clone();
        async move {
            let slot = SessionSlot::<Main>::from_extensions(request.extensions()).unwrap();
            let mut first = pin!(slot.session());
            tokio::select! {
                _ = &mut first => unreachable!("the gate is closed"),
                () = gate.reached() => gate.open(),
            }
            let second = tokio::time::timeout(Duration::from_secs(60), slot.session()).await;
            assert!(second.is_ok(), "nobody drives the load");
            Ok::<_, std::convert::Infallible>(Response::new(String::new()))
        }
    });
    let mut request = Request::new(String::new());
    let cookie = browser.cookie.as_ref().unwrap().parse().unwrap();
    request.headers_mut().insert(header::COOKIE, cookie);
    site.layer.layer(service).oneshot(request).await.unwrap();
}

/// The same for commits: `select!` in a loop over a pinned `update_now`, and a `commit` in another arm, is enough.
#[tokio::test(start_paused = true)]
async fn a_commit_goes_on_while_the_future_that_began_it_is_not_polled() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("update", Fault::Gate(gate.clone()));
    let response = browser
        .visit(|session| async move {
            let mut first = pin!(session.update_now("a", |a: &mut u32| *a += 1));
            tokio::select! {
                _ = &mut first => unreachable!("the gate is closed"),
                () = gate.reached() => gate.open(),
            }
            let second = tokio::time::timeout(Duration::from_secs(60), session.commit()).await;
            assert!(second.is_ok(), "nobody drives the commit");
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
}

/// What an `update` has captured is dropped under the session's lock by `discard`, `clear`, an end, and the close of a
/// failed handler.
///
/// Mend: those give the operations back to `Slot::change` and `Slot::close`, which drop them once the lock is released.
#[test]
fn what_an_update_has_captured_may_look_into_the_session_when_it_is_dropped() {
    struct Curious(Session);
    impl Drop for Curious {
        fn drop(&mut self) {
            self.0.keys().unwrap();
        }
    }
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let session: Session = Session::for_test([("a", 1)]);
        let curious = Curious(session.clone());
        let update = move |a: &mut u32| {
            let _captured = &curious;
            *a += 1;
        };
        session.update("a", update).unwrap();
        session.discard();
        done.send(()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(10));
    ended.expect("it waits for itself, or has panicked");
}

/// `set_lifetime` with less than the session's age is a 409 that says it has ended, and the session lives on as before.
///
/// Mend: `Exchange::replace` deletes the record when it finds no time left to give it.
#[tokio::test]
async fn a_session_that_is_given_less_than_its_age_ends() {
    let site = Site::new();
    let mut browser = site.member("1").await;
    for _ in 0..3 {
        site.clock.advance(Duration::from_secs(25 * 60));
        browser.read("a").await;
    }
    let hour = Lifetime::new().with_absolute(Duration::from_secs(60 * 60));
    browser
        .visit(move |session| async move {
            session.set_lifetime(hour)?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(browser.principal().await, None);
}

/// A login whose answers are lost leaves a record behind that is somebody's, with an id that nobody has.
///
/// It counts as one of his sessions until it expires. Mend: `Commit::begin` deletes what it could not bind, in the
/// background, as `keep_deleting` does.
#[tokio::test]
async fn a_login_whose_outcome_stays_unknown_leaves_no_session_of_its_principal() {
    use tenure::store::SessionStore;
    let handle = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = handle.clone();
    let site = Site::with(|builder| {
        builder.with_observer(move |event: &tenure::Event<'_>| {
            let mut seen = seen.lock().unwrap();
            *seen = seen.or(event.handle());
        })
    });
    site.store.fail("update", Fault::LostAfter);
    site.store.fail("update", Fault::LostAfter);
    let login = |session: Session| async move {
        session.login("1")?;
        Ok(StatusCode::OK)
    };
    let response = site.browser().visit(login).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    site.layer.drained().await;
    let handle = handle.lock().unwrap().expect("one was created");
    let left = site.store.inner.load(&handle).await.unwrap();
    assert!(left.is_none_or(|left| left.record.principal().is_none()));
}
