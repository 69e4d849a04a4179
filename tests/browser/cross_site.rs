//! Forms that other sites send.

use axum::{
    Router,
    http::{HeaderMap, header::COOKIE},
    routing::{get, post},
};
use tenure::{Error, Session, SessionLayer, store::MemoryStore};

use crate::bed::{Browser, Shop, Site};

#[tokio::test]
async fn a_form_of_another_site_does_nothing_in_the_shop_and_leaves_the_login_alone() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    let elsewhere = Site::with_form(&shop.at("/cart"), ONE_TEAPOT).await;
    send(&browser, &shop, &elsewhere.at_another_host("/")).await;
}

/// The browser sends the cookie along, for a port makes no other site; it is the check of the origin that refuses.
#[tokio::test]
async fn a_form_of_another_port_does_nothing_in_the_shop_and_leaves_the_login_alone() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    let elsewhere = Site::with_form(&shop.at("/cart"), ONE_TEAPOT).await;
    send(&browser, &shop, &elsewhere.at_localhost("/")).await;
}

async fn send(browser: &Browser, shop: &Shop, form: &str) {
    browser.sign_up(shop).await;
    let before = browser.cookie().await.unwrap().value;
    browser.goto(form).await.unwrap();
    browser.press("button").await;
    assert_eq!(browser.text("h1").await, "This came from another site");
    browser.goto(shop.at("/cart")).await.unwrap();
    assert_eq!(browser.cookie().await.unwrap().value, before);
    assert_eq!(browser.name().await.as_deref(), Some("Ada"));
    assert_eq!(browser.count().await, 0);
}

#[tokio::test]
async fn without_another_guard_a_cross_site_post_comes_without_the_session() {
    let (site, browser) = (Site::serve(unguarded()).await, Browser::start().await);
    let elsewhere = Site::with_form(&site.at_localhost("/who"), "").await;
    browser.goto(site.at_localhost("/login")).await.unwrap();
    browser.goto(site.at_localhost("/who")).await.unwrap();
    assert_eq!(browser.text("body").await, "ada, with a cookie");
    browser.goto(elsewhere.at_another_host("/")).await.unwrap();
    browser.press("button").await;
    assert_eq!(browser.text("body").await, "nobody, without a cookie");
}

#[tokio::test]
async fn without_another_guard_a_cross_site_post_does_not_replace_the_login() {
    let (site, browser) = (Site::serve(unguarded()).await, Browser::start().await);
    let elsewhere = Site::with_form(&site.at_localhost("/write"), "").await;
    browser.goto(site.at_localhost("/login")).await.unwrap();
    let before = browser.cookie().await.unwrap().value;
    browser.goto(elsewhere.at_another_host("/")).await.unwrap();
    browser.press("button").await;
    assert!(browser.text("body").await.contains("from another site"));
    browser.goto(site.at_localhost("/who")).await.unwrap();
    assert_eq!(browser.cookie().await.unwrap().value, before);
    assert_eq!(browser.text("body").await, "ada, with a cookie");
}

/// A site that has the session layer and nothing else against forged requests.
fn unguarded() -> Router {
    Router::new()
        .route("/login", get(async |session: Session| session.login("ada")))
        .route("/who", get(who).post(who))
        .route(
            "/write",
            post(async |session: Session| session.insert("written", true)),
        )
        .layer(SessionLayer::new(MemoryStore::new()))
}

async fn who(session: Session, headers: HeaderMap) -> Result<String, Error> {
    let name = session
        .principal()
        .map_or("nobody".to_owned(), |name| name.to_string());
    let with = if headers.contains_key(COOKIE) {
        "with"
    } else {
        "without"
    };
    Ok(format!("{name}, {with} a cookie"))
}

const ONE_TEAPOT: &str =
    "<input type=hidden name=product value=1><input type=hidden name=quantity value=1>";
