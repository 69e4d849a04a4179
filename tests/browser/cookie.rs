//! The cookie, as the browser sees it.

use thirtyfour::SameSite;

use crate::bed::{Browser, NAME, Shop};

#[tokio::test]
async fn scripts_do_not_see_the_cookie() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.add(&shop, 1).await;
    assert!(browser.cookie().await.is_some());
    // One that they may see shows that they look at the right place.
    let script = "document.cookie = 'other=1'; return document.cookie";
    let seen = browser.execute(script, []).await.unwrap();
    assert_eq!(seen.json(), "other=1");
}

#[tokio::test]
async fn the_cookie_has_the_name_and_the_attributes_that_were_promised() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.add(&shop, 1).await;
    let cookie = browser.cookie().await.unwrap();
    assert_eq!(cookie.name, "__Host-Http-id");
    assert_eq!(cookie.value.len(), 64);
    assert_eq!(cookie.path.as_deref(), Some("/"));
    assert_eq!(
        cookie.domain.as_deref(),
        Some("localhost"),
        "without a dot: this host alone"
    );
    assert_eq!((cookie.secure, cookie.http_only), (Some(true), Some(true)));
    assert_eq!(cookie.same_site, Some(SameSite::Lax));
    assert_eq!(cookie.expiry, None);
}

#[tokio::test]
async fn looking_around_brings_no_cookie() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.goto(shop.at("/")).await.unwrap();
    browser.goto(shop.at("/cart")).await.unwrap();
    assert!(browser.get_all_cookies().await.unwrap().is_empty());
}

#[tokio::test]
async fn chromium_keeps_the_secure_cookie_on_plain_http_at_both_names_of_this_machine() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    for host in ["localhost", "127.0.0.1"] {
        let page = format!("http://{host}:{}/products/1", shop.port);
        browser.goto(page).await.unwrap();
        browser.press(".add button").await;
        assert_eq!(browser.count().await, 1, "at {host}");
    }
}

#[tokio::test]
async fn an_insecure_cookie_is_kept_too_and_has_no_prefix() {
    let shop = Shop::open_with(&["--insecure-cookie"]);
    let browser = Browser::start().await;
    browser.add(&shop, 1).await;
    let cookie = browser.get_named_cookie("id").await.unwrap();
    assert_eq!((cookie.secure, cookie.http_only), (Some(false), Some(true)));
    assert_eq!(browser.count().await, 1);
}

#[tokio::test]
async fn a_cookie_that_a_script_plants_under_our_name_is_refused() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.goto(shop.at("/")).await.unwrap();
    plant(&browser, NAME).await;
    assert!(browser.cookie().await.is_none());
    browser.add(&shop, 1).await;
    let before = browser.cookie().await.unwrap();
    plant(&browser, NAME).await;
    assert_eq!(browser.cookie().await.unwrap().value, before.value);
}

#[tokio::test]
async fn a_prefix_that_lets_scripts_in_would_not_have_refused_it() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.goto(shop.at("/")).await.unwrap();
    plant(&browser, "__Host-id").await;
    assert!(browser.get_named_cookie("__Host-id").await.is_ok());
}

/// Sets a cookie by a script, with all that a `__Host-` name asks for.
async fn plant(browser: &Browser, name: &str) {
    let cookie = format!("{name}={}; Secure; Path=/", "A".repeat(64));
    let script = format!("document.cookie = '{cookie}'");
    browser.execute(script, []).await.unwrap();
}
