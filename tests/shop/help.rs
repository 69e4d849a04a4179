//! Asking the shop: what is said, who hears it, and when he hears no more.

use std::time::Duration;

use http::StatusCode;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    SIGN_UP,
    bed::{
        customer::{Customer, Events},
        shop::Shop,
    },
    devices::sign_in,
    file, open, sign_up,
};

/// What a stream says at the end of its session.
pub(crate) const OVER: &str = "event: over\ndata: signed out";

/// What it begins with when nothing has been said.
pub(crate) const NOTHING: &str = "data: <ol></ol>";

const ASK: &str = "words=Does+the%0D%0A+%3Cb%3Eteapot%3C%2Fb%3E+drip%3F";
const ASKED: &str = "Does the &lt;b&gt;teapot&lt;/b&gt; drip?";

async fn ask(customer: &mut Customer, words: &str) {
    let asked = customer.post("/help", words).await;
    let answer = (asked.status, asked.goes_to());
    assert_eq!(answer, (StatusCode::SEE_OTHER, "/help"));
}

/// Opens a stream to which nothing has been said yet.
async fn listen(customer: &Customer) -> Events {
    let mut events = customer.listen("/help/events").await;
    assert_eq!(events.next().await.as_deref(), Some(NOTHING));
    events
}

#[tokio::test]
async fn what_is_asked_stands_on_the_page_and_in_the_open_stream() {
    let shop = Shop::open();
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    let mut events = listen(&ada).await;
    ask(&mut ada, ASK).await;
    let heard = events.next().await.unwrap();
    let page = ada.get("/help").await.text;
    for text in [heard, page] {
        assert!(
            text.contains(ASKED) && text.contains("Thank you!"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn nobody_hears_what_another_asks_not_even_on_another_device() {
    let shop = Shop::open();
    let (mut ada, mut eve) = (Customer::new(shop.port), Customer::new(shop.port));
    let mut phone = ada.clone();
    sign_up(&mut ada).await;
    sign_in(&mut phone).await;
    eve.post("/signup", &SIGN_UP.replace("ada", "eve")).await;
    let mut heard = [listen(&phone).await, listen(&eve).await];
    ask(&mut ada, ASK).await;
    for other in [&mut phone, &mut eve] {
        assert!(!other.get("/help").await.text.contains(ASKED));
        ask(other, "words=Is+it+mine%3F").await;
    }
    for events in &mut heard {
        let first = events.next().await.unwrap();
        assert!(
            first.contains("Is it mine?") && !first.contains(ASKED),
            "{first}"
        );
    }
}

#[tokio::test]
async fn an_open_stream_does_not_keep_the_shop_from_closing_and_what_was_said_is_there_when_it_opens()
 {
    let (_folder, url) = file();
    let shop = open(&url);
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    let mut events = listen(&ada).await;
    ask(&mut ada, ASK).await;
    assert!(events.next().await.unwrap().contains(ASKED));
    let closing = spawn_blocking(|| shop.close());
    let last = timeout(Duration::from_secs(60), events.next()).await;
    assert_eq!(last.expect("the stream ends"), None);
    closing.await.unwrap();
    let shop = open(&url);
    let mut ada = ada.at(shop.port);
    assert!(ada.get("/help").await.text.contains(ASKED));
    let mut events = ada.listen("/help/events").await;
    assert!(events.next().await.unwrap().contains(ASKED));
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_says_so_and_so_does_one_that_comes_later() {
    let shop = Shop::open();
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    let late = ada.clone();
    let mut open = listen(&ada).await;
    ada.post("/logout", "").await;
    for events in [&mut open, &mut late.listen("/help/events").await] {
        assert_eq!(events.next().await.as_deref(), Some(OVER));
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test]
async fn signing_in_again_ends_the_stream_of_the_old_id_without_a_word_and_the_new_one_is_heard() {
    let shop = Shop::open();
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    let (mut old, retired) = (listen(&ada).await, ada.clone());
    sign_in(&mut ada).await;
    assert_eq!(old.next().await, None);
    let refused = retired.clone().get("/help/events").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let mut new = listen(&ada).await;
    ask(&mut ada, ASK).await;
    assert!(new.next().await.unwrap().contains(ASKED));
}

#[tokio::test]
async fn the_page_alone_may_have_a_script_and_only_one_of_this_shop() {
    let shop = Shop::open();
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    let policy = async |customer: &mut Customer, path: &str| {
        let page = customer.get(path).await;
        let policy = page.headers["content-security-policy"].to_str();
        policy.unwrap().to_owned()
    };
    let usual = policy(&mut ada, "/cart").await;
    assert!(usual.starts_with("default-src 'none'; style-src") && !usual.contains("script"));
    let here = policy(&mut ada, "/help").await;
    assert_eq!(
        here.replace("script-src 'self'; connect-src 'self'; ", ""),
        usual
    );
}

#[tokio::test]
async fn what_is_empty_or_too_long_is_refused_and_typed_no_second_time() {
    let shop = Shop::open();
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    let long = "a".repeat(301);
    for (words, why) in [("+%0A", "not asked anything"), (&*long, "too long")] {
        let page = ada.post("/help", &format!("words={words}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text.contains(why), "{page:?}");
    }
    assert!(!ada.get("/help").await.text.contains("line-"));
}

#[tokio::test]
async fn the_last_twenty_lines_are_kept() {
    let shop = Shop::open();
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    for number in 1..=25 {
        ask(&mut ada, &format!("words=Question+{number}.")).await;
    }
    let page = ada.get("/help").await.text;
    assert_eq!(page.matches("line-").count(), 20);
    assert!(page.contains("Question 6.") && !page.contains("Question 5."));
}

#[tokio::test]
async fn nobody_who_is_signed_out_asks_anything() {
    let shop = Shop::open();
    let mut customer = Customer::new(shop.port);
    for page in [
        customer.get("/help").await,
        customer.post("/help", ASK).await,
    ] {
        assert_eq!(page.goes_to(), "/login?next=help");
    }
}
