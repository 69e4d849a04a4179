//! What parallel requests of one session do to each other. Overlap is forced by a barrier between load and commit.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::join_all;
use http::{Request, StatusCode};
use tenure::{ErrorKind, Session};
use tokio::sync::Barrier;

use crate::support::{Answered, Browser, Fault, Gate, Site};

const CROWD: usize = 200;

/// Sends as many requests at once, each of which has loaded before any commits, and counts the answers by status.
async fn crowd<F>(
    browser: &Browser,
    size: usize,
    handler: impl Fn(usize, Session) -> F + Clone + Send + 'static,
) -> Tally
where
    F: Future<Output = Answered> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(size));
    let requests = (0..size).map(|number| {
        let (browser, barrier, handler) = (browser.clone(), barrier.clone(), handler.clone());
        tokio::spawn(async move {
            let answer = move |session: Session| async move {
                barrier.wait().await;
                handler(number, session).await
            };
            browser
                .send(Request::new(String::new()), answer)
                .await
                .status()
        })
    });
    let statuses = join_all(requests).await.into_iter().map(Result::unwrap);
    statuses.fold(Tally::default(), |mut tally, status| {
        match status.as_u16() {
            200 => tally.done += 1,
            409 => tally.refused += 1,
            other => panic!("{other}"),
        }
        tally
    })
}

#[derive(Debug, Default, PartialEq)]
struct Tally {
    done: usize,
    refused: usize,
}

const fn all_of(size: usize) -> Tally {
    Tally {
        done: size,
        refused: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_parallel_updates_of_one_value_all_count() {
    let site = Site::new();
    let browser = site.visitor().await;
    let increment = |_, session: Session| async move {
        session.update("count", |count: &mut u32| *count += 1)?;
        Ok(StatusCode::OK)
    };
    assert_eq!(crowd(&browser, CROWD, increment).await, all_of(CROWD));
    assert_eq!(browser.read("count").await, Some(CROWD as u32));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_parallel_updates_with_an_argument_or_an_initial_value_all_count() {
    let site = Site::new();
    let browser = site.visitor().await;
    let change = |_, session: Session| async move {
        session.update_with("sum", 3, |sum: &mut u32, more| *sum += more)?;
        session.update_or("stock", 1000, |stock: &mut u32| *stock -= 1)?;
        Ok(StatusCode::OK)
    };
    assert_eq!(crowd(&browser, CROWD, change).await, all_of(CROWD));
    assert_eq!(browser.read("sum").await, Some(3 * CROWD as u32));
    assert_eq!(browser.read("stock").await, Some(1000 - CROWD as u32));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_parallel_inserts_of_different_values_all_stay() {
    let site = Site::new();
    let browser = site.visitor().await;
    // A session has 64 values, so each of 50 keys is written four times.
    let insert = |number: usize, session: Session| async move {
        session.insert(format!("key {}", number % 50).as_str(), number)?;
        Ok(StatusCode::OK)
    };
    assert_eq!(crowd(&browser, CROWD, insert).await, all_of(CROWD));
    for number in 0..50 {
        let found = browser.read(format!("key {number}").leak()).await;
        assert_eq!(found.map(|found| found % 50), Some(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_parallel_get_then_insert_counts_or_is_refused() {
    let site = Site::new();
    let browser = site.visitor().await;
    let increment = |_, session: Session| async move {
        let count: u32 = session.get("count")?.unwrap_or_default();
        session.insert("count", count + 1)?;
        Ok(StatusCode::OK)
    };
    let tally = crowd(&browser, CROWD, increment).await;
    assert_eq!(tally.done + tally.refused, CROWD);
    assert_eq!(browser.read("count").await, Some(tally.done as u32));
    assert!(tally.refused > 0, "the barrier forces overlap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_parallel_claims_give_the_value_to_one() {
    let site = Site::new();
    let browser = site.visitor().await;
    let winners = Arc::new(AtomicUsize::new(0));
    let count = winners.clone();
    let claim = move |_, session: Session| {
        let winners = winners.clone();
        async move {
            if session.claim::<u32>("a").await?.is_some() {
                winners.fetch_add(1, Ordering::SeqCst);
            }
            Ok(StatusCode::OK)
        }
    };
    assert_eq!(crowd(&browser, 100, claim).await, all_of(100));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(browser.read("a").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn update_now_returns_each_value_once() {
    let site = Site::new();
    let browser = site.visitor().await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let draw = move |_, session: Session| {
        let sender = sender.clone();
        async move {
            sender
                .send(
                    session
                        .update_now("ticket", |ticket: &mut u32| *ticket += 1)
                        .await?,
                )
                .unwrap();
            Ok(StatusCode::OK)
        }
    };
    assert_eq!(crowd(&browser, 100, draw).await, all_of(100));
    let mut tickets = Vec::new();
    while let Some(ticket) = receiver.recv().await {
        tickets.push(ticket);
    }
    tickets.sort_unstable();
    assert_eq!(tickets, (1..=100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_at_a_store_that_takes_time_lines_up_and_loses_nothing() {
    let site = Site::slow();
    let browser = site.visitor().await;
    let increment = |_, session: Session| async move {
        session.update("count", |count: &mut u32| *count += 1)?;
        Ok(StatusCode::OK)
    };
    assert_eq!(crowd(&browser, CROWD, increment).await, all_of(CROWD));
    assert_eq!(browser.read("count").await, Some(CROWD as u32));
    let updates = site
        .store
        .calls()
        .split(' ')
        .filter(|call| *call == "update")
        .count();
    assert!(
        updates < CROWD * 10,
        "{updates} updates: without a queue there are {}",
        CROWD * CROWD / 2
    );
}

/// Holds a request between its load and its commit while something else happens, and returns its status.
async fn held<F, G>(
    browser: &Browser,
    handler: impl FnOnce(Session) -> F + Send + 'static,
    meanwhile: G,
) -> StatusCode
where
    F: Future<Output = Answered> + Send + 'static,
    G: Future,
{
    let gate = Gate::new();
    let (inside, browser) = (gate.clone(), browser.clone());
    let request = tokio::spawn(async move {
        let answer = |session: Session| async move {
            inside.pass().await;
            handler(session).await
        };
        browser
            .send(Request::new(String::new()), answer)
            .await
            .status()
    });
    gate.reached().await;
    meanwhile.await;
    gate.open();
    request.await.unwrap()
}

async fn write(session: Session) -> Answered {
    session.insert("late", 1)?;
    Ok(StatusCode::OK)
}

async fn login(session: Session) -> Answered {
    session.login("1")?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

#[tokio::test]
async fn a_slow_writer_never_revives_a_session_that_was_logged_out_meanwhile() {
    let site = Site::new();
    let browser = site.member("1").await;
    let mut other_tab = browser.clone();
    assert_eq!(
        held(&browser, write, other_tab.visit(logout)).await,
        StatusCode::CONFLICT
    );
    assert!(site.store.inner.is_empty());
    assert_eq!(browser.principal().await, None);
}

#[tokio::test]
async fn a_slow_writer_never_writes_into_a_session_that_logged_in_meanwhile() {
    let site = Site::new();
    let browser = site.visitor().await;
    let mut other_tab = browser.clone();
    assert_eq!(
        held(&browser, write, other_tab.visit(login)).await,
        StatusCode::CONFLICT
    );
    assert_eq!(other_tab.read("late").await, None);
    assert_eq!(other_tab.principal().await.as_deref(), Some("1"));
}

#[tokio::test]
async fn of_two_logins_in_flight_the_later_is_refused_and_a_retry_works() {
    let site = Site::new();
    let browser = site.visitor().await;
    let mut other_tab = browser.clone();
    assert_eq!(
        held(&browser, login, other_tab.visit(login)).await,
        StatusCode::CONFLICT
    );
    assert_eq!(other_tab.visit(login).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_logout_in_flight_ends_the_session_whatever_another_request_rotated_meanwhile() {
    let site = Site::new();
    let browser = site.visitor().await;
    let mut other_tab = browser.clone();
    assert_eq!(
        held(&browser, logout, other_tab.visit(login)).await,
        StatusCode::OK
    );
    assert!(site.store.inner.is_empty());
    assert_eq!(other_tab.principal().await, None);
}

#[tokio::test]
async fn a_late_request_with_the_id_that_a_login_replaced_neither_logs_out_nor_writes() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let old_tab = browser.clone();
    browser.visit(login).await;
    for late in [write_boxed, logout_boxed] {
        let response = old_tab.send(Request::new(String::new()), late).await;
        assert_eq!(response.status(), StatusCode::CONFLICT);
        browser.take_in(response.headers());
    }
    assert_eq!(browser.principal().await.as_deref(), Some("1"));
    assert_eq!(browser.read("late").await, None);
}

fn write_boxed(session: Session) -> std::pin::Pin<Box<dyn Future<Output = Answered> + Send>> {
    Box::pin(write(session))
}

fn logout_boxed(session: Session) -> std::pin::Pin<Box<dyn Future<Output = Answered> + Send>> {
    Box::pin(logout(session))
}

#[tokio::test]
async fn a_late_login_with_the_id_that_a_login_replaced_never_leaves_an_anonymous_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let old_tab = browser.clone();
    browser.visit(login).await;
    let late = |session: Session| async move {
        session.login("2")?;
        session
            .update_now("late", |late: &mut u32| *late += 1)
            .await?;
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let response = old_tab.send(Request::default(), late).await;
    browser.take_in(response.headers());
    assert_eq!(browser.principal().await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_replaced_id_is_unknown_after_a_minute() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let old_tab = browser.clone();
    browser.visit(login).await;
    site.clock.advance(std::time::Duration::from_secs(59));
    assert_eq!(
        old_tab.clone().visit(write).await.status(),
        StatusCode::CONFLICT
    );
    site.clock.advance(std::time::Duration::from_secs(1));
    site.store.calls();
    assert_eq!(old_tab.clone().visit(write).await.status(), StatusCode::OK);
    assert_eq!(site.store.calls(), "load create");
    assert_eq!(browser.read("late").await, None, "it is another session");
}

#[tokio::test]
async fn a_read_that_touches_never_makes_a_writer_conflict() {
    let site = Site::new();
    let browser = site.visitor().await;
    site.clock.advance(std::time::Duration::from_secs(200));
    let reader = async {
        site.clock.advance(std::time::Duration::from_secs(200));
        browser.read("a").await
    };
    assert_eq!(held(&browser, write, reader).await, StatusCode::OK);
    assert_eq!(site.store.calls(), "load touch load touch update");
}

#[tokio::test]
async fn a_message_that_two_requests_take_at_once_fails_neither() {
    let site = Site::new();
    let browser = site.visitor().await;
    let take = |session: Session| async move {
        session.take::<u32>("a")?;
        Ok(StatusCode::OK)
    };
    let mut other_tab = browser.clone();
    assert_eq!(
        held(&browser, take, other_tab.visit(take)).await,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_claim_that_comes_too_late_writes_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            session.set_lifetime(tenure::Lifetime::persistent())?;
            Ok(StatusCode::OK)
        })
        .await;
    site.store.calls();
    let claim = |session: Session| async move {
        session.claim::<u32>("a").await?;
        Ok(StatusCode::OK)
    };
    let mut other_tab = browser.clone();
    held(&browser, claim, other_tab.visit(claim)).await;
    assert_eq!(site.store.calls(), "load load update update");
}

#[tokio::test]
async fn a_session_that_expires_meanwhile_is_not_written() {
    let site = Site::new();
    let browser = site.visitor().await;
    let expire = async { site.clock.advance(tenure::Lifetime::new().absolute()) };
    assert_eq!(held(&browser, write, expire).await, StatusCode::CONFLICT);
}

#[tokio::test]
async fn several_extractors_share_one_load() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("load", Fault::Gate(gate.clone()));
    let layer = site.layer.clone();
    let service = tower::Layer::layer(
        &layer,
        tower::service_fn(|request: Request<String>| async move {
            let slot =
                tenure::SessionSlot::<tenure::Main>::from_extensions(request.extensions()).unwrap();
            let (one, two) = tokio::join!(slot.session(), slot.session());
            assert_eq!(
                one.unwrap().get::<u32>("a").unwrap(),
                two.unwrap().get::<u32>("a").unwrap()
            );
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        }),
    );
    let mut request = Request::new(String::new());
    request
        .headers_mut()
        .insert("cookie", browser.cookie.as_ref().unwrap().parse().unwrap());
    let (response, ()) = tokio::join!(tower::ServiceExt::oneshot(service, request), async {
        gate.reached().await;
        gate.open();
    });
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(site.store.calls(), "load");
}

#[tokio::test]
async fn a_clone_that_changes_while_an_update_runs_makes_it_run_again() {
    let session: Session = Session::for_test([("count", 1)]);
    let clone = session.clone();
    let mut once = true;
    session
        .update("count", move |count: &mut u32| {
            if std::mem::take(&mut once) {
                clone.insert("count", 10).unwrap();
            }
            *count += 1;
        })
        .unwrap();
    assert_eq!(session.get::<u32>("count").unwrap(), Some(11));
}

#[tokio::test]
async fn an_update_that_waits_while_another_key_is_committed_is_made_again_on_what_that_commit_found()
 {
    let site = Site::new();
    let browser = site.visitor().await;
    let mut other_tab = browser.clone();
    let both = |session: Session| async move {
        session.update("a", |a: &mut u32| *a += 1)?;
        session.update_now("b", |b: &mut u32| *b += 1).await?;
        Ok(StatusCode::OK)
    };
    let add_ten = |session: Session| async move {
        session.update("a", |a: &mut u32| *a += 10)?;
        Ok(StatusCode::OK)
    };
    let status = held(&browser, both, other_tab.visit(add_ten)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(browser.read("a").await, Some(12), "1, and 10, and 1");
    assert_eq!(browser.read("b").await, Some(1));
}

#[test]
fn a_users_code_runs_outside_the_lock() {
    thread_local!(static SESSION: std::cell::RefCell<Option<Session>> = const { std::cell::RefCell::new(None) });
    struct Nosy;
    impl<'de> serde::Deserialize<'de> for Nosy {
        fn deserialize<D: serde::Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
            // A lock that is held would be waited for here, for ever.
            let session = SESSION.with_borrow(Option::clone);
            session.unwrap().insert("seen", 1).unwrap();
            u32::deserialize(decoder).map(|_| Self)
        }
    }
    impl From<Nosy> for tenure::PrincipalId {
        fn from(_: Nosy) -> Self {
            let session = SESSION.with_borrow(Option::clone);
            session.unwrap().insert("seen", 2).unwrap();
            "1".into()
        }
    }
    let session: Session = Session::for_test([("a", 1), ("b", 2)]);
    SESSION.set(Some(session.clone()));
    assert!(session.get::<Nosy>("a").unwrap().is_some());
    session.login(Nosy).unwrap();
    assert_eq!(session.get::<u32>("seen").unwrap(), Some(2));
}

#[test]
fn a_value_that_changes_while_it_is_decoded_to_be_taken_is_decoded_again() {
    thread_local!(static LATER: std::cell::RefCell<Option<Session>> = const { std::cell::RefCell::new(None) });
    #[derive(Debug, PartialEq)]
    struct Counted(u32);
    impl<'de> serde::Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
            if let Some(session) = LATER.take() {
                session.insert("a", 7).unwrap();
            }
            u32::deserialize(decoder).map(Self)
        }
    }
    let session: Session = Session::for_test([("a", 1)]);
    LATER.set(Some(session.clone()));
    assert_eq!(session.take("a").unwrap(), Some(Counted(7)));
    assert!(!session.contains("a").unwrap());
}

#[tokio::test]
async fn a_change_after_the_handler_has_returned_is_an_error() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    browser
        .visit(|session| async move {
            sender.send(session).unwrap();
            Ok(StatusCode::OK)
        })
        .await;
    let kept = receiver.await.unwrap();
    assert_eq!(
        kept.insert("late", 1).unwrap_err().kind(),
        ErrorKind::AfterResponse
    );
    assert_eq!(
        kept.commit().await.unwrap_err().kind(),
        ErrorKind::AfterResponse
    );
    assert_eq!(
        kept.get::<u32>("a").unwrap(),
        Some(1),
        "what was loaded can still be read"
    );
}

#[tokio::test]
async fn a_function_that_panics_when_it_runs_again_fails_its_own_request_only() {
    let site = Site::new();
    let browser = site.visitor().await;
    let mut runs = 0;
    let fragile = move |session: Session| async move {
        session.update("a", move |a: &mut u32| {
            runs += 1;
            assert!(runs < 2, "it runs once and no more");
            *a += 1;
        })?;
        Ok(StatusCode::OK)
    };
    let increment = |session: Session| async move {
        session.update("a", |a: &mut u32| *a += 1)?;
        Ok(StatusCode::OK)
    };
    let (tab, mut other_tab) = (browser.clone(), browser.clone());
    let request =
        tokio::spawn(async move { held(&tab, fragile, other_tab.visit(increment)).await });
    assert!(request.await.unwrap_err().is_panic());
    assert_eq!(
        browser.read("a").await,
        Some(2),
        "the other request has written"
    );
    assert_eq!(
        browser.clone().visit(increment).await.status(),
        StatusCode::OK
    );
}
