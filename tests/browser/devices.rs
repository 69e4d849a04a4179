//! One account in two browsers.

use thirtyfour::Key;

use crate::bed::{Browser, Shop};

#[tokio::test]
async fn signing_the_other_browser_out_closes_its_open_chat_and_makes_its_next_click_a_login_page()
{
    let shop = Shop::open();
    let (here, there) = (Browser::start().await, Browser::start().await);
    here.sign_up(&shop).await;
    there.sign_in(&shop).await;
    there.open_chat(&shop).await;
    there.ask("Does the teapot drip?").await;
    there.shows(".talk li", "Does the teapot drip?").await;
    here.goto(shop.at("/account")).await.unwrap();
    let devices = here.text(".devices").await;
    assert_eq!(devices.matches("Chrome on Linux").count(), 2, "{devices}");
    here.press("[action='/account/sign-out'] button").await;
    assert_eq!(here.text(".flash").await, "That device is signed out.");
    there.shows("#over p", "You have been signed out.").await;
    there.press("nav [href='/orders']").await;
    assert_eq!(there.path().await, "/login");
    assert_eq!(there.name().await, None);
    assert_eq!(here.name().await.as_deref(), Some("Ada"));
}

#[tokio::test]
async fn everywhere_else_can_be_signed_out_by_the_keyboard_alone() {
    let shop = Shop::open();
    let (here, there) = (Browser::start().await, Browser::start().await);
    here.sign_up(&shop).await;
    there.sign_in(&shop).await;
    there.open_chat(&shop).await;
    here.goto(shop.at("/account")).await.unwrap();
    tab_to(&here, "Sign out everywhere else").await;
    here.execute("window.isOld = true", []).await.unwrap();
    let focused = here.active_element().await.unwrap();
    focused.send_keys(Key::Enter).await.unwrap();
    here.wait_for_a_new_page().await;
    let said = here.text(".flash").await;
    assert_eq!(said, "One other device is signed out.");
    there.shows("#over p", "You have been signed out.").await;
    there.press("#over a").await;
    assert_eq!(there.path().await, "/login");
}

/// Goes from one thing to the next until one has this text.
async fn tab_to(browser: &Browser, text: &str) {
    for _ in 0..20 {
        let focused = browser.active_element().await.unwrap();
        if focused.text().await.unwrap() == text {
            return;
        }
        focused.send_keys(Key::Tab).await.unwrap();
    }
    panic!("{text:?} is not within reach");
}

#[tokio::test]
async fn a_new_password_signs_the_other_browser_out_and_this_one_goes_on() {
    let shop = Shop::open();
    let (here, there) = (Browser::start().await, Browser::start().await);
    here.sign_up(&shop).await;
    there.sign_in(&shop).await;
    let before = here.cookie().await.unwrap().value;
    here.goto(shop.at("/account/password")).await.unwrap();
    here.fill("password", "four blue kettles").await;
    here.fill("new", "five red teapots").await;
    here.press(".fields .main").await;
    assert_eq!(here.path().await, "/account");
    assert_ne!(here.cookie().await.unwrap().value, before);
    assert_eq!(here.name().await.as_deref(), Some("Ada"));
    there.goto(shop.at("/account")).await.unwrap();
    assert_eq!(there.path().await, "/login");
    there.sign("ada@example.org", "four blue kettles").await;
    assert!(
        there
            .text(".wrong")
            .await
            .contains("not the address and password")
    );
    there.sign("ada@example.org", "five red teapots").await;
    assert_eq!(there.path().await, "/account");
}
