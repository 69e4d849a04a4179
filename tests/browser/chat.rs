//! A stream that is open when its session ends.

use crate::bed::{Browser, Chat};

#[tokio::test]
async fn signing_out_elsewhere_closes_the_open_chat() {
    let chat = Chat::open();
    let (laptop, phone) = (Browser::start().await, Browser::start().await);
    for browser in [&laptop, &phone] {
        browser.goto(chat.page()).await.unwrap();
        browser.fill("name", "Ada").await;
        browser.press("form button").await;
        shows(browser, "#state", "connected").await;
    }
    laptop.fill("words", "hello").await;
    laptop.tick("#say button").await;
    for browser in [&laptop, &phone] {
        shows(browser, "#said", "Ada: hello").await;
    }
    laptop.press("#others").await;
    shows(&phone, "#state", "You have been signed out.").await;
    shows(&laptop, "#state", "connected").await;
    phone.goto(chat.page()).await.unwrap();
    assert_eq!(phone.text("form button").await, "Sign in");
}

/// Waits until a part of the page says something.
async fn shows(browser: &Browser, css: &str, words: &str) {
    let wait = "const [css, words, done] = arguments;
        const look = () => document.querySelector(css)?.textContent === words ? done() : setTimeout(look, 10);
        look()";
    let arguments = [css.into(), words.into()];
    browser.execute_async(wait, arguments).await.unwrap();
}
