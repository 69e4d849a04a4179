//! What an attacker tries that has no better place: see `docs/security.md`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    io,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use http::{Request, Response, StatusCode, header};
use tenure::{
    Event, HeaderTransport, Lifetime, Session, SessionLayer,
    store::{MemoryStore, SessionStore},
    testing::signed_in,
};

use crate::support::{Answered, Browser, Site, Told, handler, send, told};

const SECOND: Duration = Duration::from_secs(1);

async fn read(session: Session) -> Answered {
    session.get::<u32>("a")?;
    Ok(StatusCode::OK)
}

async fn write(session: Session) -> Answered {
    session.insert("b", 1)?;
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

/// Returns the id in `name=value`.
fn id_of(browser: &Browser) -> String {
    let cookie = browser.cookie.as_deref().unwrap();
    cookie.split_once('=').unwrap().1.to_owned()
}

async fn fresh_ids(count: usize) -> Vec<String> {
    let site = Site::new();
    let mut ids = Vec::new();
    for _ in 0..count {
        let cookie = signed_in(&site.layer, "1").await;
        let text = cookie.to_str().unwrap();
        ids.push(text.split_once('=').unwrap().1.to_owned());
    }
    ids
}

#[tokio::test]
async fn no_part_of_an_id_is_fixed_or_can_be_guessed_from_another() {
    let ids = fresh_ids(2_000).await;
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    for place in 0..64 {
        let symbols: HashSet<_> = ids.iter().map(|id| id.as_bytes()[place]).collect();
        assert_eq!(symbols.len(), 64, "place {place}");
    }
}

#[tokio::test]
async fn an_id_says_nothing_about_its_user_or_the_time() {
    // The same user at the same moment, on a clock that stands still.
    let ids = fresh_ids(100).await;
    for pair in ids.windows(2) {
        let same = pair[0]
            .bytes()
            .zip(pair[1].bytes())
            .filter(|(one, other)| one == other)
            .count();
        assert!(same < 16, "{same} of 64 characters are the same: {pair:?}");
    }
}

#[tokio::test]
async fn an_id_that_a_visitor_made_up_is_never_adopted() {
    let site = Site::new();
    let chosen = "A".repeat(64);
    for handler in [handler(write), handler(login)] {
        let mut browser = site.browser();
        browser.cookie = Some(format!("__Host-Http-id={chosen}"));
        let response = browser.visit(handler).await;
        assert_eq!(told(&response), Told::Id);
        assert_ne!(id_of(&browser), chosen);
        assert_ne!(id_of(&browser)[..21], chosen[..21], "nor its handle");
    }
}

#[tokio::test]
async fn a_handle_alone_opens_nothing() {
    let site = Site::new();
    let member = site.member("1").await;
    let mut thief = site.browser();
    for secret in ["A".repeat(42), id_of(&member)[..42].to_owned()] {
        let handle = &id_of(&member)[..22];
        thief.cookie = Some(format!("__Host-Http-id={handle}{secret}"));
        assert_eq!(thief.principal().await, None);
    }
    assert_eq!(member.principal().await.as_deref(), Some("1"));
}

#[tokio::test]
async fn an_old_id_is_worthless_to_a_thief_after_logout_and_after_the_next_login() {
    let site = Site::new();
    let mut browser = site.member("1").await;
    let stolen = browser.clone();
    browser.visit(logout).await;
    assert_eq!(stolen.principal().await, None);
    browser.visit(login).await;
    assert_eq!(stolen.principal().await, None);
    assert_eq!(browser.principal().await.as_deref(), Some("1"));
}

#[tokio::test]
async fn fifty_visitors_at_once_each_see_their_own_values() {
    let site = Site::slow();
    let mut visitors = tokio::task::JoinSet::new();
    for number in 0..50_u32 {
        let mut browser = site.browser();
        visitors.spawn(async move {
            let write = move |session: Session| async move {
                session.insert("number", number)?;
                Ok(StatusCode::OK)
            };
            browser.visit(write).await;
            (number, browser.read("number").await, id_of(&browser))
        });
    }
    let seen = visitors.join_all().await;
    assert!(seen.iter().all(|(number, read, _)| *read == Some(*number)));
    let ids: HashSet<_> = seen.iter().map(|(_, _, id)| id).collect();
    assert_eq!(ids.len(), 50);
}

#[tokio::test]
async fn what_proxies_add_to_a_request_changes_nothing() {
    let site = Site::new();
    let member = site.member("1").await;
    let ask = |forwarded: &[(&'static str, &str)]| {
        let mut request = Request::new(String::new());
        for (name, value) in forwarded {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        member.send(request, read)
    };
    let plain = ask(&[]).await;
    let forwarded = ask(&[
        ("forwarded", "for=192.0.2.1;proto=http;host=evil.example"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-original-url", "/admin"),
        ("x-real-ip", "192.0.2.1"),
    ]);
    assert_eq!(headers(&plain), headers(&forwarded.await));
}

fn headers(response: &Response<String>) -> BTreeMap<String, String> {
    let fields = response.headers().iter();
    fields
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect()
}

#[tokio::test]
async fn ordinary_visits_cause_no_event() {
    let events = Arc::new(Mutex::new(0));
    let seen = events.clone();
    let site = Site::with(move |builder| {
        builder.with_observer(move |_: &Event<'_>| *seen.lock().unwrap() += 1)
    });
    let mut browser = site.member("1").await;
    *events.lock().unwrap() = 0;
    for _ in 0..500 {
        browser.visit(read).await;
        browser.visit(write).await;
        site.browser().visit(read).await;
    }
    assert_eq!(*events.lock().unwrap(), 0);
}

thread_local! {
    /// What this test's thread has logged since it began to listen.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Begins to listen at every level. One subscriber serves all tests: scoped ones of several threads disturb each other.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(|| Log)
            .init();
    });
}

fn logged() -> String {
    LOGGED.with_borrow(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_mistake_is_logged_also_where_no_handler_answers_it() {
    listen();
    let layer = || SessionLayer::new(MemoryStore::new());
    let app = || axum::Router::<()>::new().route("/", axum::routing::get(async |_: Session| ()));
    let guard = tenure::require_fresh(Duration::from_secs(300));
    for (case, app, said) in [
        (
            "a guard outside of its layer",
            app().layer(layer()).layer(guard),
            "no session in this request",
        ),
        (
            "two layers",
            app().layer(layer()).layer(layer()),
            "two session layers with one cookie",
        ),
    ] {
        let request = Request::new(axum::body::Body::empty());
        let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
        assert!(!response.status().is_success(), "{case}");
        let logged = logged();
        let line = logged.lines().find(|line| line.contains(said));
        let line = line.unwrap_or_else(|| panic!("{case}: {logged}"));
        assert!(line.contains("session_misused"), "{case}: {line}");
    }
}

#[tokio::test]
async fn a_mistake_that_the_commit_finds_is_logged() {
    listen();
    let browser = Site::new().visitor().await;
    let mut other_tab = browser.clone();
    let read_then_write = move |session: Session| async move {
        let seen = session.get::<u32>("a")?.unwrap_or_default();
        let add = |session: Session| async move {
            session.update("a", |a: &mut u32| *a += 1)?;
            Ok(StatusCode::OK)
        };
        other_tab.visit(add).await;
        session.insert("a", seen + 1)?;
        Ok(StatusCode::OK)
    };
    let response = browser.send(Request::default(), read_then_write).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let logged = logged();
    let line = logged
        .lines()
        .find(|line| line.contains("`a` was read and then written"));
    assert!(
        line.is_some_and(|line| line.contains("session_misused")),
        "{logged}"
    );
}

#[tokio::test]
async fn an_applications_mistake_is_logged_and_its_visitor_is_not_told_to_try_again() {
    async fn unserializable(session: Session) -> Result<&'static str, tenure::Error> {
        session.insert("a", BTreeMap::from([((1, 2), 3)]))?;
        Ok("kept")
    }
    listen();
    let app: axum::Router = axum::Router::new()
        .route("/", axum::routing::get(unserializable))
        .layer(Site::new().layer);
    let request = Request::new(axum::body::Body::empty());
    let response = tower::ServiceExt::oneshot(app, request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let words = axum::body::to_bytes(response.into_body(), 1_000)
        .await
        .unwrap();
    assert_eq!(&words[..], b"something is wrong here; the log says what");
    assert!(logged().contains("the value for `a` does not serialize"));
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    listen();
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut ids = vec![id_of(&browser)];
    let old = browser.clone();
    browser.visit(login).await;
    ids.push(id_of(&browser));
    old.clone().visit(write).await;
    browser.visit(logout).await;
    old.clone().visit(write).await;
    let text = logged();
    assert!(
        text.contains("session_authenticated") && text.contains("session_superseded"),
        "{text}"
    );
    for secret in ids.iter().map(|id| &id[22..]) {
        for part in secret.as_bytes().windows(8) {
            let part = str::from_utf8(part).unwrap();
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn what_a_client_brings_in_a_header_is_neither_logged_nor_echoed() {
    listen();
    let site = Site::with(|builder| builder.with_header(HeaderTransport::bearer()));
    for value in ["zqxj".repeat(16), "zqxj".to_owned(), "zqxj ".repeat(9)] {
        let request = Request::builder().header("authorization", format!("Bearer {value}"));
        let request = request.body(String::new()).unwrap();
        let response = send(&site.layer, request, write).await;
        assert!(!format!("{response:?}").contains("zqxjzqxj"));
    }
    let text = logged();
    assert!(text.contains("session_id_malformed"), "{text}");
    let handle = "zqxj".repeat(5);
    assert!(!text.replace(&handle, "").contains("zqxj"), "{text}");
}

#[tokio::test]
async fn what_is_logged_names_the_layer_and_whom_its_application_knows() {
    struct Admin;
    listen();
    let admins = SessionLayer::builder(MemoryStore::new())
        .with_marker::<Admin>()
        .with_name("__Host-Http-admin")
        .build()
        .unwrap();
    signed_in(&admins, "root").await;
    let text = logged();
    assert!(text.contains("__Host-Http-admin"), "{text}");
    assert!(
        text.contains("root") && !text.contains("admin\\u{1f}"),
        "{text}"
    );
    assert!(!text.contains('\u{1f}'), "{text:?}");
}

#[tokio::test]
async fn what_a_visitor_sends_is_neither_logged_nor_echoed() {
    listen();
    let site = Site::new();
    let marker = "zqxj".repeat(16);
    for value in [
        marker.clone() + "\u{1b}[31m",
        "%0a".to_owned() + &marker,
        marker,
    ] {
        let cookie = format!("__Host-Http-id={}", value.replace('\u{1b}', "\u{9b}"));
        let mut request = Request::new(String::new());
        let cookie = header::HeaderValue::from_bytes(cookie.as_bytes()).unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
        let response = send(&site.layer, request, write).await;
        assert!(!format!("{response:?}").contains("zqxjzqxj"));
    }
    let text = logged();
    assert!(text.contains("session_id_malformed"), "{text}");
    // A well-formed id nobody issued is named by its handle alone.
    let handle = "zqxj".repeat(5);
    assert!(!text.replace(&handle, "").contains("zqxj"), "{text}");
}

#[tokio::test]
async fn a_connection_that_stays_open_can_ask_the_store_whether_its_session_lives() {
    let site = Site::new();
    let mut browser = site.member("1").await;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let ask = |session: Session| async move {
        sender.send(session.handle().unwrap()).unwrap();
        Ok(StatusCode::OK)
    };
    browser.visit(ask).await;
    let handle = receiver.await.unwrap();
    let lives = async || site.store.inner.load(&handle).await.unwrap().is_some();
    assert!(lives().await);
    browser.visit(logout).await;
    assert!(!lives().await);
}

#[tokio::test]
async fn the_lifetimes_that_nist_names_are_kept_to_the_millisecond() {
    let hour = 3_600 * SECOND;
    for (level, idle, absolute) in [
        ("AAL1", 14 * 24 * hour, 30 * 24 * hour),
        ("AAL2", hour, 24 * hour),
        ("AAL3", hour / 4, 12 * hour),
    ] {
        let lifetime = Lifetime::new().with_idle(idle).with_absolute(absolute);
        let exact = lifetime.with_touch_every(Duration::ZERO);
        assert_eq!(lives(exact, &[idle - TICK]).await, Some(1), "{level}");
        assert_eq!(lives(exact, &[idle]).await, None, "{level}");
        let steps = u32::try_from(absolute.as_millis() * 2 / idle.as_millis()).unwrap();
        let mut busy = vec![absolute / steps; steps as usize];
        assert_eq!(lives(exact, &busy).await, None, "{level}");
        *busy.last_mut().unwrap() -= TICK;
        assert_eq!(lives(exact, &busy).await, Some(1), "{level}");
    }
}

const TICK: Duration = Duration::from_millis(1);

/// Reads a value after each of these pauses, and says what the last one found.
async fn lives(lifetime: Lifetime, pauses: &[Duration]) -> Option<u32> {
    let site = Site::with(|builder| builder.with_lifetime(lifetime));
    let browser = site.visitor().await;
    let mut found = None;
    for pause in pauses {
        site.clock.advance(*pause);
        found = browser.read("a").await;
    }
    found
}
