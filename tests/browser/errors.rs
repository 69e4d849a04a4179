//! Pages for when something is not as it should be.

use crate::bed::{Browser, Shop};

#[tokio::test]
async fn a_page_that_does_not_exist_says_so_and_shows_the_way_back() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.goto(shop.at("/nowhere")).await.unwrap();
    assert_eq!(browser.text("h1").await, "There is no such page");
    browser.press("main a").await;
    assert_eq!(browser.path().await, "/");
}

#[tokio::test]
async fn who_comes_upon_a_page_that_does_not_exist_is_still_signed_in_there() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.add(&shop, 1).await;
    browser.sign_up(&shop).await;
    browser.goto(shop.at("/nowhere")).await.unwrap();
    assert_eq!(browser.count().await, 1);
    assert_eq!(browser.name().await.as_deref(), Some("Ada"));
    browser.sign_out().await;
    assert_eq!(browser.path().await, "/goodbye");
}

#[tokio::test]
async fn checking_out_what_has_changed_meanwhile_orders_nothing_and_shows_the_cart() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.add(&shop, 1).await;
    browser.sign_up(&shop).await;
    browser.goto(shop.at("/checkout")).await.unwrap();
    let old = browser.window().await.unwrap();
    let new = browser.new_tab().await.unwrap();
    browser.switch_to_window(new).await.unwrap();
    browser.add(&shop, 2).await;
    browser.switch_to_window(old).await.unwrap();
    browser.fill("address", "Ada\n12 Mill Lane").await;
    browser.press(".fields .main").await;
    assert_eq!(browser.text("h1").await, "This page was out of date");
    assert_eq!(browser.count().await, 2);
    let lines = browser.text(".lines").await;
    assert!(lines.contains("Teapot") && lines.contains("Cup"), "{lines}");
    browser.goto(shop.at("/orders")).await.unwrap();
    assert!(browser.text("main").await.contains("not ordered anything"));
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_apology_and_leaves_the_cookie_alone() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.add(&shop, 1).await;
    let cookie = browser.cookie().await.unwrap();
    // Another shop at the same host gets the same cookie; its store takes longer than the layer waits.
    let slow = Shop::open_with(&["--slow", "60000"]);
    browser.goto(slow.at("/cart")).await.unwrap();
    assert_eq!(browser.text("h1").await, "Try again in a moment");
    assert_eq!(browser.text(".top").await, "Leaf & Clay");
    assert_eq!(browser.cookie().await.unwrap().value, cookie.value);
}

#[tokio::test]
async fn an_order_of_somebody_else_does_not_exist() {
    let shop = Shop::open();
    let (browser, other) = (Browser::start().await, Browser::start().await);
    browser.add(&shop, 1).await;
    browser.sign_up(&shop).await;
    browser.check_out(&shop).await;
    let order = browser.path().await;
    let number = order.strip_prefix("/orders/").unwrap();
    assert_eq!(browser.text("h1").await, format!("Order {number}"));
    assert_eq!(
        browser.text(".flash").await,
        "Thank you! Your order is placed."
    );
    other.goto(shop.at("/signup")).await.unwrap();
    other.fill("name", "Bob").await;
    other.sign("bob@example.org", "five green cups").await;
    other.goto(shop.at(&order)).await.unwrap();
    assert_eq!(other.text("h1").await, "There is no such page");
}
