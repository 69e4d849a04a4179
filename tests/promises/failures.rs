//! What becomes of changes when the store, the handler or the client fails.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response, StatusCode, header};
use tenure::{
    ErrorKind, Event, Handle, Session, SessionKey,
    store::{MemoryStore, Record, SessionStore, Updated, Version},
};

use crate::support::{Answered, Fault, Gate, Site, Told, handler, told};

async fn read(session: Session) -> Answered {
    session.get::<u32>("a")?;
    Ok(StatusCode::OK)
}

async fn increment(session: Session) -> Answered {
    session.update("a", |a: &mut u32| *a += 1)?;
    Ok(StatusCode::OK)
}

async fn start(session: Session) -> Answered {
    session.insert("a", 1)?;
    Ok(StatusCode::OK)
}

async fn cycle(session: Session) -> Answered {
    session.cycle_id()?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_load_is_a_503_that_leaves_the_cookie_alone() {
    for fault in [Fault::Unavailable, Fault::LostBefore, Fault::HangBefore] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        site.store.fail("load", fault);
        let response = browser.visit(start).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(told(&response), Told::Nothing);
        assert_eq!(site.store.calls(), "load");
        assert_eq!(browser.read("a").await, Some(1), "all is well again");
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_that_the_store_refuses_is_a_503_and_not_kept() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fail("update", Fault::Unavailable);
    let response = browser.visit(increment).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.store.calls(), "load update");
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_answer_is_lost_is_sent_once_more_and_counts_once() {
    for (case, fault) in [
        ("applied, answer lost", Fault::LostAfter),
        ("applied, no answer", Fault::HangAfter),
        ("question lost", Fault::LostBefore),
        ("no answer, not applied", Fault::HangBefore),
    ] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        site.store.fail("update", fault);
        assert_eq!(
            browser.visit(increment).await.status(),
            StatusCode::OK,
            "{case}"
        );
        assert_eq!(site.store.calls(), "load update update", "{case}");
        assert_eq!(browser.read("a").await, Some(2), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_stays_unknown_is_a_503_and_never_made_again() {
    for faults in [
        [Fault::LostAfter, Fault::LostAfter],
        [Fault::HangBefore, Fault::HangBefore],
    ] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        faults
            .into_iter()
            .for_each(|fault| site.store.fail("update", fault));
        let response = browser.visit(increment).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(site.store.calls(), "load update update");
        assert!(browser.read("a").await.unwrap() <= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_is_unknown_where_another_has_written_since_its_answer_was_lost() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("update", Fault::LostAfter);
    site.store.fail("update", Fault::Gate(gate.clone()));
    let (mut first, mut second) = (browser.clone(), browser.clone());
    let (first, second) = tokio::join!(first.visit(increment), async {
        gate.reached().await;
        let second = second.visit(increment).await;
        gate.open();
        second
    });
    assert_eq!(first.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(second.status(), StatusCode::OK);
    assert_eq!(
        browser.read("a").await,
        Some(3),
        "both were applied, each once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_is_lost_is_made_once_more_under_a_fresh_handle() {
    for (fault, kept) in [
        (Fault::LostAfter, 2),
        (Fault::HangAfter, 2),
        (Fault::HangBefore, 1),
    ] {
        let site = Site::new();
        let mut browser = site.browser();
        site.store.fail("create", fault);
        assert_eq!(browser.visit(start).await.status(), StatusCode::OK);
        assert_eq!(site.store.calls(), "create create");
        assert_eq!(site.store.inner.len(), kept, "the orphan expires");
        assert_eq!(browser.read("a").await, Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_twice_is_a_503_without_a_cookie() {
    let site = Site::new();
    let mut browser = site.browser();
    site.store.fail("create", Fault::LostAfter);
    site.store.fail("create", Fault::LostAfter);
    let response = browser.visit(start).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::SERVICE_UNAVAILABLE, Told::Nothing)
    );
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_stays_unknown_fails_closed() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fail("update", Fault::LostAfter);
    site.store.fail("update", Fault::LostAfter);
    let response = browser.visit(cycle).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::SERVICE_UNAVAILABLE, Told::Nothing)
    );
    assert_eq!(
        browser.read("a").await,
        None,
        "the id that may have been replaced opens nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_the_store_refuses_removes_the_cookie_and_goes_on_being_tried() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    for _ in 0..3 {
        site.store.fail("delete", Fault::Unavailable);
    }
    let response = browser.visit(logout).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::SERVICE_UNAVAILABLE, Told::Removal)
    );
    assert_eq!(site.store.inner.len(), 1);
    site.layer.drained().await;
    assert_eq!(site.store.calls(), "load delete delete delete delete");
    assert!(site.store.inner.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_logout_whose_answer_is_lost_is_sent_once_more() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fail("delete", Fault::LostAfter);
    let response = browser.visit(logout).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::OK, Told::Removal)
    );
    assert_eq!(site.store.calls(), "load delete delete");
}

#[tokio::test(start_paused = true)]
async fn a_touch_that_fails_fails_no_request() {
    for fault in [Fault::Unavailable, Fault::HangBefore] {
        let site = Site::new();
        let browser = site.visitor().await;
        site.clock.advance(Duration::from_secs(600));
        site.store.fail("touch", fault);
        assert_eq!(browser.read("a").await, Some(1));
    }
}

#[tokio::test]
async fn what_an_explicit_commit_could_not_keep_is_not_tried_again_at_the_response() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fail("update", Fault::Unavailable);
    let response = browser
        .visit(|session| async move {
            session.insert("a", 2)?;
            assert_eq!(session.commit().await.unwrap_err().kind(), ErrorKind::Store);
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(site.store.calls(), "load update");
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn update_now_commits_its_own_key_and_the_response_the_others() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let response = browser
        .visit(|session| async move {
            session.insert("b", 2)?;
            assert_eq!(session.update_now("a", |a: &mut u32| *a += 1).await?, 2);
            assert_eq!(session.get::<u32>("b")?, Some(2));
            Ok(StatusCode::INTERNAL_SERVER_ERROR)
        })
        .await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(2), None)
    );
}

#[tokio::test]
async fn a_commit_that_has_begun_is_finished_when_its_request_goes_away() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("update", Fault::Gate(gate.clone()));
    tokio::select! {
        _ = browser.send(Request::new(String::new()), increment) => unreachable!("the gate is closed"),
        () = gate.reached() => {}
    }
    gate.open();
    site.layer.drained().await;
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn an_explicit_commit_that_has_begun_is_finished_when_its_handler_is_dropped() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("update", Fault::Gate(gate.clone()));
    let claim = |session: Session| async move {
        session.claim::<u32>("a").await?;
        Ok(StatusCode::OK)
    };
    tokio::select! {
        _ = browser.send(Request::new(String::new()), claim) => unreachable!("the gate is closed"),
        () = gate.reached() => {}
    }
    gate.open();
    site.layer.drained().await;
    assert_eq!(browser.read("a").await, None);
}

#[tokio::test]
async fn a_logout_is_carried_out_when_the_client_goes_away_and_other_changes_are_not() {
    let site = Site::new();
    for (kept, ends) in [(1, false), (0, true)] {
        let browser = site.visitor().await;
        let gate = Gate::new();
        let inside = gate.clone();
        let slow = move |session: Session| async move {
            session.insert("a", 9)?;
            if ends {
                session.logout()?;
            }
            inside.pass().await;
            Ok(StatusCode::OK)
        };
        tokio::select! {
            _ = browser.send(Request::new(String::new()), slow) => unreachable!("the gate is closed"),
            () = gate.reached() => {}
        }
        site.layer.drained().await;
        assert_eq!(site.store.inner.len(), kept);
        assert_eq!(browser.read("a").await, (!ends).then_some(1));
        browser.clone().visit(logout).await;
    }
}

#[tokio::test]
async fn a_logout_is_carried_out_when_the_handler_panics() {
    let site = Site::new();
    let browser = site.visitor().await;
    let request = tokio::spawn(async move {
        let panics = |session: Session| async move {
            session.logout()?;
            panic!("the handler's own fault");
        };
        browser.send(Request::new(String::new()), panics).await;
    });
    assert!(request.await.unwrap_err().is_panic());
    site.layer.drained().await;
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn a_logout_is_carried_out_when_a_function_that_is_committed_after_it_panics() {
    let site = Site::new();
    let browser = site.member("1").await;
    let request = tokio::spawn(async move {
        let panicking = |session: Session| async move {
            session.logout()?;
            session
                .update_now("a", |_: &mut u32| panic!("a user's function"))
                .await?;
            Ok(StatusCode::OK)
        };
        browser.send(Request::new(String::new()), panicking).await
    });
    assert!(request.await.unwrap_err().is_panic());
    site.layer.drained().await;
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn a_logout_is_carried_out_when_its_request_is_dropped_outside_the_runtime() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    let inside = gate.clone();
    let deletion = Gate::new();
    site.store.fail("delete", Fault::Gate(deletion.clone()));
    let mut request = Box::pin(async move {
        let slow = move |session: Session| async move {
            session.logout()?;
            inside.pass().await;
            Ok(StatusCode::OK)
        };
        browser.send(Request::new(String::new()), slow).await
    });
    tokio::select! {
        _ = &mut request => unreachable!("the gate is closed"),
        () = gate.reached() => {}
    }
    std::thread::spawn(move || drop(request)).join().unwrap();
    deletion.open();
    site.layer.drained().await;
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn the_changes_of_a_failed_handler_are_committed_where_that_is_asked_for() {
    let site = Site::with(|builder| builder.with_on_failure(tenure::OnFailure::Commit));
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            session.insert("a", 2)?;
            Ok(StatusCode::BAD_GATEWAY)
        })
        .await;
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn nothing_of_the_handlers_success_survives_a_failed_commit() {
    let site = Site::new();
    let browser = site.visitor().await;
    site.store.fail("update", Fault::Unavailable);
    let service = tower::Layer::layer(
        &site.layer,
        tower::service_fn(|request: Request<String>| async move {
            let slot = tenure::SessionSlot::from_extensions(request.extensions()).unwrap();
            let session: Session = slot.session().await.unwrap();
            session.insert("a", 2).unwrap();
            let response = Response::builder()
                .header("etag", "1")
                .header("location", "/done");
            Ok::<_, std::convert::Infallible>(response.body("done".to_owned()).unwrap())
        }),
    );
    let mut request = Request::new(String::new());
    request
        .headers_mut()
        .insert("cookie", browser.cookie.as_ref().unwrap().parse().unwrap());
    let response = tower::ServiceExt::oneshot(service, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        !response.headers().contains_key("etag") && !response.headers().contains_key("location")
    );
    assert_eq!(response.body(), "");
}

/// Replaces what the store holds under a session's handle.
async fn damage(
    store: &MemoryStore,
    browser: &crate::support::Browser,
    damaged: impl FnOnce(&Record) -> Record,
) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let tell = |session: Session| async move {
        sender.send(session.handle().unwrap()).unwrap();
        Ok(StatusCode::OK)
    };
    browser.send(Request::new(String::new()), tell).await;
    let handle: Handle = receiver.await.unwrap();
    let loaded = store.load(&handle).await.unwrap().unwrap();
    let record = damaged(&loaded.record);
    let updated = store
        .update(
            &handle,
            loaded.record.version(),
            &record,
            Duration::from_secs(60),
        )
        .await
        .unwrap();
    assert_eq!(updated, Updated::Done);
}

#[tokio::test]
async fn a_header_that_does_not_decode_is_a_500_and_the_row_is_kept() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    damage(&site.store.inner, &browser, |record| {
        Record::new(Version::from_u64(7), [99, 1, 2], record.values())
    })
    .await;
    site.store.calls();
    for _ in 0..2 {
        let response = browser.visit(logout).await;
        assert_eq!(
            (response.status(), told(&response)),
            (StatusCode::INTERNAL_SERVER_ERROR, Told::Nothing)
        );
    }
    assert_eq!(site.store.calls(), "load load");
    assert_eq!(site.store.inner.len(), 1);
}

#[tokio::test]
async fn the_last_generation_there_is_overflows_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    damage(&site.store.inner, &browser, |record| {
        let mut header = record.header().to_vec();
        // After the format and the secret: the generation's tag, length and number.
        header[36 + 3..36 + 11].fill(0xff);
        Record::new(Version::from_u64(7), header, record.values())
    })
    .await;
    let response = browser
        .visit(|session| async move {
            let before = session.generation();
            session.cycle_id()?;
            assert_ne!(session.generation(), before);
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn values_that_do_not_decode_are_errors_of_their_keys_and_logout_works() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    damage(&site.store.inner, &browser, |record| {
        Record::new(Version::from_u64(7), record.header(), [99, 1, 2])
    })
    .await;
    assert_eq!(
        browser.visit(read).await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        browser.visit(start).await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        browser.visit(cycle).await.status(),
        StatusCode::OK,
        "the values are not looked at"
    );
    let response = browser.visit(logout).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::OK, Told::Removal)
    );
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn a_fresh_login_leaves_values_that_do_not_decode_behind() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    damage(&site.store.inner, &browser, |record| {
        Record::new(Version::from_u64(7), record.header(), [99, 1, 2])
    })
    .await;
    let login = |session: Session| async move {
        session.login_fresh("1")?;
        session.insert("a", 5)?;
        Ok(StatusCode::OK)
    };
    assert_eq!(browser.visit(login).await.status(), StatusCode::OK);
    assert_eq!(browser.principal().await.as_deref(), Some("1"));
    assert_eq!(browser.read("a").await, Some(5));
    assert_eq!(site.store.inner.len(), 1, "the old session has ended");
}

#[tokio::test]
async fn a_key_that_resets_takes_claims_and_updates_another_type_as_missing() {
    const WORD: SessionKey<u32> = SessionKey::new("word").or_reset();
    let site = Site::new();
    let mut browser = site.visitor().await;
    let write = |session: Session| async move {
        session.insert("word", "nine")?;
        Ok(StatusCode::OK)
    };
    let look = |session: Session| async move {
        assert_eq!(session.claim(WORD).await?, None);
        assert_eq!(session.take(WORD)?, None);
        Ok(StatusCode::OK)
    };
    let count = |session: Session| async move {
        session.update(WORD, |word| *word += 1)?;
        assert_eq!(session.get(WORD)?, Some(1));
        Ok(StatusCode::OK)
    };
    for handler in [
        handler(write),
        handler(look),
        handler(write),
        handler(count),
    ] {
        assert_eq!(browser.visit(handler).await.status(), StatusCode::OK);
    }
    assert_eq!(browser.read("word").await, Some(1));
}

#[test]
fn a_principal_of_another_type_is_said_to_be_that() {
    let session: Session = Session::for_test([("a", 1)]);
    session.login("ada").unwrap();
    let error = session.require_principal::<u64>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPrincipal);
    assert_eq!(error.key(), None);
    assert_eq!(
        error.to_string(),
        "who is signed in does not parse as `u64`; ask for the type that `login` was given"
    );
    let too_short = session.login("").unwrap_err().to_string();
    assert!(
        too_short.starts_with("a principal has 1 to 255 bytes"),
        "{too_short}"
    );
}

#[tokio::test]
async fn one_value_of_another_type_is_an_error_of_its_key_and_never_overwritten() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let response = browser
        .visit(|session| async move {
            session.insert("word", "nine")?;
            let error = session
                .update("word", |word: &mut u32| *word += 1)
                .unwrap_err();
            assert_eq!(
                (error.kind(), error.key()),
                (ErrorKind::UndecodableValue, Some("word"))
            );
            assert_eq!(
                session.claim::<u32>("word").await.unwrap_err().kind(),
                ErrorKind::UndecodableValue
            );
            assert_eq!(
                session.take::<u32>("word").unwrap_err().kind(),
                ErrorKind::UndecodableValue
            );
            assert_eq!(session.get::<u32>("a")?, Some(1));
            assert_eq!(session.get::<String>("word")?.as_deref(), Some("nine"));
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_an_error_and_the_old_state_is_intact() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let response = browser
        .visit(|session| async move {
            let large = "x".repeat(40_000);
            let deep = (0..40).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
            assert_eq!(
                session.insert("a", large).unwrap_err().kind(),
                ErrorKind::TooLarge
            );
            assert_eq!(
                session.insert("a", deep).unwrap_err().kind(),
                ErrorKind::TooLarge
            );
            assert_eq!(
                session.insert("", 1).unwrap_err().kind(),
                ErrorKind::InvalidKey
            );
            assert_eq!(
                session.insert("k".repeat(129), 1).unwrap_err().kind(),
                ErrorKind::InvalidKey
            );
            assert_eq!(
                session.login("p".repeat(256)).unwrap_err().kind(),
                ErrorKind::InvalidPrincipal
            );
            assert_eq!(session.get::<u32>("a")?, Some(1));
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(site.store.calls(), "load");
}

/// Polls a future once, outside of any runtime.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_logout_that_the_store_refuses_is_a_503_without_a_runtime_too() {
    let site = Site::new();
    let Poll::Ready(browser) = poll_once(pin!(site.visitor())) else {
        unreachable!("the store answers at once")
    };
    site.store.fail("delete", Fault::Unavailable);
    let Poll::Ready(response) = poll_once(pin!(browser.send(Request::default(), logout))) else {
        unreachable!("the store answers at once")
    };
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::SERVICE_UNAVAILABLE, Told::Removal)
    );
}

#[test]
fn a_request_with_a_logout_may_be_dropped_after_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let site = Site::new();
    let browser = runtime.block_on(site.visitor());
    site.store.fail("delete", Fault::HangBefore);
    let slow = |session: Session| async move {
        session.logout()?;
        std::future::pending().await
    };
    let mut request = Box::pin(browser.send(Request::default(), slow));
    runtime.block_on(async { assert!(poll_once(request.as_mut()).is_pending()) });
    drop(runtime);
    drop(request);
}

#[tokio::test]
async fn an_observer_that_panics_while_a_handlers_panic_unwinds_does_not_end_the_process() {
    let site = Site::with(|builder| {
        builder.with_observer(|event: &Event<'_>| {
            assert_ne!(
                event.kind().name(),
                "session_logout",
                "the observer's own fault"
            );
        })
    });
    let browser = site.visitor().await;
    let request = tokio::spawn(async move {
        let panics = |session: Session| async move {
            session.logout()?;
            panic!("the handler's own fault");
        };
        browser.send(Request::default(), panics).await;
    });
    assert!(request.await.unwrap_err().is_panic());
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn a_login_whose_outcome_stays_unknown_leaves_no_session_of_its_principal() {
    use tenure::store::SessionStore;
    let handle = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = handle.clone();
    let site = Site::with(|builder| {
        builder.with_observer(move |event: &Event<'_>| {
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

#[tokio::test(start_paused = true)]
async fn a_login_as_another_that_fails_ends_nobodys_session() {
    let site = Site::new();
    let mut browser = site.member("1").await;
    site.store.fail("delete", Fault::Unavailable);
    let login = |session: Session| async move {
        session.login("2")?;
        Ok(StatusCode::OK)
    };
    let response = browser.visit(login).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::SERVICE_UNAVAILABLE, Told::Nothing)
    );
    site.layer.drained().await;
    assert_eq!(browser.principal().await.as_deref(), Some("1"));
}
