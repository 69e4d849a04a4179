//! Two tabs that act at once.

use thirtyfour::WindowHandle;

use crate::bed::{Browser, Shop};

#[tokio::test]
async fn two_tabs_that_add_at_once_both_count() {
    let (shop, browser) = (Shop::open_slowly(), Browser::start().await);
    browser.add(&shop, 3).await;
    let tabs = two_tabs(&browser, &shop.at("/products/1")).await;
    press_in_both(&browser, ".add button").await;
    for tab in tabs {
        browser.switch_to_window(tab).await.unwrap();
        browser.wait_for_a_new_page().await;
    }
    browser.goto(shop.at("/cart")).await.unwrap();
    assert_eq!(browser.count().await, 3);
    let calls = browser.text(".calls").await;
    assert!(calls.contains("load, update, update"), "they met: {calls}");
}

#[tokio::test]
async fn checking_out_twice_at_once_orders_once() {
    let (shop, browser) = (Shop::open_slowly(), Browser::start().await);
    browser.add(&shop, 1).await;
    browser.sign_up(&shop).await;
    let tabs = two_tabs(&browser, &shop.at("/checkout")).await;
    let script = "for (const tab of [window, window.other])
        tab.document.querySelector('[name=address]').value = 'Ada\\n12 Mill Lane\\nCambridge'";
    browser.execute(script, []).await.unwrap();
    press_in_both(&browser, ".fields .main").await;
    for tab in tabs {
        browser.switch_to_window(tab).await.unwrap();
        browser.wait_for_a_new_page().await;
        let path = browser.path().await;
        assert!(path.starts_with("/orders"), "{path}");
    }
    browser.goto(shop.at("/orders")).await.unwrap();
    let orders = "return document.querySelectorAll('.orders li').length";
    let orders = browser.execute(orders, []).await.unwrap();
    assert_eq!(*orders.json(), 1);
    assert_eq!(browser.count().await, 0);
}

/// Opens a page in this tab, and in one that this tab's script can reach.
async fn two_tabs(browser: &Browser, url: &str) -> [WindowHandle; 2] {
    browser.goto(url).await.unwrap();
    let open = "const [url, done] = arguments;
        window.other = window.open(url);
        const look = () => window.other.document.readyState === 'complete' && window.other.location.href === url
            ? done() : setTimeout(look, 10);
        look()";
    browser.execute_async(open, [url.into()]).await.unwrap();
    let tabs = browser.windows().await.unwrap();
    tabs.try_into().expect("two tabs are open")
}

/// Presses in one tick of the script, so that neither tab waits for the other.
async fn press_in_both(browser: &Browser, css: &str) {
    let press = "for (const tab of [window.other, window]) {
            tab.isOld = true;
            tab.document.querySelector(arguments[0]).click();
        }";
    browser.execute(press, [css.into()]).await.unwrap();
}
