//! A stranger buys something, and each page on the way is looked at: on a phone and a desktop, light and dark.
//!
//! `./check screenshots` keeps some of the pictures in `docs/screenshots`.

use std::{env, fs, path::Path};

use serde_json::json;
use thirtyfour::support::base64_decode;

use crate::bed::{Browser, Shop};

#[tokio::test]
async fn a_stranger_buys_a_teapot_and_no_page_on_the_way_is_wider_than_the_screen() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.goto(shop.at("/")).await.unwrap();
    look(&browser, "home").await;
    browser.press(".products li:nth-child(3) button").await;
    browser.goto(shop.at("/")).await.unwrap();
    browser.press(".products li:first-child a").await;
    look(&browser, "product").await;
    browser.press(".add button").await;
    look(&browser, "cart").await;
    browser.press(".next .main").await;
    look(&browser, "login").await;
    browser.press("main p a").await;
    browser.fill("name", "Ada Miller").await;
    browser.sign("ada@example.org", "password").await;
    look(&browser, "refused").await;
    browser.sign("ada@example.org", "four blue kettles").await;
    browser.fill("address", ADDRESS).await;
    look(&browser, "checkout").await;
    browser.press(".fields .main").await;
    look(&browser, "order").await;
    browser.press(".next .button").await;
    look(&browser, "orders").await;
    look_at_the_account(&shop, &browser).await;
    browser.sign_out().await;
    look(&browser, "goodbye").await;
    browser.goto(shop.at("/nowhere")).await.unwrap();
    look(&browser, "missing").await;
}

/// Signs in with a second browser, and looks at the pages about the account with the first.
async fn look_at_the_account(shop: &Shop, browser: &Browser) {
    let other = Browser::start().await;
    other.sign_in(shop).await;
    browser.press("nav [href='/account']").await;
    look(browser, "account").await;
    browser.press("nav [href='/help']").await;
    browser.ask("Does the teapot drip?").await;
    browser.shows(".talk li:last-child", ANSWER).await;
    look(browser, "help").await;
    look_at_a_chat_that_is_over(shop, browser, &other).await;
    for (page, path) in [
        ("address", "/account/address"),
        ("confirm", "/account/confirm"),
        ("password", "/account/password"),
    ] {
        browser.goto(shop.at(path)).await.unwrap();
        look(browser, page).await;
    }
}

/// Asks on two devices, and signs the other one out.
async fn look_at_a_chat_that_is_over(shop: &Shop, browser: &Browser, other: &Browser) {
    other.open_chat(shop).await;
    other.ask("Does the teapot drip?").await;
    other.shows(".talk li:last-child", ANSWER).await;
    browser.press("nav [href='/account']").await;
    browser
        .press("[action='/account/sign-out-others'] button")
        .await;
    other.shows("#over p", "You have been signed out.").await;
    look(other, "over").await;
}

/// Looks at the page on every screen.
async fn look(browser: &Browser, page: &str) {
    for (screen, width, scheme) in SCREENS {
        show_on(browser, *width, scheme).await;
        // A phone would zoom out and call the window as wide as the page.
        let taken = "return document.documentElement.scrollWidth";
        let taken = browser.execute(taken, []).await.unwrap();
        assert!(
            taken.json().as_u64() <= Some(u64::from(*width)),
            "{page} on {screen}"
        );
        let name = format!("{page}-{screen}");
        if let Some(folder) = env::var_os("SCREENSHOTS").filter(|_| KEPT.contains(&&*name)) {
            keep(browser, &Path::new(&folder).join(name + ".webp")).await;
        }
    }
}

async fn show_on(browser: &Browser, width: u32, scheme: &str) {
    let screen =
        json!({ "width": width, "height": 850, "deviceScaleFactor": 1, "mobile": width < 600 });
    browser
        .devtools("Emulation.setDeviceMetricsOverride", screen)
        .await;
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.devtools("Emulation.setEmulatedMedia", media).await;
}

async fn keep(browser: &Browser, file: &Path) {
    let options = json!({ "format": "webp", "quality": 70, "captureBeyondViewport": true });
    let picture = browser.devtools("Page.captureScreenshot", options).await;
    let picture = base64_decode(picture["data"].as_str().unwrap()).unwrap();
    assert!(picture.len() < 60_000, "{} is large", file.display());
    fs::write(file, picture).unwrap();
}

const ANSWER: &str = "Thank you! This shop is an example, so nobody will read it; but every tab you have open here shows it.";
const ADDRESS: &str = "Ada Miller\n12 Mill Lane\nCambridge";

const SCREENS: &[(&str, u32, &str)] = &[
    ("phone", 390, "light"),
    ("phone-dark", 390, "dark"),
    ("desktop", 1280, "light"),
    ("desktop-dark", 1280, "dark"),
];

const KEPT: &[&str] = &[
    "account-phone",
    "help-phone",
    "home-desktop",
    "home-phone-dark",
    "cart-phone",
    "refused-phone",
    "checkout-desktop-dark",
    "order-desktop",
];
