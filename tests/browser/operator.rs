//! Two layers in one browser: the shop, and the page of the one who runs it.

use crate::bed::{Browser, NAME, Shop};

#[tokio::test]
async fn a_browser_keeps_a_cookie_for_each_layer_and_signs_out_of_one() {
    let shop = Shop::open_with(&["--operator", "ada@example.org"]);
    let browser = Browser::start().await;
    browser.sign_up(&shop).await;
    browser.goto(shop.at("/operator")).await.unwrap();
    assert_eq!(browser.path().await, "/operator/login");
    browser.fill("password", "four blue kettles").await;
    browser.press(".fields .main").await;
    assert_eq!(browser.path().await, "/operator");
    assert_eq!(cookies(&browser).await, [OFFICE, NAME]);
    browser.goto(shop.at("/operator/login")).await.unwrap();
    browser.press("[action='/operator/logout'] button").await;
    assert_eq!(cookies(&browser).await, [NAME]);
    browser.goto(shop.at("/cart")).await.unwrap();
    assert_eq!(browser.name().await.as_deref(), Some("Ada"));
}

async fn cookies(browser: &Browser) -> Vec<String> {
    let cookies = browser.get_all_cookies().await.unwrap();
    let mut names: Vec<_> = cookies.into_iter().map(|cookie| cookie.name).collect();
    names.sort_by_key(|name| name == NAME);
    names
}

const OFFICE: &str = "__Host-Http-operator";
