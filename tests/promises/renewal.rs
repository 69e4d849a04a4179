//! A new id by the clock: nobody is logged out by it, and a copy of an old one is noticed.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, StatusCode, header};
use tenure::{
    Event, Lifetime, OnFailure, OnReuse, Renewal, SessionLayer, SessionLayerBuilder,
    store::MemoryStore,
};

use crate::support::{Answered, Browser, Fault, Gate, Site, Told, handle_in, told};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A site that renews ids every ten minutes, and the names of its events.
struct Renewing {
    site: Site,
    events: Arc<Mutex<Vec<&'static str>>>,
}

impl Renewing {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(settings: impl FnOnce(SessionLayerBuilder) -> SessionLayerBuilder) -> Self {
        let events = Arc::<Mutex<Vec<_>>>::default();
        let seen = events.clone();
        let site = Site::with(|builder| {
            let builder = builder.with_renewal(Renewal::every(10 * MINUTE));
            settings(builder.with_observer(move |event: &Event<'_>| {
                seen.lock().unwrap().push(event.kind().name());
            }))
        });
        Self { site, events }
    }

    /// Returns a browser whose id is old enough for another.
    async fn due(&self) -> Browser {
        let browser = self.site.visitor().await;
        self.site.clock.advance(10 * MINUTE);
        self.events.lock().unwrap().clear();
        browser
    }

    fn happened(&self) -> String {
        std::mem::take(&mut *self.events.lock().unwrap()).join(" ")
    }
}

/// Reads, and answers that all is well.
async fn look(session: tenure::Session) -> Answered {
    session.get::<u32>("a")?;
    Ok(StatusCode::OK)
}

async fn write(session: tenure::Session) -> Answered {
    session.insert("b", 2)?;
    Ok(StatusCode::OK)
}

/// Sends a request that looks, and takes the cookie in.
async fn visit(browser: &mut Browser) -> Told {
    let response = browser.visit(look).await;
    assert_eq!(response.status(), StatusCode::OK);
    told(&response)
}

/// Tells whether a request is answered and sees the session.
async fn sees(browser: &Browser) -> bool {
    browser.read("a").await == Some(1)
}

#[tokio::test]
async fn an_id_gets_a_successor_once_it_is_old_enough_and_not_before() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let first = browser.clone();
    assert_eq!(visit(&mut browser).await, Told::Id);
    assert_ne!(browser.cookie, first.cookie);
    assert_eq!(
        handle_in(browser.cookie.as_ref().unwrap()),
        handle_in(first.cookie.as_ref().unwrap()),
        "the handle stays"
    );
    assert_eq!(renewing.happened(), "session_renewed");
    assert_eq!(visit(&mut browser).await, Told::Nothing);
    renewing.site.clock.advance(10 * MINUTE - SECOND);
    assert_eq!(visit(&mut browser).await, Told::Nothing);
    renewing.site.clock.advance(SECOND);
    assert_eq!(visit(&mut browser).await, Told::Id);
}

#[tokio::test]
async fn a_layer_without_renewal_keeps_the_id() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    for _ in 0..10 {
        site.clock.advance(20 * MINUTE);
        assert_eq!(visit(&mut browser).await, Told::Nothing);
    }
}

#[tokio::test]
async fn the_old_id_opens_the_session_until_the_new_one_was_shown_and_for_the_grace_after() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let old = browser.clone();
    visit(&mut browser).await;
    renewing.site.clock.advance(5 * MINUTE);
    assert!(sees(&old).await, "the new one was not shown");
    assert_eq!(visit(&mut browser).await, Told::Nothing);
    renewing.site.clock.advance(29 * SECOND);
    assert!(sees(&old).await, "a request that was on its way");
    assert_eq!(
        old.send(Request::new(String::new()), write).await.status(),
        StatusCode::OK
    );
    assert_eq!(browser.read("b").await, Some(2), "and it may write");
    renewing.happened();
    renewing.site.clock.advance(SECOND);
    assert!(!sees(&old).await);
    assert_eq!(renewing.happened(), "session_id_reused");
    assert!(sees(&browser).await);
}

#[tokio::test]
async fn a_lost_response_logs_nobody_out_and_is_followed_by_another_after_a_minute() {
    let renewing = Renewing::new();
    let browser = renewing.due().await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let mut lost = browser.clone();
        assert_eq!(visit(&mut lost).await, Told::Id);
        answers.push(lost);
        renewing.site.clock.advance(MINUTE - SECOND);
        assert_eq!(
            visit(&mut browser.clone()).await,
            Told::Nothing,
            "too early"
        );
        renewing.site.clock.advance(SECOND);
    }
    assert!(sees(&answers[1]).await, "it is shown, and beside the last");
    assert!(sees(&answers[2]).await, "within the grace");
    assert!(sees(&browser).await, "within the grace");
    renewing.site.clock.advance(MINUTE);
    assert!(!sees(&browser).await);
    assert!(sees(&answers[1]).await, "what was shown goes on");
    assert!(!sees(&answers[2]).await, "what was sent beside it");
}

#[tokio::test]
async fn parallel_requests_get_one_successor_and_none_is_refused() {
    let renewing = Renewing::new();
    let browser = renewing.due().await;
    let (first, second) = (Gate::new(), Gate::new());
    let mut running = Vec::new();
    for (gate, handler) in [(&first, false), (&second, true)] {
        let (browser, gate) = (browser.clone(), gate.clone());
        running.push(tokio::spawn(async move {
            let visit = move |session: tenure::Session| async move {
                gate.pass().await;
                if handler {
                    write(session).await
                } else {
                    look(session).await
                }
            };
            browser.send(Request::new(String::new()), visit).await
        }));
    }
    first.reached().await;
    second.reached().await;
    first.open();
    let reading = running.remove(0).await.unwrap();
    second.open();
    let writing = running.remove(0).await.unwrap();
    assert_eq!(
        (told(&reading), reading.status()),
        (Told::Id, StatusCode::OK)
    );
    assert_eq!(
        (told(&writing), writing.status()),
        (Told::Nothing, StatusCode::OK),
        "never in a replay"
    );
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_failed_response_brings_no_new_id() {
    for on_failure in [OnFailure::Discard, OnFailure::Commit] {
        let renewing = Renewing::with(|builder| builder.with_on_failure(on_failure));
        let mut browser = renewing.due().await;
        for status in [
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::REQUEST_TIMEOUT,
        ] {
            let fail = move |session: tenure::Session| async move {
                session.insert("b", 2)?;
                Ok(status)
            };
            assert_eq!(told(&browser.visit(fail).await), Told::Nothing, "{status}");
        }
        assert_eq!(visit(&mut browser).await, Told::Id, "the next one does");
    }
}

#[tokio::test]
async fn a_renewal_that_cannot_be_stored_fails_no_request_and_is_an_event() {
    for fault in [Fault::Unavailable, Fault::LostBefore] {
        let renewing = Renewing::new();
        let mut browser = renewing.due().await;
        let is_lost = matches!(fault, Fault::LostBefore);
        renewing.site.store.fail("update", fault);
        if is_lost {
            renewing.site.store.fail("update", Fault::Unavailable);
        }
        assert_eq!(visit(&mut browser).await, Told::Nothing);
        assert!(renewing.happened().ends_with("session_renewal_failed"));
        assert_eq!(visit(&mut browser).await, Told::Id);
        assert!(sees(&browser).await);
    }
}

#[tokio::test]
async fn a_session_that_is_ended_by_its_own_request_has_no_failed_renewal() {
    let renewing = Renewing::new();
    let browser = renewing.due().await;
    let sessions = renewing.site.layer.sessions();
    renewing.happened();
    let end = move |session: tenure::Session| async move {
        let handle = session.handle().unwrap();
        assert!(sessions.revoke_of_anybody(handle).await?);
        Ok(StatusCode::OK)
    };
    let response = browser.send(Request::default(), end).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(renewing.happened(), "session_revoked");
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_is_sent_once_more_and_counts_once() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let old = browser.clone();
    renewing.site.store.fail("update", Fault::LostAfter);
    assert_eq!(visit(&mut browser).await, Told::Id);
    assert!(sees(&browser).await && sees(&old).await);
}

#[tokio::test]
async fn a_privilege_change_retires_all_ids_at_once() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let first = browser.clone();
    visit(&mut browser).await;
    visit(&mut browser).await;
    let second = browser.clone();
    renewing.site.clock.advance(10 * MINUTE);
    let mut unshown = browser.clone();
    visit(&mut unshown).await;
    let login = |session: tenure::Session| async move {
        session.login("ada")?;
        Ok(StatusCode::OK)
    };
    assert_eq!(told(&browser.visit(login).await), Told::Id);
    for (case, old) in [
        ("the current one", &second),
        ("one not shown", &unshown),
        ("one before", &first),
    ] {
        assert!(!sees(old).await, "{case}");
    }
    for (case, old) in [("the current one", &second), ("one not shown", &unshown)] {
        let answer = old.send(Request::new(String::new()), write).await;
        assert_eq!(answer.status(), StatusCode::CONFLICT, "{case}");
    }
    assert!(sees(&browser).await);
}

#[tokio::test]
async fn a_copy_that_is_used_after_the_grace_ends_the_session_if_the_layer_says_so() {
    for (on_reuse, ends) in [(OnReuse::Report, false), (OnReuse::End, true)] {
        let renewal = Renewal::every(10 * MINUTE)
            .with_grace(5 * SECOND)
            .with_on_reuse(on_reuse);
        let renewing = Renewing::with(|builder| builder.with_renewal(renewal));
        let mut browser = renewing.due().await;
        let copy = browser.clone();
        visit(&mut browser).await;
        visit(&mut browser).await;
        renewing.site.clock.advance(5 * SECOND);
        renewing.happened();
        assert!(!sees(&copy).await);
        let expected = match ends {
            true => "session_id_reused session_ended_after_reuse",
            false => "session_id_reused",
        };
        assert_eq!(renewing.happened(), expected);
        assert_eq!(sees(&browser).await, !ends, "{on_reuse:?}");
    }
}

#[tokio::test]
async fn a_copy_ends_the_session_though_another_id_that_opens_nothing_comes_beside_it() {
    let renewal = Renewal::every(10 * MINUTE).with_on_reuse(OnReuse::End);
    for is_first in [true, false] {
        let renewing = Renewing::with(|builder| builder.with_renewal(renewal));
        let mut browser = renewing.due().await;
        let copy = browser.cookie.clone().unwrap();
        visit(&mut browser).await;
        visit(&mut browser).await;
        renewing.site.clock.advance(MINUTE);
        let name = copy.split('=').next().unwrap();
        let other = format!("{name}={}", "A".repeat(64));
        let both = match is_first {
            true => format!("{copy}; {other}"),
            false => format!("{other}; {copy}"),
        };
        renewing.happened();
        let both = Browser {
            cookie: Some(both),
            ..browser.clone()
        };
        assert!(!sees(&both).await);
        assert!(renewing.happened().ends_with("session_ended_after_reuse"));
        assert!(!sees(&browser).await, "the copy came first: {is_first}");
    }
}

#[tokio::test]
async fn a_copy_from_before_a_login_ends_nothing() {
    let renewal = Renewal::every(10 * MINUTE).with_on_reuse(OnReuse::End);
    let renewing = Renewing::with(|builder| builder.with_renewal(renewal));
    let mut browser = renewing.due().await;
    let planted = browser.clone();
    visit(&mut browser).await;
    visit(&mut browser).await;
    let login = |session: tenure::Session| async move {
        session.login("ada")?;
        Ok(StatusCode::OK)
    };
    browser.visit(login).await;
    renewing.site.clock.advance(5 * MINUTE);
    assert!(!sees(&planted).await);
    assert!(
        sees(&browser).await,
        "whoever planted the id cannot end the session"
    );
}

#[tokio::test]
async fn of_two_ids_of_one_session_the_later_counts_and_nobody_is_logged_out() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let old = browser.cookie.clone().unwrap();
    visit(&mut browser).await;
    let new = browser.cookie.clone().unwrap();
    for twins in [format!("{old}; {new}"), format!("{new}; {old}")] {
        let both = Browser {
            cookie: Some(twins),
            ..browser.clone()
        };
        assert!(sees(&both).await);
    }
    renewing.site.clock.advance(MINUTE);
    renewing.happened();
    assert!(sees(&browser).await, "it was confirmed");
    assert!(
        !sees(&Browser {
            cookie: Some(old),
            ..browser
        })
        .await
    );
}

#[tokio::test]
async fn the_generation_stays_and_the_time_of_the_draw_is_told() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let before = move |session: tenure::Session| async move {
        sender
            .send((session.generation(), session.rotated_at()))
            .unwrap();
        Ok(StatusCode::OK)
    };
    browser.visit(before).await;
    let (generation, drawn) = receiver.await.unwrap();
    visit(&mut browser).await;
    let after = move |session: tenure::Session| async move {
        assert_eq!(session.generation(), generation);
        assert!(session.rotated_at() > drawn);
        Ok(StatusCode::OK)
    };
    assert_eq!(browser.visit(after).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_longer_life_is_told_without_taking_a_later_id_from_the_browser() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let mut late = browser.clone();
    visit(&mut browser).await;
    visit(&mut browser).await;
    let remember = |session: tenure::Session| async move {
        session.set_lifetime(Lifetime::persistent())?;
        Ok(StatusCode::OK)
    };
    let response = late.visit(remember).await;
    let told = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(told.contains("Max-Age"), "{told}");
    renewing.site.clock.advance(MINUTE);
    assert!(
        sees(&late).await,
        "what the browser holds last opens the session for good"
    );
}

#[tokio::test]
async fn a_login_is_listed_as_not_shown_until_a_request_comes_with_its_cookie() {
    let store = MemoryStore::new();
    let layer = SessionLayer::new(store);
    let sessions = layer.sessions();
    let cookie = tenure::testing::signed_in(&layer, "ada").await;
    assert!(!sessions.list("ada").await.unwrap()[0].was_shown());
    let browser = Browser {
        layer,
        cookie: Some(cookie.to_str().unwrap().to_owned()),
    };
    assert_eq!(browser.principal().await.as_deref(), Some("ada"));
    assert!(sessions.list("ada").await.unwrap()[0].was_shown());
}

#[tokio::test]
async fn beyond_the_limit_a_login_that_was_never_shown_ends_first() {
    let limit = tenure::SessionLimit::evict_oldest(2);
    let builder = SessionLayer::builder(MemoryStore::new());
    let layer = builder.with_session_limit(limit).build().unwrap();
    let sign_in = || tenure::testing::signed_in(&layer, "ada");
    let browser = |cookie: http::HeaderValue| Browser {
        layer: layer.clone(),
        cookie: Some(cookie.to_str().unwrap().to_owned()),
    };
    let shown = browser(sign_in().await);
    assert!(shown.principal().await.is_some());
    let lost = browser(sign_in().await);
    let last = browser(sign_in().await);
    assert!(shown.principal().await.is_some(), "the oldest stays");
    assert!(lost.principal().await.is_none());
    assert!(last.principal().await.is_some());
}

/// Sends a request that waits at a gate before it does something; returns when it stands there.
async fn slow<F>(
    browser: &Browser,
    gate: &Gate,
    then: impl FnOnce(tenure::Session) -> F + Send + 'static,
) -> tokio::task::JoinHandle<http::Response<String>>
where
    F: Future<Output = Answered> + Send + 'static,
{
    let (slow, passing) = (browser.clone(), gate.clone());
    let handler = move |session: tenure::Session| async move {
        passing.pass().await;
        then(session).await
    };
    let request =
        tokio::spawn(async move { slow.send(Request::new(String::new()), handler).await });
    gate.reached().await;
    request
}

#[tokio::test]
async fn a_slow_request_may_write_however_long_ago_its_id_was_renewed() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let gate = Gate::new();
    let request = slow(&browser, &gate, write).await;
    visit(&mut browser).await;
    visit(&mut browser).await;
    renewing.site.clock.advance(5 * MINUTE);
    gate.open();
    assert_eq!(request.await.unwrap().status(), StatusCode::OK);
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_longer_life_told_by_a_replay_takes_no_later_id_from_the_browser() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let gate = Gate::new();
    let mut late = browser.clone();
    let remember = |session: tenure::Session| async move {
        session.set_lifetime(Lifetime::persistent())?;
        Ok(StatusCode::OK)
    };
    let request = slow(&late, &gate, remember).await;
    visit(&mut browser).await;
    visit(&mut browser).await;
    gate.open();
    let response = request.await.unwrap();
    assert_eq!(told(&response), Told::Id);
    late.take_in(response.headers());
    renewing.site.clock.advance(MINUTE);
    assert!(
        sees(&late).await,
        "what the browser holds last opens the session for good"
    );
}

#[tokio::test]
async fn whoever_copied_the_id_before_cannot_push_out_the_one_its_browser_holds() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    let thief = browser.clone();
    visit(&mut browser).await;
    for _ in 0..9 {
        renewing.site.clock.advance(2 * MINUTE);
        assert!(sees(&thief).await);
    }
    assert!(sees(&browser).await, "it comes back");
    renewing.site.clock.advance(MINUTE);
    renewing.happened();
    assert!(!sees(&thief).await);
    assert_eq!(renewing.happened(), "session_id_reused");
    assert!(sees(&browser).await);
}

#[tokio::test]
async fn a_thief_who_takes_the_new_ids_and_shows_none_is_told_of_in_each_time_of_a_renewal() {
    let renewing = Renewing::new();
    let mut owner = renewing.due().await;
    let thief = owner.clone();
    for _ in 0..3 {
        assert_eq!(visit(&mut thief.clone()).await, Told::Id);
        assert_eq!(visit(&mut owner).await, Told::Nothing, "he comes too late");
        renewing.site.clock.advance(MINUTE);
    }
    assert!(!renewing.happened().contains("session_renewal_unshown"));
    for _ in 0..9 {
        renewing.site.clock.advance(10 * MINUTE);
        visit(&mut thief.clone()).await;
        visit(&mut owner).await;
        assert_eq!(
            renewing.happened(),
            "session_renewed session_renewal_unshown"
        );
    }
    renewing.site.clock.advance(10 * MINUTE);
    assert_eq!(visit(&mut owner).await, Told::Id, "he comes first once");
    visit(&mut owner).await;
    renewing.site.clock.advance(MINUTE);
    assert!(!sees(&thief).await && sees(&owner).await);
}

#[tokio::test]
async fn a_browser_that_has_lost_three_answers_is_renewed_again() {
    let renewing = Renewing::new();
    let mut browser = renewing.due().await;
    for _ in 0..3 {
        assert_eq!(visit(&mut browser.clone()).await, Told::Id);
        renewing.site.clock.advance(MINUTE);
    }
    renewing.site.clock.advance(9 * MINUTE - SECOND);
    assert_eq!(visit(&mut browser).await, Told::Nothing, "too early");
    renewing.site.clock.advance(SECOND);
    assert_eq!(visit(&mut browser).await, Told::Id);
    assert!(sees(&browser).await);
}

#[tokio::test]
async fn an_id_that_gave_way_ends_the_session_of_who_took_the_others_if_the_layer_says_so() {
    let renewal = Renewal::every(10 * MINUTE).with_on_reuse(OnReuse::End);
    let renewing = Renewing::with(|builder| builder.with_renewal(renewal));
    let thief = renewing.due().await;
    let mut owner = thief.clone();
    for asks in 0..7 {
        renewing.site.clock.advance(10 * MINUTE);
        let mut taken = thief.clone();
        assert_eq!(visit(&mut taken).await, Told::Id);
        if asks == 5 {
            owner = taken; // he came first once, and was away since
        }
    }
    renewing.happened();
    assert!(!sees(&owner).await);
    let happened = renewing.happened();
    assert_eq!(happened, "session_id_reused session_ended_after_reuse");
    assert!(!sees(&thief).await);
}

#[tokio::test]
async fn a_session_that_ends_because_its_id_was_copied_closes_what_is_open() {
    let renewal = Renewal::every(10 * MINUTE).with_on_reuse(OnReuse::End);
    let renewing = Renewing::with(|builder| builder.with_renewal(renewal));
    let mut browser = renewing.due().await;
    let copy = browser.clone();
    visit(&mut browser).await;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let open = |session: tenure::Session| async move {
        sender.send(session.detach()?).unwrap();
        Ok(StatusCode::OK)
    };
    browser.visit(open).await;
    let live = receiver.await.unwrap();
    renewing.site.clock.advance(MINUTE);
    assert!(!sees(&copy).await);
    assert_eq!(live.ended().await, tenure::Ended::Gone);
}

#[test]
fn a_grace_of_more_than_a_minute_is_an_error_that_names_the_mend() {
    for (seconds, is_good) in [(60, true), (61, false)] {
        let renewal = Renewal::every(MINUTE).with_grace(SECOND * seconds);
        let builder = SessionLayer::builder(MemoryStore::new()).with_renewal(renewal);
        let refused = builder.build().err().map(|error| error.to_string());
        assert_eq!(refused.is_none(), is_good);
        assert!(refused.is_none_or(|error| error.contains("with_grace")));
    }
}
