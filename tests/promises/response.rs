//! What the response says: cookies, caching headers, and layers that meet.

use std::convert::Infallible;

use axum::{Router, body::Body, routing::get};
use http::{Request, Response, StatusCode, header};
use tenure::{Error, Lifetime, SameSite, Session, SessionLayer, SessionSlot, store::MemoryStore};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Answered, Browser, Site, cross_site_post};

async fn read(session: Session) -> Answered {
    session.get::<u32>("a")?;
    Ok(StatusCode::OK)
}

async fn write(session: Session) -> Answered {
    session.update("a", |a: &mut u32| *a += 1)?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

fn set_cookies(response: &Response<String>) -> Vec<&str> {
    let fields = response.headers().get_all(header::SET_COOKIE).iter();
    fields.map(|field| field.to_str().unwrap()).collect()
}

/// Returns a request that brings these values under our name, in this order.
fn bringing(values: &[&Browser]) -> Request<String> {
    let pairs: Vec<_> = values
        .iter()
        .map(|browser| browser.cookie.clone().unwrap())
        .collect();
    let mut request = Request::new(String::new());
    request
        .headers_mut()
        .insert(header::COOKIE, pairs.join("; ").parse().unwrap());
    request
}

#[tokio::test]
async fn a_response_that_did_not_take_the_session_is_not_touched() {
    let site = Site::new();
    let browser = site.visitor().await;
    let service = site.layer.layer(service_fn(|_: Request<String>| async {
        let response = Response::builder()
            .header("cache-control", "public")
            .header("x-own", "1");
        Ok::<_, Infallible>(response.body("body".to_owned()).unwrap())
    }));
    let response = service.oneshot(bringing(&[&browser])).await.unwrap();
    let names: Vec<_> = response
        .headers()
        .keys()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(names, ["cache-control", "x-own"]);
    assert_eq!(site.store.calls(), "");
}

#[tokio::test]
async fn a_session_that_was_taken_and_not_used_leaves_no_trace() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let response = browser.visit(|_| async { Ok(StatusCode::OK) }).await;
    assert!(response.headers().is_empty());
    assert_eq!(site.store.calls(), "load");
}

#[tokio::test]
async fn a_page_of_a_session_is_private_and_one_of_somebody_who_is_signed_in_is_not_stored() {
    let site = Site::new();
    for (mut browser, expected) in [
        (site.visitor().await, "private, no-cache"),
        (site.member("1").await, "no-store"),
    ] {
        let response = browser.visit(read).await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], expected);
        assert_eq!(response.headers()[header::VARY], "cookie");
    }
}

#[tokio::test]
async fn of_several_ids_exactly_one_live_one_counts_whatever_its_place() {
    let site = Site::new();
    let live = site.visitor().await;
    let mut dead = site.visitor().await;
    let tab = dead.clone();
    dead.visit(logout).await;
    for order in [[&live, &tab], [&tab, &live]] {
        let response = crate::support::send(&site.layer, bringing(&order), |session| async move {
            assert_eq!(session.get::<u32>("a")?, Some(1));
            Ok(StatusCode::OK)
        });
        assert_eq!(response.await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn of_two_live_ids_none_counts() {
    let site = Site::new();
    let (one, other) = (site.visitor().await, site.visitor().await);
    for order in [[&one, &other], [&other, &one]] {
        let response = crate::support::send(&site.layer, bringing(&order), |session| async move {
            assert_eq!(session.get::<u32>("a")?, None);
            assert!(session.is_new());
            Ok(StatusCode::OK)
        });
        response.await;
        assert_eq!(site.store.calls(), "load load");
    }
}

#[tokio::test]
async fn more_than_four_ids_are_not_looked_up() {
    let site = Site::new();
    let browsers = [
        site.visitor().await,
        site.visitor().await,
        site.visitor().await,
        site.visitor().await,
        site.visitor().await,
    ];
    let all: Vec<_> = browsers.iter().collect();
    crate::support::send(&site.layer, bringing(&all), read).await;
    assert_eq!(site.store.calls(), "");
    crate::support::send(&site.layer, bringing(&all[..4]), read).await;
    assert_eq!(site.store.calls(), "load load load load");
}

#[tokio::test]
async fn a_partitioned_twin_is_removed_with_whatever_is_said_of_the_cookie() {
    let site = Site::new();
    let live = site.visitor().await;
    let mut dead = site.visitor().await;
    let twin = dead.clone();
    dead.visit(logout).await;
    let both = || bringing(&[&live, &twin]);
    let response = crate::support::send(&site.layer, both(), read).await;
    assert!(set_cookies(&response).is_empty());
    let cycled = crate::support::send(&site.layer, both(), |session| async move {
        session.cycle_id()?;
        Ok(StatusCode::OK)
    });
    let response = cycled.await;
    let fields = set_cookies(&response);
    assert_eq!(fields.len(), 2);
    assert!(
        !fields[0].contains("Partitioned") && fields[1].contains("Partitioned; Max-Age=0"),
        "{fields:?}"
    );
}

#[tokio::test]
async fn a_cross_site_post_does_not_replace_the_login_cookie() {
    let site = Site::new();
    let mut browser = site.member("1").await;
    // The browser withholds its cookie, as `SameSite=Lax` says.
    let withheld = site.browser().send(cross_site_post(), write).await;
    assert_eq!(withheld.status(), StatusCode::FORBIDDEN);
    browser.take_in(withheld.headers());
    assert_eq!(browser.principal().await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_callback_that_was_refused_and_then_allows_itself_is_not_refused() {
    let site = Site::new();
    let callback = |session: Session| async move {
        session.insert("a", 1).unwrap_err();
        session.allow_cross_site()?;
        session.insert("a", 1)?;
        Ok(StatusCode::OK)
    };
    let response = site.browser().send(cross_site_post(), callback).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(set_cookies(&response).len(), 1);
}

#[tokio::test]
async fn with_strict_a_link_from_elsewhere_does_not_replace_it_either() {
    let site = Site::with(|builder| builder.with_same_site(SameSite::Strict));
    let link = Request::builder()
        .header("sec-fetch-site", "cross-site")
        .body(String::new())
        .unwrap();
    assert_eq!(
        site.browser().send(link, write).await.status(),
        StatusCode::FORBIDDEN
    );
    let none = Site::with(|builder| builder.with_same_site(SameSite::None));
    assert_eq!(
        none.browser().send(cross_site_post(), write).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_persistent_session_keeps_its_max_age_and_is_not_sent_again_on_a_touch() {
    let site = Site::with(|builder| builder.with_lifetime(Lifetime::persistent()));
    let mut browser = site.browser();
    let response = browser.visit(write).await;
    assert!(set_cookies(&response)[0].ends_with("; Max-Age=2592000"));
    site.clock.advance(std::time::Duration::from_secs(86_400));
    site.store.calls();
    let response = browser.visit(read).await;
    assert_eq!(site.store.calls(), "load touch");
    assert!(set_cookies(&response).is_empty());
}

#[tokio::test]
async fn a_session_that_is_no_longer_persistent_gets_its_cookie_without_a_max_age() {
    let site = Site::with(|builder| builder.with_lifetime(Lifetime::persistent()));
    let mut browser = site.browser();
    browser.visit(write).await;
    let forget = |lifetime| {
        move |session: Session| async move {
            session.set_lifetime(lifetime)?;
            Ok(StatusCode::OK)
        }
    };
    browser
        .visit(forget(
            Lifetime::persistent().with_idle(std::time::Duration::from_secs(60)),
        ))
        .await;
    let response = browser.visit(forget(Lifetime::new())).await;
    let fields = set_cookies(&response);
    assert_eq!(fields.len(), 1);
    assert!(!fields[0].contains("Max-Age"), "{fields:?}");
}

#[tokio::test]
async fn a_session_that_is_less_persistent_than_its_layer_gets_its_cookie_without_a_max_age() {
    let site = Site::with(|builder| builder.with_lifetime(Lifetime::persistent()));
    let mut browser = site.browser();
    browser.visit(write).await;
    let response = browser
        .visit(|session| async move {
            session.set_lifetime(Lifetime::new())?;
            Ok(StatusCode::OK)
        })
        .await;
    let fields = set_cookies(&response);
    assert_eq!(fields.len(), 1);
    assert!(!fields[0].contains("Max-Age"), "{fields:?}");
}

#[tokio::test]
async fn an_insecure_cookie_has_no_prefix_and_no_secure() {
    let site = Site::with(tenure::SessionLayerBuilder::with_insecure_cookie);
    let response = site.browser().visit(write).await;
    let field = set_cookies(&response)[0];
    assert!(
        field.starts_with("id=") && !field.contains("Secure") && field.contains("HttpOnly"),
        "{field}"
    );
}

/// Asks an axum application for `/`.
async fn ask(app: Router) -> (StatusCode, usize) {
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    (
        response.status(),
        response
            .headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .count(),
    )
}

async fn count(session: Session) -> Result<&'static str, Error> {
    session.update("visits", |visits: &mut u32| *visits += 1)?;
    Ok("ok")
}

#[tokio::test]
async fn the_same_layer_met_twice_steps_aside() {
    let layer = SessionLayer::new(MemoryStore::new());
    let app = Router::new()
        .route("/", get(count))
        .layer(layer.clone())
        .layer(layer);
    assert_eq!(ask(app).await, (StatusCode::OK, 1));
}

#[tokio::test]
async fn two_layers_with_one_name_are_a_500_that_names_both() {
    struct Admin;
    let names = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let said = names.clone();
    let outer = SessionLayer::builder(MemoryStore::new())
        .with_name("__Host-Http-shop")
        .build()
        .unwrap();
    let inner = SessionLayer::builder(MemoryStore::new())
        .with_marker::<Admin>()
        .with_name("__Host-Http-shop")
        .with_on_error(move |error: &Error, _: Response<Body>| {
            *said.lock().unwrap() = error.to_string();
            error.to_response()
        })
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(|| async { "ok" }))
        .layer(inner)
        .layer(outer);
    assert_eq!(ask(app).await, (StatusCode::INTERNAL_SERVER_ERROR, 0));
    let names = names.lock().unwrap();
    assert!(
        names.contains("Main") && names.contains("Admin") && names.contains("__Host-Http-shop"),
        "{names}"
    );
}

#[tokio::test]
async fn layers_of_different_names_live_side_by_side_and_an_id_of_one_is_nothing_in_the_other() {
    struct Admin;
    async fn both(main: Session, admin: Session<Admin>) -> Result<&'static str, Error> {
        main.insert("a", 1)?;
        admin.insert("a", 2)?;
        Ok("ok")
    }
    async fn look(session: Session) -> Result<String, Error> {
        Ok(format!("{:?}", session.get::<u32>("a")?))
    }
    let store = MemoryStore::new();
    let main = SessionLayer::new(store.clone());
    let admin = SessionLayer::builder(store.clone())
        .with_marker::<Admin>()
        .with_name("__Host-Http-admin")
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(both))
        .route("/look", get(look))
        .layer(admin)
        .layer(main);
    let response = app
        .clone()
        .oneshot(Request::new(Body::empty()))
        .await
        .unwrap();
    let fields: Vec<_> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .collect();
    assert_eq!((fields.len(), store.len()), (2, 2));
    let admins = fields
        .iter()
        .find_map(|field| field.to_str().unwrap().strip_prefix("__Host-Http-admin="));
    let stolen = format!("__Host-Http-id={}", &admins.unwrap()[..64]);
    let request = Request::get("/look")
        .header("cookie", stolen)
        .body(Body::empty())
        .unwrap();
    let body = app.oneshot(request).await.unwrap().into_body();
    let body = http_body_util::BodyExt::collect(body)
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(body, "None");
}

#[tokio::test]
async fn a_session_without_its_layer_is_a_500_that_says_which_is_missing() {
    let app: Router = Router::new().route("/", get(count));
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    let body = http_body_util::BodyExt::collect(response.into_body());
    let words = body.await.unwrap().to_bytes();
    assert!(words.ends_with(b"is `SessionLayer` applied to this route?"));
    assert!(SessionSlot::<tenure::Main>::from_extensions(&http::Extensions::new()).is_none());
}

#[tokio::test]
async fn on_error_decides_and_the_cookie_and_the_caching_headers_are_added_to_what_it_answers() {
    let store = crate::support::Recorder::new(MemoryStore::new());
    let layer = SessionLayer::builder(store.clone())
        .with_on_error(|_: &Error, mut response: Response<Body>| {
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        })
        .build()
        .unwrap();
    let app = Router::new().route("/", get(count)).layer(layer);
    store.fail("create", crate::support::Fault::Unavailable);
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()[header::VARY], "cookie");
}

#[tokio::test]
async fn an_id_is_taken_from_the_cookie_alone_and_echoed_nowhere() {
    let site = Site::new();
    let browser = site.visitor().await;
    let id = browser
        .cookie
        .clone()
        .unwrap()
        .split_once('=')
        .unwrap()
        .1
        .to_owned();
    let request = Request::get(format!("/?id={id}"))
        .header("authorization", format!("Bearer {id}"))
        .header("x-session-id", &id)
        .body(format!("id={id}"))
        .unwrap();
    let response = site.browser().send(request, read).await;
    assert_eq!(site.store.calls(), "");
    assert!(!format!("{response:?}").contains(&id));
}
