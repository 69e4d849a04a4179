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
        browser.shows("#state", "connected").await;
    }
    laptop.fill("words", "hello").await;
    laptop.tick("#say button").await;
    for browser in [&laptop, &phone] {
        browser.shows("#said", "Ada: hello").await;
    }
    laptop.press("#others").await;
    phone.shows("#state", "You have been signed out.").await;
    laptop.shows("#state", "connected").await;
    phone.goto(chat.page()).await.unwrap();
    assert_eq!(phone.text("form button").await, "Sign in");
}
