//! Clients that keep no cookies, and bring their id in a header.

use http::{HeaderName, Method, Request, Response, StatusCode, header};
use tenure::{
    EventKind, HeaderTransport, Lifetime, RejectReason, Session, SessionLayer, Transport,
    store::MemoryStore,
};

use crate::support::{Answered, Browser, Fault, Handler, Site, handler, send};

const NAME: &str = "session-id";

/// A client as the guide has it: it keeps what it is told, until it is told that there is nothing.
struct Client {
    layer: SessionLayer,
    id: Option<String>,
}

impl Client {
    fn new(site: &Site) -> Self {
        Self {
            layer: site.layer.clone(),
            id: None,
        }
    }

    async fn member(site: &Site) -> Self {
        let mut client = Self::new(site);
        client.visit(handler(login)).await;
        assert!(client.id.is_some());
        site.store.calls();
        client
    }

    fn request(&self) -> Request<String> {
        bearing(self.id.as_deref().unwrap_or("new"))
    }

    async fn visit(&mut self, handler: Handler) -> Response<String> {
        let response = send(&self.layer, self.request(), handler).await;
        if let Some(told) = response.headers().get(NAME) {
            let told = told.to_str().unwrap();
            self.id = (told != "ended").then(|| told.to_owned());
        }
        response
    }
}

fn site() -> Site {
    Site::with(|builder| builder.with_header(HeaderTransport::bearer()))
}

fn bearing(id: &str) -> Request<String> {
    let request = Request::builder().header("authorization", format!("Bearer {id}"));
    request.body(String::new()).unwrap()
}

/// Returns the id in a browser's cookie.
fn id_of(browser: &Browser) -> String {
    let cookie = browser.cookie.as_deref().unwrap();
    cookie.split_once('=').unwrap().1.to_owned()
}

async fn login(session: Session) -> Answered {
    session.login("ada")?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

async fn read(session: Session) -> Answered {
    session.get::<u32>("a")?;
    Ok(StatusCode::OK)
}

async fn write(session: Session) -> Answered {
    session.update("a", |a: &mut u32| *a += 1)?;
    Ok(StatusCode::OK)
}

/// Answers 200 to who is signed in, else 401.
async fn who(session: Session) -> Answered {
    session.require_principal::<String>()?;
    Ok(StatusCode::OK)
}

#[tokio::test]
async fn a_client_is_told_its_id_in_a_header_and_never_by_a_cookie() {
    let site = site();
    let mut client = Client::new(&site);
    let began = client.visit(handler(write)).await;
    let first = client.id.clone().unwrap();
    let signed_in = client.visit(handler(login)).await;
    let second = client.id.clone().unwrap();
    assert_eq!((first.len(), second.len()), (64, 64));
    assert_eq!(first[..21], second[..21], "the handle stays");
    assert_ne!(first, second);
    let page = client.visit(handler(who)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!page.headers().contains_key(NAME), "nothing to learn");
    let out = client.visit(handler(logout)).await;
    assert_eq!(out.headers()[NAME], "ended");
    assert_eq!(client.id, None);
    for response in [began, signed_in, page, out] {
        assert!(!response.headers().contains_key(header::SET_COOKIE));
    }
    let late = send(&site.layer, bearing(&second), who).await;
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn no_cache_keeps_an_id_and_none_answers_one_client_with_anothers_page() {
    let site = site();
    let mut client = Client::new(&site);
    let told = client.visit(handler(login)).await;
    assert_eq!(told.headers()[header::CACHE_CONTROL], "no-store");
    assert!(told.headers()[NAME].is_sensitive());
    assert!(!format!("{told:?}").contains(client.id.as_deref().unwrap()));
    let browser = site.visitor().await;
    for response in [
        told,
        client.visit(handler(read)).await,
        browser.send(Request::default(), read).await,
    ] {
        let vary: Vec<_> = response.headers().get_all(header::VARY).iter().collect();
        assert_eq!(vary, ["cookie", "authorization"]);
    }
}

#[tokio::test]
async fn the_header_wins_over_the_cookie_whatever_it_holds() {
    let site = site();
    let (browser, client) = (site.member("eve").await, Client::member(&site).await);
    let both = |value: &str| {
        let mut request = bearing(value);
        let cookie = browser.cookie.as_deref().unwrap().parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
        request
    };
    let id = client.id.as_deref().unwrap();
    for (case, value, status) in [
        ("an id", id, StatusCode::OK),
        ("an unknown id", &"A".repeat(64), StatusCode::UNAUTHORIZED),
        ("new", "new", StatusCode::UNAUTHORIZED),
        ("nonsense", "nonsense", StatusCode::UNAUTHORIZED),
        ("nothing", "", StatusCode::UNAUTHORIZED),
    ] {
        let response = send(&site.layer, both(value), |session| async move {
            assert_eq!(session.transport(), Transport::Header);
            let user: String = session.require_principal()?;
            assert_eq!(user, "ada");
            Ok(StatusCode::OK)
        });
        assert_eq!(response.await.status(), status, "{case}");
    }
    let mut basic = both(id);
    let value = "Basic YTpi".parse().unwrap();
    basic.headers_mut().insert(header::AUTHORIZATION, value);
    let response = send(&site.layer, basic, |session| async move {
        assert_eq!(session.transport(), Transport::Cookie);
        assert_eq!(session.principal().unwrap(), "eve");
        Ok(StatusCode::OK)
    });
    assert_eq!(response.await.status(), StatusCode::OK);
}

/// A script could otherwise move a session out of a cookie that it cannot read.
#[tokio::test]
async fn a_session_of_the_cookie_is_never_told_in_a_header() {
    let site = site();
    let browser = site.member("eve").await;
    for value in ["new", "nonsense", ""] {
        let mut request = bearing(value);
        let cookie = browser.cookie.as_deref().unwrap().parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
        let cycled = send(&site.layer, request, |session| async move {
            session.cycle_id()?;
            session.insert("a", 2)?;
            Ok(StatusCode::OK)
        });
        let response = cycled.await;
        let told = response.headers()[NAME].to_str().unwrap();
        assert_ne!(told[..21], id_of(&browser)[..21], "{value:?}");
    }
    assert_eq!(browser.read("a").await, Some(1));
    assert_eq!(browser.principal().await.as_deref(), Some("eve"));
}

#[tokio::test]
async fn a_layer_that_was_not_asked_to_reads_no_header() {
    let (site, plain) = (site(), Site::new());
    let client = Client::member(&site).await;
    let response = send(&plain.layer, client.request(), write).await;
    assert!(response.headers().contains_key(header::SET_COOKIE));
    assert_eq!(plain.store.calls(), "create");
}

#[tokio::test]
async fn a_layer_without_a_cookie_reads_and_sets_none() {
    let site =
        Site::with(|builder| builder.with_header(HeaderTransport::bearer().without_cookie()));
    let mut client = Client::member(&site).await;
    let cookie = format!("__Host-Http-id={}", client.id.as_deref().unwrap());
    let request = Request::builder().header("cookie", cookie);
    let request = request.body(String::new()).unwrap();
    let by_cookie = send(&site.layer, request, who).await;
    assert_eq!(by_cookie.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(site.store.calls(), "");
    let vary: Vec<_> = by_cookie.headers().get_all(header::VARY).iter().collect();
    assert_eq!(vary, ["authorization"]);
    let bare = send(&site.layer, Request::default(), write).await;
    assert!(!bare.headers().contains_key(header::SET_COOKIE));
    assert_eq!(bare.headers()[NAME].len(), 64);
    assert_eq!(client.visit(handler(who)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_header_request_of_another_site_is_not_one_whose_cookie_was_withheld() {
    let site = site();
    for (case, value, status, told) in [
        ("with the header", Some("Bearer new"), StatusCode::OK, true),
        (
            "with a proxy's",
            Some("Basic YTpi"),
            StatusCode::FORBIDDEN,
            false,
        ),
        ("without it", None, StatusCode::FORBIDDEN, false),
    ] {
        let mut request = Request::builder()
            .method(Method::POST)
            .header("sec-fetch-site", "cross-site")
            .header("origin", "https://app.example");
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        let request = request.body(String::new()).unwrap();
        let response = send(&site.layer, request, write).await;
        assert_eq!(response.status(), status, "{case}");
        assert_eq!(response.headers().contains_key(NAME), told, "{case}");
        assert!(
            !response.headers().contains_key(header::SET_COOKIE),
            "{case}"
        );
    }
}

#[tokio::test]
async fn several_ids_in_headers_are_judged_as_several_cookies_are() {
    let site = site();
    let (one, mut dead) = (Client::member(&site).await, Client::member(&site).await);
    let (live, ended) = (one.id.unwrap(), dead.id.clone().unwrap());
    dead.visit(handler(logout)).await;
    let other = Client::member(&site).await.id.unwrap();
    site.store.calls();
    for (case, ids, status, calls) in [
        ("the same twice", vec![&live, &live], StatusCode::OK, "load"),
        (
            "one live, one dead",
            vec![&ended, &live],
            StatusCode::OK,
            "load load",
        ),
        (
            "two live",
            vec![&live, &other],
            StatusCode::UNAUTHORIZED,
            "load load",
        ),
    ] {
        let mut request = Request::new(String::new());
        for id in ids {
            let value = format!("Bearer {id}").parse().unwrap();
            request.headers_mut().append("authorization", value);
        }
        let response = send(&site.layer, request, who).await;
        assert_eq!(response.status(), status, "{case}");
        assert_eq!(site.store.calls(), calls, "{case}");
        assert!(
            !response.headers().contains_key(header::SET_COOKIE),
            "{case}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_header_is_told_as_of_a_cookie() {
    use std::sync::{Arc, Mutex};
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let site = Site::with(move |builder| {
        builder
            .with_header(HeaderTransport::bearer())
            .with_observer(move |event: &tenure::Event<'_>| seen.lock().unwrap().push(event.kind()))
    });
    let other = |fill: &str| format!("Bearer {}", fill.repeat(64));
    for (values, expected) in [
        (
            vec!["Bearer e.y.J".to_owned()],
            Some(RejectReason::Malformed),
        ),
        (vec![other("A")], Some(RejectReason::Unknown)),
        (
            "ABCDE"
                .split("")
                .filter(|fill| !fill.is_empty())
                .map(other)
                .collect(),
            Some(RejectReason::TooMany),
        ),
        (vec!["Bearer new".to_owned()], None),
    ] {
        let mut request = Request::new(String::new());
        for value in &values {
            request
                .headers_mut()
                .append("authorization", value.parse().unwrap());
        }
        send(&site.layer, request, read).await;
        let told = std::mem::take(&mut *events.lock().unwrap());
        let expected: Vec<_> = expected.into_iter().map(EventKind::Rejected).collect();
        assert_eq!(told, expected, "{values:?}");
    }
}

#[tokio::test]
async fn whoever_asks_for_a_longer_life_keeps_the_id_that_a_login_of_the_same_request_has_brought()
{
    let site = site();
    let mut client = Client::member(&site).await;
    let before = client.id.clone();
    let remember = handler(|session| async move {
        session.login("ada")?;
        session.commit().await?;
        session.set_lifetime(Lifetime::persistent())?;
        Ok(StatusCode::OK)
    });
    client.visit(remember).await;
    assert_ne!(client.id, before);
    assert_eq!(client.visit(handler(who)).await.status(), StatusCode::OK);
    let forget = handler(|session| async move {
        session.set_lifetime(Lifetime::new())?;
        Ok(StatusCode::OK)
    });
    let response = client.visit(forget).await;
    assert!(
        !response.headers().contains_key(NAME),
        "a header has no life"
    );
}

#[tokio::test]
async fn an_id_in_an_address_or_a_body_opens_nothing_where_a_header_is_read_either() {
    let site = site();
    let id = Client::member(&site).await.id.unwrap();
    let request = Request::get(format!("/?session-id={id}&access_token={id}"))
        .header(NAME, &id)
        .body(format!("access_token={id}"))
        .unwrap();
    let response = send(&site.layer, request, who).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(site.store.calls(), "");
}

#[tokio::test]
async fn a_client_that_logs_out_while_the_store_is_down_is_told_to_forget_its_id() {
    let site = site();
    let mut client = Client::member(&site).await;
    site.store.fail("delete", Fault::Unavailable);
    let response = client.visit(handler(logout)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.id, None);
}

#[tokio::test]
async fn a_request_with_an_id_that_was_just_replaced_is_a_409_and_the_new_one_is_let_in() {
    let site = site();
    let mut client = Client::member(&site).await;
    let late = client.request();
    client.visit(handler(login)).await;
    let refused = send(&site.layer, late, write).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "0");
    assert!(!refused.headers().contains_key(NAME));
    assert_eq!(client.visit(handler(write)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_a_handler_puts_into_the_responses_header_gives_way_to_the_id() {
    use tower::{Layer, ServiceExt, service_fn};
    let site = site();
    let service = site
        .layer
        .layer(service_fn(async |request: Request<String>| {
            let slot = tenure::SessionSlot::<tenure::Main>::from_extensions(request.extensions());
            slot.unwrap().session().await?.login("ada")?;
            let response = Response::builder().header(NAME, "mine");
            Ok::<_, tower::BoxError>(response.body(String::new())?)
        }));
    let response = service.oneshot(bearing("new")).await.unwrap();
    let told: Vec<_> = response.headers().get_all(NAME).iter().collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].len(), 64);
}

#[tokio::test]
async fn inside_the_layer_the_header_prints_nothing() {
    use tower::{Layer, ServiceExt, service_fn};
    let site = site();
    let client = Client::member(&site).await;
    let service = site
        .layer
        .layer(service_fn(async |request: Request<String>| {
            Ok::<_, tower::BoxError>(Response::new(format!("{:?}", request.headers())))
        }));
    let response = service.oneshot(client.request()).await.unwrap();
    assert!(response.body().contains("authorization"));
    assert!(!response.body().contains(&client.id.unwrap()));
}

#[tokio::test]
async fn two_layers_that_read_one_header_or_answer_in_one_are_an_error_that_names_it() {
    struct Api;
    let name = HeaderName::from_static("shop-session");
    let bearer = HeaderTransport::bearer;
    for (case, outer, inner, clash) in [
        (
            "both bearer",
            bearer(),
            bearer().with_response_name(name.clone()),
            Some("authorization"),
        ),
        (
            "one answer",
            HeaderTransport::named(name.clone()),
            bearer().with_response_name(name.clone()),
            Some("shop-session"),
        ),
        (
            "apart",
            HeaderTransport::named(name.clone()),
            bearer(),
            None,
        ),
    ] {
        let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let words = said.clone();
        let outer = SessionLayer::builder(MemoryStore::new())
            .with_header(outer)
            .build()
            .unwrap();
        let inner = SessionLayer::builder(MemoryStore::new())
            .with_marker::<Api>()
            .with_name("__Host-Http-api")
            .with_header(inner)
            .with_on_error(move |error: &tenure::Error, _: Response<String>| {
                *words.lock().unwrap() = error.to_string();
                error.to_response()
            })
            .build()
            .unwrap();
        use tower::{Layer, ServiceExt, service_fn};
        let service = outer.layer(inner.layer(service_fn(async |_: Request<String>| {
            Ok::<_, tower::BoxError>(Response::new(String::new()))
        })));
        let response = service.oneshot(Request::default()).await.unwrap();
        assert_eq!(
            response.status().is_server_error(),
            clash.is_some(),
            "{case}"
        );
        let said = said.lock().unwrap();
        assert!(said.contains(clash.unwrap_or_default()), "{case}: {said}");
    }
}
