//! What is left when the browser has been closed.

use crate::bed::{Browser, Shop};

#[tokio::test]
async fn keep_me_signed_in_survives_a_restart_of_the_browser() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.sign_out().await;
    browser.sign_in_for_long(&shop).await;
    assert!(browser.cookie().await.unwrap().expiry.is_some());
    let browser = browser.restart().await;
    browser.goto(shop.at("/orders")).await.unwrap();
    assert_eq!(browser.name().await.as_deref(), Some("Ada"));
}

#[tokio::test]
async fn a_plain_login_does_not_survive_a_restart_of_the_browser() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.sign_out().await;
    browser.sign_in(&shop).await;
    assert_eq!(browser.name().await.as_deref(), Some("Ada"));
    let browser = browser.restart().await;
    browser.goto(shop.at("/orders")).await.unwrap();
    assert_eq!(browser.path().await, "/login");
    assert!(browser.cookie().await.is_none());
}
