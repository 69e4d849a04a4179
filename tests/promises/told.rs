//! What those are told who watch, and what the settings of a layer do.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::response::IntoResponse;
use http::{Request, StatusCode, header};
use tenure::{
    Error, Event, Lifetime, SameSite, Session, SessionLayer, SessionLayerBuilder, SessionLimit,
    store::MemoryStore,
};

use crate::support::{Answered, Browser, Fault, Gate, Site, send};

async fn increment(session: Session) -> Answered {
    session.update("a", |a: &mut u32| *a += 1)?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

/// Names of events, each with the principal it is about.
#[derive(Clone, Default)]
struct Audit(Arc<Mutex<Vec<String>>>);

impl Audit {
    fn site(&self) -> Site {
        Site::with(|builder| self.watching(builder))
    }

    fn watching(&self, builder: SessionLayerBuilder) -> SessionLayerBuilder {
        let seen = self.0.clone();
        builder.with_observer(move |event: &Event<'_>| {
            let name = event.kind().name().to_owned();
            let by = event.principal();
            let by = by.map(|principal| format!(" by {principal}"));
            seen.lock().unwrap().push(name + &by.unwrap_or_default());
        })
    }

    fn told(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(", ")
    }
}

/// Sends a request with these cookies that changes the session.
async fn bring(site: &Site, cookies: &[&str]) {
    let request = Request::builder().header(header::COOKIE, cookies.join("; "));
    send(&site.layer, request.body(String::new()).unwrap(), increment).await;
}

#[tokio::test]
async fn an_id_that_opens_nothing_is_told_with_the_reason() {
    let audit = Audit::default();
    let mut site = audit.site();
    let visitors = [
        site.visitor().await,
        site.visitor().await,
        site.visitor().await,
        site.visitor().await,
        site.visitor().await,
    ];
    let cookies = visitors
        .each_ref()
        .map(|browser| browser.cookie.as_deref().unwrap());
    let mut wrong = cookies[0].to_owned();
    let last = if wrong.pop() == Some('A') { 'B' } else { 'A' };
    wrong.push(last);
    audit.told();
    bring(&site, &cookies[..2]).await;
    assert_eq!(audit.told(), "session_id_ambiguous, session_created");
    bring(&site, &cookies).await;
    assert_eq!(audit.told(), "session_ids_too_many, session_created");
    bring(&site, &[&wrong]).await;
    assert_eq!(audit.told(), "session_id_wrong_secret, session_created");
    let short = Lifetime::new().with_absolute(Duration::from_secs(60));
    let strict = SessionLayer::builder(site.store.clone()).with_lifetime(short);
    site.layer = audit.watching(strict).build().unwrap();
    site.clock.advance(Duration::from_secs(61));
    bring(&site, &cookies[..1]).await;
    assert_eq!(audit.told(), "session_use_after_expire, session_created");
}

#[tokio::test]
async fn whose_sessions_are_ended_from_elsewhere_is_told() {
    let audit = Audit::default();
    let limit = SessionLimit::evict_oldest(2);
    let site = Site::with_index(|builder| audit.watching(builder).with_session_limit(limit));
    for _ in 0..2 {
        site.member("ada").await;
    }
    audit.told();
    site.member("ada").await;
    assert_eq!(
        audit.told(),
        "session_created, session_evicted by ada, session_authenticated by ada"
    );
    let sessions = site.layer.sessions();
    let handle = sessions.list("ada").await.unwrap()[0].handle();
    assert!(sessions.revoke("ada", handle).await.unwrap());
    assert_eq!(sessions.revoke_all("ada").await.unwrap(), 1);
    assert_eq!(
        audit.told(),
        "session_revoked by ada, session_revoked by ada"
    );
}

#[tokio::test]
async fn who_signs_in_and_what_comes_too_late_is_told() {
    let audit = Audit::default();
    let site = audit.site();
    let browser = site.member("1").await;
    assert_eq!(audit.told(), "session_created, session_authenticated by 1");
    let gate = Gate::new();
    let (inside, mut other_tab) = (gate.clone(), browser.clone());
    let slow = move |session: Session| async move {
        inside.pass().await;
        increment(session).await
    };
    for (change, told) in [
        (increment_boxed as fn(Session) -> _, "session_conflict"),
        (destroy_boxed, "session_destroyed, session_gone"),
    ] {
        tokio::join!(browser.send(Request::default(), slow.clone()), async {
            gate.reached().await;
            other_tab.visit(change).await;
            gate.open();
        });
        assert_eq!(audit.told(), told);
    }
}

type Boxed = std::pin::Pin<Box<dyn Future<Output = Answered> + Send>>;

fn increment_boxed(session: Session) -> Boxed {
    Box::pin(increment(session))
}

fn destroy_boxed(session: Session) -> Boxed {
    Box::pin(async move {
        session.destroy()?;
        Ok(StatusCode::OK)
    })
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_given_up_is_told_at_the_end() {
    let audit = Audit::default();
    let site = audit.site();
    let mut browser = site.visitor().await;
    (0..100).for_each(|_| site.store.fail("delete", Fault::Unavailable));
    browser.visit(logout).await;
    audit.told();
    site.layer.drained().await;
    assert_eq!(audit.told(), "session_store_failed");
    assert!(site.store.calls().split(' ').count() < 20, "it is bounded");
}

#[tokio::test]
async fn settings_of_the_cookie_are_in_the_cookie() {
    type Setting = fn(SessionLayerBuilder) -> SessionLayerBuilder;
    let settings: [(Setting, &str); 5] = [
        (|builder| builder.with_partitioned(), "; Partitioned"),
        (
            |builder| builder.with_same_site(SameSite::Strict),
            "; SameSite=Strict",
        ),
        (
            |builder| builder.with_name("__Secure-id").with_path("/shop"),
            "; Path=/shop",
        ),
        (
            |builder| builder.with_name("__Secure-id").with_domain("example.com"),
            "; Domain=example.com",
        ),
        (
            |builder| builder.with_same_site(SameSite::None),
            "; SameSite=None; Secure",
        ),
    ];
    for (setting, attribute) in settings {
        let site = Site::with(setting);
        let response = site.browser().visit(increment).await;
        let field = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(field.contains(attribute), "{attribute} in {field}");
        let removal = site.browser();
        let cookie = field.split(';').next().unwrap().to_owned();
        let browser = Browser {
            cookie: Some(cookie),
            ..removal
        };
        let response = browser.send(Request::default(), logout).await;
        let field = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(field.contains(attribute), "{attribute} in {field}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_outs_that_are_set_are_those_that_hold() {
    let soon = Duration::from_millis(50);
    let site = Site::with(|builder| builder.with_load_timeout(soon).with_commit_timeout(soon));
    let mut browser = site.visitor().await;
    for verb in ["load", "update"] {
        site.store.fail(verb, Fault::HangBefore);
        site.store.fail(verb, Fault::HangBefore);
        let answered = tokio::time::timeout(2 * soon, browser.visit(increment)).await;
        let response = answered.expect("the default would take seconds");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{verb}");
        site.store.forget_faults();
    }
    for refused in [
        SessionLayer::builder(MemoryStore::new()).with_load_timeout(Duration::ZERO),
        SessionLayer::builder(MemoryStore::new()).with_commit_timeout(Duration::ZERO),
    ] {
        assert!(
            refused
                .build()
                .unwrap_err()
                .to_string()
                .contains("time-out")
        );
    }
}

/// Returns the body that axum sends for an error.
async fn body(error: Error) -> String {
    let body = error.into_response().into_body();
    let bytes = http_body_util::BodyExt::collect(body).await.unwrap();
    String::from_utf8(bytes.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_visitor_is_not_told_what_is_wrong_inside() {
    let session: Session = Session::for_test([("secret project", 1)]);
    let error = session.get::<String>("secret project").unwrap_err();
    assert!(error.to_string().contains("secret project"));
    assert!(!body(error).await.contains("project"));
}
