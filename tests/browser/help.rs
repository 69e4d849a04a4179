//! Asking the shop, on a page whose list grows by itself.

use serde_json::json;

use crate::bed::{Browser, Shop};

#[tokio::test]
async fn what_is_asked_in_one_tab_appears_once_in_each_and_no_page_is_loaded_for_it() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.open_chat(&shop).await;
    let one = browser.window().await.unwrap();
    let other = browser.new_tab().await.unwrap();
    browser.switch_to_window(other.clone()).await.unwrap();
    browser.open_chat(&shop).await;
    browser.execute("window.isOld = true", []).await.unwrap();
    browser.ask("<b>Does the teapot drip?</b>").await;
    browser.ask("And the cup?").await;
    for tab in [one, other] {
        browser.switch_to_window(tab).await.unwrap();
        browser.shows(".talk li:last-child", "And the cup?").await;
        let asked = browser.text(".talk li:nth-child(2)").await;
        assert_eq!(asked, "<b>Does the teapot drip?</b>");
    }
    let seen = "return [window.isOld, document.querySelectorAll('.talk li').length]";
    let seen = browser.execute(seen, []).await.unwrap();
    assert_eq!(*seen.json(), json!([true, 4]));
}

#[tokio::test]
async fn without_scripts_the_shop_is_asked_by_a_form_and_the_page_is_loaded_anew() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    let disabled = json!({ "value": true });
    let disable = "Emulation.setScriptExecutionDisabled";
    browser.devtools(disable, disabled).await;
    browser.press("nav [href='/help']").await;
    let state = browser.text("#state").await;
    assert_eq!(state, "Reload the page to see what is new.");
    browser.fill("words", "Does the teapot drip?").await;
    browser.press(".ask button").await;
    let asked = browser.text(".talk li:nth-child(2)").await;
    assert_eq!(asked, "Does the teapot drip?");
}

#[tokio::test]
async fn signing_in_again_in_another_tab_leaves_the_chat_open() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.open_chat(&shop).await;
    let chat = browser.window().await.unwrap();
    let other = browser.new_tab().await.unwrap();
    browser.switch_to_window(other).await.unwrap();
    browser.sign_in(&shop).await;
    browser.switch_to_window(chat).await.unwrap();
    browser.ask("Does the teapot drip?").await;
    let asked = ".talk li:nth-child(2)";
    browser.shows(asked, "Does the teapot drip?").await;
    browser
        .shows("#state", "What is new appears by itself.")
        .await;
}

#[tokio::test]
async fn what_is_asked_when_nobody_is_signed_in_any_more_leads_to_the_login_page() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.open_chat(&shop).await;
    browser.delete_all_cookies().await.unwrap();
    browser.fill("words", "Does the teapot drip?").await;
    browser.press(".ask button").await;
    assert_eq!(browser.path().await, "/login");
    browser.sign("ada@example.org", "four blue kettles").await;
    assert_eq!(browser.path().await, "/help");
}

#[tokio::test]
async fn more_tabs_than_a_browser_has_connections_leave_the_shop_within_reach() {
    let (shop, browser) = (Shop::open(), Browser::start().await);
    browser.sign_up(&shop).await;
    browser.open_chat(&shop).await;
    for _ in 0..6 {
        let tab = browser.new_tab().await.unwrap();
        browser.switch_to_window(tab).await.unwrap();
        browser.open_chat(&shop).await;
    }
    browser.press("nav [href='/cart']").await;
    assert_eq!(browser.path().await, "/cart");
}
