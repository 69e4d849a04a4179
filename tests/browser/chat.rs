//! A stream that is open when its session ends.

use thirtyfour::By;

use crate::bed::{Browser, Chat};

#[tokio::test]
async fn signing_out_elsewhere_closes_the_open_chat() {
    let chat = Chat::open();
    let (laptop, phone) = (Browser::start().await, Browser::start().await);
    for browser in [&laptop, &phone] {
        sign_in(browser, &chat).await;
        shows(browser, "#state", "connected").await;
    }
    laptop
        .find(By::Css("[name=words]"))
        .await
        .unwrap()
        .send_keys("hello")
        .await
        .unwrap();
    press(&laptop, "#say button").await;
    for browser in [&laptop, &phone] {
        shows(browser, "#said", "Ada: hello").await;
    }
    press(&laptop, "#others").await;
    shows(&phone, "#state", "You have been signed out.").await;
    shows(&laptop, "#state", "connected").await;
    phone.refresh().await.unwrap();
    shows(&phone, "form button", "Sign in").await;
}

async fn sign_in(browser: &Browser, chat: &Chat) {
    let page = format!("http://localhost:{}/", chat.port);
    browser.goto(page).await.unwrap();
    browser
        .find(By::Css("[name=name]"))
        .await
        .unwrap()
        .send_keys("Ada")
        .await
        .unwrap();
    press(browser, "form button").await;
}

async fn press(browser: &Browser, css: &str) {
    browser
        .find(By::Css(css))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
}

/// Waits until a part of the page says something.
async fn shows(browser: &Browser, css: &str, words: &str) {
    let wait = "const [css, words, done] = arguments;
        const look = () => document.querySelector(css)?.textContent === words ? done() : setTimeout(look, 10);
        look()";
    browser
        .execute_async(wait, [css.into(), words.into()])
        .await
        .unwrap();
}
