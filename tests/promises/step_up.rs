//! Who is signed in, how lately, and how far a login has come.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
    routing::get,
};
use tenure::{
    CredentialStamp, Fresh, Lifetime, Principal, RequireFresh, Session, SessionLayer, Sessions,
    require_fresh, store::MemoryStore,
};
use tower::ServiceExt;

use crate::support::{Answered, Browser, Fault, Site, handle_in};

const MINUTE: Duration = Duration::from_secs(60);

/// Asks a page of an application behind a site's layer.
async fn page(site: &Site, browser: &Browser, path: &str) -> Response<Body> {
    let whoever = |principal: Option<Principal<u32>>| async move {
        principal.map_or_else(|| "nobody".to_owned(), |Principal(user)| user.to_string())
    };
    let guarded: Router = Router::new()
        .route("/guarded", get(|| async {}))
        .layer(require_fresh(5 * MINUTE).or_redirect_to("/password"));
    let app: Router = guarded
        .route("/principal", get(|Principal(_): Principal<u32>| async {}))
        .route("/whoever", get(whoever))
        .route("/fresh", get(|Fresh(_): Fresh<u32>| async {}))
        .layer(site.layer.clone());
    let request = Request::get(path);
    let request = match &browser.cookie {
        Some(cookie) => request.header(header::COOKIE, cookie),
        None => request,
    };
    app.oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn status(site: &Site, browser: &Browser, path: &str) -> u16 {
    page(site, browser, path).await.status().as_u16()
}

async fn text(site: &Site, browser: &Browser, path: &str) -> String {
    let body = page(site, browser, path).await.into_body();
    let bytes = axum::body::to_bytes(body, 1_000).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn begin(session: Session) -> Answered {
    session.begin_login(7, None)?;
    Ok(StatusCode::OK)
}

async fn finish(session: Session) -> Answered {
    session.finish_login()?;
    Ok(StatusCode::OK)
}

#[tokio::test]
async fn who_signs_in_and_changes_his_password_at_once_says_the_new_stamp_or_commits_first() {
    for (said, commits, expected) in [("old", false, 403), ("new", false, 200), ("old", true, 200)]
    {
        let mut browser = Browser {
            layer: SessionLayer::new(MemoryStore::new()),
            cookie: None,
        };
        let reset = async move |session: Session| {
            session.login_with("ada", CredentialStamp::of(said))?;
            if commits {
                session.commit().await?;
            }
            session
                .credentials_changed(CredentialStamp::of("new"))
                .await?;
            Ok(StatusCode::OK)
        };
        let status = browser.visit(reset).await.status();
        assert_eq!(status.as_u16(), expected, "{said}, committed: {commits}");
        let principal = browser.principal().await;
        assert_eq!(principal.is_some(), expected == 200, "{said}");
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_nobody_fresh() {
    let site = Site::new();
    site.clock.advance(600 * MINUTE);
    let member = site.member("7").await;
    for (minutes, expected) in [(0, 200), (1, 200), (2, 403), (60, 403)] {
        set_back(&site, MINUTE * minutes);
        assert_eq!(
            status(&site, &member, "/fresh").await,
            expected,
            "{minutes}"
        );
        site.clock.advance(MINUTE * minutes);
    }
}

/// Lets the hands go all around but for a while.
fn set_back(site: &Site, by: Duration) {
    let by = u64::try_from(by.as_millis()).unwrap();
    site.clock.advance(Duration::from_millis(by.wrapping_neg()));
}

#[tokio::test]
async fn the_extractors_ask_who_is_signed_in_and_how_lately() {
    let site = Site::new();
    let (nobody, member, other) = (
        site.visitor().await,
        site.member("7").await,
        site.member("ada").await,
    );
    for (path, of_nobody, of_member) in [
        ("/principal", 401, 200),
        ("/fresh", 401, 200),
        ("/guarded", 401, 200),
        ("/whoever", 200, 200),
    ] {
        assert_eq!(status(&site, &nobody, path).await, of_nobody, "{path}");
        assert_eq!(
            status(&site, &site.browser(), path).await,
            of_nobody,
            "{path}"
        );
        assert_eq!(status(&site, &member, path).await, of_member, "{path}");
    }
    assert_eq!(text(&site, &member, "/whoever").await, "7");
    assert_eq!(text(&site, &nobody, "/whoever").await, "nobody");
    assert_eq!(
        status(&site, &other, "/principal").await,
        500,
        "`ada` is no number"
    );
    site.clock.advance(5 * MINUTE);
    let sent = page(&site, &member, "/guarded").await;
    assert_eq!(
        (sent.status(), &sent.headers()[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/password".parse().unwrap())
    );
    assert_eq!(status(&site, &member, "/fresh").await, 200);
    site.clock.advance(10 * MINUTE);
    assert_eq!(status(&site, &member, "/fresh").await, 403);
    assert_eq!(status(&site, &member, "/principal").await, 200);
}

#[tokio::test]
async fn an_id_that_was_replaced_a_moment_ago_is_a_409_to_be_tried_again_at_once() {
    let site = Site::new();
    let mut browser = site.member("7").await;
    let late = browser.clone();
    browser
        .visit(async |session: Session| {
            session.cycle_id()?;
            Ok(StatusCode::OK)
        })
        .await;
    for path in ["/principal", "/fresh", "/guarded"] {
        let refused = page(&site, &late, path).await;
        assert_eq!(
            (refused.status(), &refused.headers()[header::RETRY_AFTER]),
            (StatusCode::CONFLICT, &"0".parse().unwrap()),
            "{path}"
        );
    }
    assert_eq!(text(&site, &late, "/whoever").await, "nobody");
}

#[tokio::test]
async fn in_an_outage_nobody_is_shown_as_signed_out() {
    let site = Site::new();
    let browser = site.member("7").await;
    for path in ["/principal", "/fresh", "/guarded", "/whoever"] {
        site.store.fail("load", Fault::Unavailable);
        assert_eq!(status(&site, &browser, path).await, 503, "{path}");
    }
}

#[tokio::test]
async fn a_login_that_was_begun_signs_nobody_in() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let before = browser.clone();
    browser.visit(begin).await;
    assert_eq!(site.store.calls(), "load update");
    assert_ne!(browser.cookie, before.cookie, "it has a new id");
    assert_eq!(browser.principal().await, None);
    for path in ["/principal", "/fresh", "/guarded"] {
        assert_eq!(status(&site, &browser, path).await, 401, "{path}");
    }
    assert_eq!(browser.read("a").await, Some(1));
    browser.visit(finish).await;
    assert_eq!(browser.principal().await.as_deref(), Some("7"));
    assert_eq!(status(&site, &browser, "/fresh").await, 200);
    let again = browser.visit(finish).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED, "it was finished");
}

#[tokio::test]
async fn a_login_can_be_begun_without_a_session() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.visit(begin).await;
    assert_eq!(site.store.calls(), "create update");
    browser.visit(finish).await;
    assert_eq!(browser.principal().await.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_login_that_was_begun_waits_ten_minutes() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(begin).await;
    let late = browser.clone();
    site.clock.advance(10 * MINUTE - Duration::from_millis(1));
    assert_eq!(
        browser
            .visit(async |session: Session| {
                assert!(session.begun_login().is_some());
                Ok(StatusCode::OK)
            })
            .await
            .status(),
        StatusCode::OK
    );
    site.clock.advance(Duration::from_millis(1));
    let mut late = late;
    assert_eq!(late.visit(finish).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(late.principal().await, None);
}

#[tokio::test]
async fn what_was_begun_survives_other_writes_and_not_a_logout() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(begin).await;
    browser
        .visit(async |session: Session| {
            session.insert("b", 2)?;
            Ok(StatusCode::OK)
        })
        .await;
    let asked = async |session: Session| {
        assert_eq!(session.begun_login().unwrap(), "7");
        Ok(StatusCode::OK)
    };
    assert_eq!(browser.visit(asked).await.status(), StatusCode::OK);
    browser
        .visit(async |session: Session| {
            session.logout()?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(
        browser.visit(finish).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn beginning_a_login_as_somebody_else_leaves_nothing_of_who_was_signed_in() {
    let site = Site::new();
    let mut browser = site.member("ada").await;
    let before = handle_in(browser.cookie.as_ref().unwrap());
    browser.visit(begin).await;
    assert_ne!(handle_in(browser.cookie.as_ref().unwrap()), before);
    assert_eq!(browser.principal().await, None);
    assert_eq!(browser.read("a").await, None);
    // The same one goes on being signed in until he has shown the second factor again.
    let mut same = site.member("7").await;
    same.visit(begin).await;
    assert_eq!(same.principal().await.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_second_factor_does_not_let_in_who_checked_a_password_that_was_changed() {
    let store = MemoryStore::new();
    let layer = SessionLayer::new(store);
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    let mut browser = Browser {
        layer: layer.clone(),
        cookie: None,
    };
    browser
        .visit(move |session| async move {
            session.begin_login("ada", old)?;
            Ok(StatusCode::OK)
        })
        .await;
    layer
        .sessions()
        .credentials_changed("ada", new)
        .await
        .unwrap();
    assert_eq!(browser.visit(finish).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(browser.principal().await, None);
}

#[tokio::test]
async fn what_a_login_keeps_moves_to_a_new_session_and_the_rest_is_gone() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let before = handle_in(browser.cookie.as_ref().unwrap());
    browser
        .visit(async |session: Session| {
            session.insert("b", 2)?;
            Ok(StatusCode::OK)
        })
        .await;
    browser
        .visit(async |session: Session| {
            session.login_keeping("ada", &["b", "missing"])?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_ne!(handle_in(browser.cookie.as_ref().unwrap()), before);
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (None, Some(2))
    );
    assert_eq!(browser.principal().await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn the_levels_of_nist_end_at_their_edges() {
    const HOUR: Duration = Duration::from_secs(3_600);
    for (level, lifetime, idle, absolute) in [
        (1, Lifetime::aal1(), 30 * 24 * HOUR, 30 * 24 * HOUR),
        (2, Lifetime::aal2(), HOUR, 24 * HOUR),
        (3, Lifetime::aal3(), HOUR / 4, 12 * HOUR),
    ] {
        let site = Site::with(|builder| builder.with_lifetime(lifetime));
        let moment = Duration::from_millis(1);
        let browser = site.member("ada").await;
        site.clock.advance(idle - moment);
        assert!(
            browser.principal().await.is_some(),
            "level {level}: a moment before it has been idle for too long"
        );
        let browser = site.member("ada").await;
        site.clock.advance(idle);
        assert!(
            browser.principal().await.is_none(),
            "level {level}: it has been idle for too long"
        );
        let browser = site.member("ada").await;
        let (mut passed, step) = (Duration::ZERO, (idle / 2).min(absolute / 4));
        while passed + step < absolute {
            site.clock.advance(step);
            passed += step;
            assert!(
                browser.principal().await.is_some(),
                "level {level}: busy, after {passed:?}"
            );
        }
        site.clock.advance(absolute - passed - moment);
        assert!(
            browser.principal().await.is_some(),
            "level {level}: a moment before its time is over"
        );
        site.clock.advance(moment);
        assert!(
            browser.principal().await.is_none(),
            "level {level}: its time is over"
        );
    }
}

#[tokio::test]
async fn a_guard_asks_the_sessions_of_the_layer_it_is_for() {
    struct Admin;
    let admin = SessionLayer::builder(MemoryStore::new())
        .with_marker::<Admin>()
        .with_name("__Host-admin");
    let guard: RequireFresh<Admin> = require_fresh(MINUTE).of();
    let service = tower::service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let app = tower::ServiceBuilder::new()
        .layer(admin.build().unwrap())
        .layer(guard)
        .service(service);
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let service = tower::service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let outside = tower::ServiceBuilder::new()
        .layer(require_fresh(MINUTE))
        .service(service);
    let response = outside.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(
        response.status(),
        StatusCode::INTERNAL_SERVER_ERROR,
        "there is no layer"
    );
}

#[tokio::test]
async fn the_sessions_of_a_layer_can_be_extracted() {
    let layer = SessionLayer::new(MemoryStore::new());
    let cookie = tenure::testing::signed_in(&layer, "ada").await;
    let count =
        async |sessions: Sessions| sessions.count("ada").await.map(|count| count.to_string());
    let app: Router = Router::new().route("/", get(count)).layer(layer);
    let request = Request::get("/")
        .header(header::COOKIE, cookie)
        .body(Body::empty())
        .unwrap();
    let body = app.oneshot(request).await.unwrap().into_body();
    assert_eq!(axum::body::to_bytes(body, 10).await.unwrap(), "1");
}
