//! Signing in and out.

use thirtyfour::Cookie;

use crate::bed::{Browser, Shop};

#[tokio::test]
async fn signing_in_changes_the_secret_and_keeps_the_handle_and_the_cart() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.add(&shop, 1).await;
    let before = browser.cookie().await.unwrap().value;
    browser.sign_up(&shop).await;
    let after = browser.cookie().await.unwrap().value;
    let (handle, secret) = before.split_at(HANDLE);
    let (new_handle, new_secret) = after.split_at(HANDLE);
    assert_eq!(new_handle, handle);
    assert_ne!(new_secret, secret);
    assert_eq!(browser.name().await.as_deref(), Some("Ada"));
    assert_eq!(browser.count().await, 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let shop = Shop::open();
    let (browser, thief) = (Browser::start().await, Browser::start().await);
    browser.sign_up(&shop).await;
    let cookie = browser.cookie().await.unwrap();
    assert_eq!(
        name_with(&thief, &shop, &cookie).await.as_deref(),
        Some("Ada")
    );
    browser.sign_out().await;
    assert!(browser.cookie().await.is_none());
    assert_eq!(name_with(&thief, &shop, &cookie).await, None);
    assert_eq!(name_with(&browser, &shop, &cookie).await, None);
}

/// Puts a cookie into a browser and returns who the shop takes it for.
async fn name_with(browser: &Browser, shop: &Shop, cookie: &Cookie) -> Option<String> {
    browser.goto(shop.at("/")).await.unwrap();
    browser.put_cookie(shop, cookie).await;
    browser.goto(shop.at("/cart")).await.unwrap();
    assert_eq!(browser.cookie().await.unwrap().value, cookie.value);
    browser.name().await
}

#[tokio::test]
async fn the_back_button_shows_nothing_private_after_signing_out() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.add(&shop, 1).await;
    browser.check_out(&shop).await;
    assert!(browser.text("main").await.contains("12 Mill Lane"));
    browser.sign_out().await;
    browser.back().await.unwrap();
    assert_eq!(browser.path().await, "/login");
    assert!(!browser.source().await.unwrap().contains("12 Mill Lane"));
}

#[tokio::test]
async fn a_wrong_password_says_no_and_keeps_the_address_that_was_typed() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.sign_out().await;
    browser.goto(shop.at("/login")).await.unwrap();
    browser.sign("ada@example.org", "four red kettles").await;
    let why = "That is not the address and password of an account.";
    assert_eq!(browser.text(".wrong").await, why);
    let script = "return [...document.querySelectorAll('[name=email], [name=password]')].map(field => field.value)";
    let typed = browser.execute(script, []).await.unwrap();
    assert_eq!(typed.json().to_string(), r#"["ada@example.org",""]"#);
}

/// How many characters of the cookie belong to the handle alone: the next has bits of both.
const HANDLE: usize = 21;
