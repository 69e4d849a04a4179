//! Stores that answer in their own way, handlers that fail in theirs, and what is lost in between.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response, StatusCode, header};
use tenure::{
    ErrorKind, Handle, Lifetime, Session, SessionLayer, SessionSlot,
    store::{Answer, Created, Loaded, MemoryStore, Record, SessionStore, Updated, Version},
};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Answered, Browser, Fault, Gate, Site, Told, send, told};

async fn increment(session: Session) -> Answered {
    session.update("a", |a: &mut u32| *a += 1)?;
    Ok(StatusCode::OK)
}

async fn login(session: Session) -> Answered {
    session.login("1")?;
    Ok(StatusCode::OK)
}

/// An engine of another kind: it says neither what time it is nor what an update conflicted with, and its first handle
/// is taken.
struct Reserved {
    inner: MemoryStore,
    taken: std::sync::atomic::AtomicUsize,
    conflicts: bool,
}

impl Reserved {
    fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            taken: 1.into(),
            conflicts: false,
        }
    }
}

impl SessionStore for Reserved {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        use std::sync::atomic::Ordering::SeqCst;
        assert_eq!(
            record.principal(),
            None,
            "nobody is attached to what does not exist"
        );
        match self.taken.swap(0, SeqCst) {
            0 => self.inner.create(handle, record, expires_in),
            _ => Answer::ready(Ok(Created::Taken)),
        }
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        self.inner.load(handle)
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        if self.conflicts {
            return Answer::later(async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(Updated::Conflict(None))
            });
        }
        let updated = self.inner.update(handle, expected, record, expires_in);
        Answer::later(async move {
            Ok(match updated.await? {
                Updated::Conflict(_) => Updated::Conflict(None),
                other => other,
            })
        })
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        self.inner.touch(handle, expected, expires_in)
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        self.inner.delete(handle)
    }
}

fn reserved() -> Site {
    let mut site = Site::new();
    site.layer = SessionLayer::new(Reserved::new(site.store.inner.clone()));
    site
}

#[tokio::test]
async fn an_update_that_conflicts_with_what_the_store_does_not_say_is_made_again_on_what_is_loaded()
{
    let site = reserved();
    let browser = site.visitor().await;
    let gate = Gate::new();
    let (inside, mut other_tab) = (gate.clone(), browser.clone());
    let slow = move |session: Session| async move {
        inside.pass().await;
        increment(session).await
    };
    let (response, ()) = tokio::join!(browser.send(Request::default(), slow), async {
        gate.reached().await;
        other_tab.visit(increment).await;
        gate.open();
    });
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(browser.read("a").await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn where_the_store_tells_no_time_it_is_measured_since_its_answer() {
    let site = reserved();
    let mut browser = site.visitor().await;
    let clock = site.clock.clone();
    browser
        .visit(|session| async move {
            let loaded = clock.now();
            tokio::time::advance(Duration::from_secs(90)).await;
            session.login("1")?;
            session.commit().await?;
            let late = session.authenticated_at().unwrap().since(loaded);
            assert_eq!(late, Duration::from_secs(90));
            Ok(StatusCode::OK)
        })
        .await;
}

#[tokio::test]
async fn a_login_attaches_its_principal_to_a_record_that_exists_and_a_taken_handle_is_not_touched()
{
    let site = reserved();
    let mut browser = site.browser();
    assert_eq!(browser.visit(login).await.status(), StatusCode::OK);
    assert_eq!(browser.principal().await.as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_always_conflicts_ends_with_its_time() {
    let mut site = reserved();
    let browser = site.visitor().await;
    let mut store = Reserved::new(site.store.inner.clone());
    store.conflicts = true;
    site.layer = SessionLayer::new(store);
    let mut crowded = site.browser();
    crowded.cookie = browser.cookie.clone();
    let at_once = |session: Session| async move {
        session.insert("a", 2)?;
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Contended);
        Err(error)
    };
    let response = crowded.visit(at_once).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_full_store_is_a_503() {
    let mut site = Site::new();
    site.layer = SessionLayer::new(MemoryStore::new().with_max_entries(0));
    let at_once = |session: Session| async move {
        session.insert("a", 2)?;
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        Err(error)
    };
    let response = site.browser().visit(at_once).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::SERVICE_UNAVAILABLE, Told::Nothing)
    );
}

#[tokio::test]
async fn a_login_whose_new_record_is_gone_before_it_is_bound_is_refused() {
    let mut site = Site::new();
    site.store.inner = MemoryStore::new().with_max_entries(1);
    site.layer = SessionLayer::new(site.store.clone());
    let gate = Gate::new();
    site.store.fail("update", Fault::Gate(gate.clone()));
    let (mut late, mut other) = (site.browser(), site.browser());
    let (response, ()) = tokio::join!(late.visit(login), async {
        gate.reached().await;
        assert_eq!(other.visit(increment).await.status(), StatusCode::OK);
        gate.open();
    });
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::CONFLICT, Told::Nothing)
    );
}

#[tokio::test]
async fn a_touch_that_finds_another_version_fails_no_request() {
    let site = Site::new();
    let browser = site.visitor().await;
    site.clock.advance(Duration::from_secs(600));
    let gate = Gate::new();
    site.store.fail("touch", Fault::Gate(gate.clone()));
    let mut other_tab = browser.clone();
    let (read, ()) = tokio::join!(browser.read("a"), async {
        gate.reached().await;
        other_tab.visit(increment).await;
        gate.open();
    });
    assert_eq!(read, Some(1), "what it has loaded");
}

#[tokio::test]
async fn a_replaced_id_is_not_touched() {
    let site = Site::with(|builder| {
        builder.with_lifetime(Lifetime::new().with_touch_every(Duration::ZERO))
    });
    let mut browser = site.visitor().await;
    let old_tab = browser.clone();
    browser.visit(login).await;
    site.store.calls();
    assert_eq!(old_tab.read("a").await, None);
    assert_eq!(site.store.calls(), "load");
}

#[tokio::test]
async fn of_several_ids_one_that_was_replaced_a_moment_ago_refuses_writes() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let replaced = browser.cookie.clone().unwrap();
    browser.visit(login).await;
    let unknown = format!("__Host-Http-id={}", "A".repeat(64));
    let request = Request::builder()
        .header(header::COOKIE, format!("{unknown}; {replaced}"))
        .body(String::new())
        .unwrap();
    let response = send(&site.layer, request, increment).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::CONFLICT, Told::Nothing)
    );
}

/// Sends a request to a service that fails after it has changed its session.
async fn send_to_failing(browser: &Browser, change: fn(&Session)) {
    let service = service_fn(move |request: Request<String>| async move {
        let slot = SessionSlot::from_extensions(request.extensions()).unwrap();
        change(&slot.session().await.unwrap());
        Err::<Response<String>, _>("the service's own fault")
    });
    let cookie = browser.cookie.as_deref().unwrap();
    let request = Request::builder().header(header::COOKIE, cookie);
    let request = request.body(String::new()).unwrap();
    let answer = browser.layer.layer(service).oneshot(request).await;
    assert_eq!(answer.unwrap_err(), "the service's own fault");
}

#[tokio::test]
async fn a_service_that_fails_keeps_no_write_and_every_logout() {
    let site = Site::new();
    let browser = site.visitor().await;
    send_to_failing(&browser, |session| session.insert("a", 2).unwrap()).await;
    assert_eq!(browser.read("a").await, Some(1));
    send_to_failing(&browser, |session| session.logout().unwrap()).await;
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn every_5xx_and_408_drop_what_is_pending_and_nothing_else_does() {
    for status in [
        200, 302, 400, 404, 408, 409, 422, 500, 501, 502, 503, 504, 599,
    ] {
        let site = Site::new();
        let mut browser = site.visitor().await;
        let status = StatusCode::from_u16(status).unwrap();
        let write = move |session: Session| async move {
            session.insert("a", 2)?;
            Ok(status)
        };
        browser.visit(write).await;
        let fails = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
        let kept = if fails { 1 } else { 2 };
        assert_eq!(browser.read("a").await, Some(kept), "{status}");
    }
}

#[tokio::test]
async fn what_was_created_at_once_has_its_cookie_whatever_the_status() {
    let site = Site::new();
    let mut browser = site.browser();
    let response = browser
        .visit(|session| async move {
            session.update_now("a", |a: &mut u32| *a += 1).await?;
            Ok(StatusCode::INTERNAL_SERVER_ERROR)
        })
        .await;
    assert_eq!(told(&response), Told::Id);
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn what_could_not_be_claimed_or_updated_at_once_is_not_tried_again_at_the_response() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fail("update", Fault::Unavailable);
    site.store.fail("update", Fault::Unavailable);
    let response = browser
        .visit(|session| async move {
            session.claim::<u32>("a").await.unwrap_err();
            let update = session.update_now("a", |a: &mut u32| *a += 1);
            update.await.unwrap_err();
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(site.store.calls(), "load update update");
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_fresher_record_that_has_outlived_the_layers_lifetime_is_gone() {
    let site = Site::new();
    let browser = site.visitor().await;
    let short = Lifetime::new().with_idle(Duration::from_secs(60));
    let mut strict = browser.clone();
    strict.layer = SessionLayer::builder(site.store.clone())
        .with_lifetime(short)
        .build()
        .unwrap();
    let (clock, mut other_tab) = (site.clock.clone(), browser.clone());
    let response = strict
        .visit(|session| async move {
            other_tab.visit(increment).await;
            clock.advance(Duration::from_secs(120));
            increment(session).await
        })
        .await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn a_lifetime_of_its_own_survives_a_login() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let remember = |session: Session| async move {
        session.set_lifetime(Lifetime::persistent())?;
        Ok(StatusCode::OK)
    };
    browser.visit(remember).await;
    let response = browser.visit(login).await;
    let field = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(field.ends_with("; Max-Age=2592000"), "{field}");
    site.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_load_that_is_dropped_half_way_is_begun_again() {
    let site = Site::new();
    let browser = site.visitor().await;
    let gate = Gate::new();
    site.store.fail("load", Fault::Gate(gate.clone()));
    let service = service_fn(move |request: Request<String>| {
        let gate = gate.clone();
        async move {
            let slot = SessionSlot::<tenure::Main>::from_extensions(request.extensions()).unwrap();
            tokio::select! {
                _ = slot.session() => unreachable!("the gate is closed"),
                () = gate.reached() => {}
            }
            let session = slot.session().await.unwrap();
            assert_eq!(session.get::<u32>("a").unwrap(), Some(1));
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let cookie = browser.cookie.as_deref().unwrap();
    let request = Request::builder().header(header::COOKIE, cookie);
    let request = request.body(String::new()).unwrap();
    site.layer.layer(service).oneshot(request).await.unwrap();
    assert_eq!(site.store.calls(), "load load");
}

#[tokio::test]
async fn a_store_that_cannot_grow_a_session_is_a_503() {
    let mut site = Site::new();
    let cost = 448 + 2 + 7;
    site.layer = SessionLayer::new(MemoryStore::new().with_max_bytes(cost));
    let mut browser = site.visitor().await;
    let grow = |session: Session| async move {
        session.insert("b", "x".repeat(100))?;
        Ok(StatusCode::OK)
    };
    let response = browser.visit(grow).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.read("a").await, Some(1));
}
