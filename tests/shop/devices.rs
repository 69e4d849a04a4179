//! Where somebody is signed in, signing out there, and what asks for the password again.

use http::StatusCode;
use sqlx::SqlitePool;

use crate::{
    SIGN_IN, SIGN_UP,
    bed::{
        customer::Customer,
        engine::{Engine, Site, on_each_engine},
        shop::Shop,
    },
    checkout, file,
    help::{NOTHING, OVER},
    open, sign_up,
};

on_each_engine! {
    a_device_that_is_signed_out_in_one_shop_is_signed_out_in_the_other_and_its_open_chat_is_over
    a_password_that_is_changed_signs_all_others_out_and_is_asked_for_from_then_on
}

pub(crate) async fn sign_in(customer: &mut Customer) {
    let signed_in = customer.post("/login", SIGN_IN).await;
    assert_eq!(signed_in.goes_to(), "/cart", "{signed_in:?}");
}

/// Tells whether the account page asks to sign in.
async fn is_signed_out(customer: &mut Customer) -> bool {
    let page = customer.get("/account").await;
    page.goes_to() == "/login?next=account"
}

async fn a_device_that_is_signed_out_in_one_shop_is_signed_out_in_the_other_and_its_open_chat_is_over(
    engine: Engine,
) {
    let two = Site::open(engine, 2, &[]);
    let [one, other] = [0, 1].map(|number| two.shops[number].port);
    let (mut fox, mut phone) = (Customer::with(one, FOX), Customer::with(other, PHONE));
    sign_up(&mut fox).await;
    sign_in(&mut phone).await;
    let page = fox.get("/account").await;
    assert_eq!(page.devices(), ["Firefox on Linux", "Safari on iPhone"]);
    let mut chat = phone.listen("/help/events").await;
    assert_eq!(chat.next().await.as_deref(), Some(NOTHING));
    let [device] = page.sign_outs()[..] else {
        panic!("{page:?}")
    };
    let form = format!("device={device}");
    let signed_out = fox.post("/account/sign-out", &form).await;
    assert_eq!(signed_out.goes_to(), "/account");
    assert!(is_signed_out(&mut phone).await);
    assert_eq!(chat.next().await.as_deref(), Some(OVER));
    assert_eq!(chat.next().await, None);
    let page = fox.get("/account").await;
    assert!(page.text.contains("That device is signed out."));
    assert_eq!(page.devices(), ["Firefox on Linux"]);
    let again = fox.post("/account/sign-out", &form).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

async fn a_password_that_is_changed_signs_all_others_out_and_is_asked_for_from_then_on(
    engine: Engine,
) {
    let two = Site::open(engine, 2, &[]);
    let [one, other] = [0, 1].map(|number| two.shops[number].port);
    let (mut fox, mut phone) = (Customer::with(one, FOX), Customer::with(other, PHONE));
    sign_up(&mut fox).await;
    sign_in(&mut phone).await;
    let mut stolen = fox.clone();
    let change = "password=four+blue+kettles&new=five+red+teapots";
    assert_eq!(
        fox.post("/account/password", change).await.goes_to(),
        "/account"
    );
    assert!(is_signed_out(&mut phone).await);
    assert!(
        is_signed_out(&mut stolen).await,
        "this one has a new cookie"
    );
    let page = fox.get("/account").await;
    assert_eq!(page.devices(), ["Firefox on Linux"]);
    assert!(page.text.contains("One other device is signed out."));
    let old = phone.post("/login", SIGN_IN).await;
    assert_eq!(old.status, StatusCode::UNPROCESSABLE_ENTITY);
    let new = "email=ada%40example.org&password=five+red+teapots";
    assert_eq!(phone.post("/login", new).await.goes_to(), "/cart");
}

#[tokio::test]
async fn all_others_are_signed_out_and_this_one_goes_on() {
    let shop = Shop::open();
    let mut here = Customer::new(shop.port);
    sign_up(&mut here).await;
    let mut others = [Customer::new(shop.port), Customer::new(shop.port)];
    for other in &mut others {
        sign_in(other).await;
    }
    assert_eq!(here.get("/account").await.devices().len(), 3);
    here.post("/account/sign-out-others", "").await;
    for other in &mut others {
        assert!(is_signed_out(other).await);
    }
    let page = here.get("/account").await;
    assert!(page.text.contains("2 other devices are signed out."));
    assert_eq!(page.devices(), ["An unknown browser"]);
    here.post("/account/sign-out-others", "").await;
    assert!(here.get("/account").await.text.contains("nowhere else"));
}

#[tokio::test]
async fn a_device_of_somebody_else_is_not_found_and_goes_on() {
    let shop = Shop::open();
    let (mut ada, mut eve) = (Customer::new(shop.port), Customer::new(shop.port));
    let mut other = ada.clone();
    sign_up(&mut ada).await;
    sign_in(&mut other).await;
    eve.post("/signup", &SIGN_UP.replace("ada", "eve")).await;
    let page = ada.get("/account").await;
    for device in [page.sign_outs()[0], "AAAAAAAAAAAAAAAAAAAAAA", "x", ""] {
        let form = format!("device={device}");
        let refused = eve.post("/account/sign-out", &form).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{device}");
    }
    assert_eq!(eve.get("/account").await.devices().len(), 1);
    assert_eq!(other.get("/account").await.devices().len(), 2);
}

#[tokio::test]
async fn this_device_signs_out_by_its_own_name_too() {
    let shop = Shop::open();
    let (mut one, mut other) = (Customer::new(shop.port), Customer::new(shop.port));
    sign_up(&mut one).await;
    sign_in(&mut other).await;
    let page = other.get("/account").await;
    let form = format!("device={}", page.sign_outs()[0]);
    assert_eq!(
        one.post("/account/sign-out", &form).await.goes_to(),
        "/goodbye"
    );
    assert!(is_signed_out(&mut one).await);
}

#[tokio::test]
async fn nobody_who_is_signed_out_has_an_account() {
    let shop = Shop::open();
    let mut customer = Customer::new(shop.port);
    for path in ["/account", "/account/password", "/account/confirm"] {
        assert_eq!(customer.get(path).await.goes_to(), "/login?next=account");
    }
    let page = customer.get("/account/address").await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(page.text.contains("Sign in first"));
    for path in [
        "/account/sign-out?",
        "/account/sign-out-others",
        "/account/password",
    ] {
        let page = customer.post(path, "device=x&password=a&new=b").await;
        assert_eq!(page.goes_to(), "/login?next=account", "{path}");
    }
}

#[tokio::test]
async fn a_password_is_not_changed_by_who_does_not_know_it_or_to_a_bad_one() {
    let shop = Shop::open();
    let mut customer = Customer::new(shop.port);
    sign_up(&mut customer).await;
    for (form, why) in [
        (
            "password=wrong&new=five+red+teapots",
            "That is not your password.",
        ),
        ("password=four+blue+kettles&new=short", "eight characters"),
        (
            "password=four+blue+kettles&new=ada%40example.org",
            "e-mail address",
        ),
    ] {
        let page = customer.post("/account/password", form).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text.contains(why), "{why}");
    }
    sign_in(&mut Customer::new(shop.port)).await;
}

#[tokio::test]
async fn an_address_is_changed_by_who_has_shown_the_password_lately() {
    let (_folder, url) = file();
    let shop = open(&url);
    let mut customer = Customer::new(shop.port);
    sign_up(&mut customer).await;
    let change = "address=Ada%0A12+Mill+Lane";
    assert_eq!(
        customer.get("/account/address").await.status,
        StatusCode::OK
    );
    assert_eq!(
        customer.post("/account/address", change).await.goes_to(),
        "/account"
    );
    // Shows what was said, so that the next page changes nothing.
    customer.get("/account").await;
    let mut left_open = customer.clone();
    sign_in_long_ago(&url).await;
    let other = "address=Eve%0A1+Side+Street";
    for page in [
        customer.get("/account/address").await,
        customer.post("/account/address", other).await,
    ] {
        assert_eq!(page.goes_to(), "/account/confirm");
    }
    let refused = customer.post("/account/confirm", "password=wrong").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let confirm = "password=four+blue+kettles";
    let confirmed = customer.post("/account/confirm", confirm).await;
    assert_eq!(confirmed.goes_to(), "/account/address");
    let page = customer.get("/account/address").await;
    assert!(page.text.contains("12 Mill Lane"), "{page:?}");
    assert!(is_signed_out(&mut left_open).await, "it has a new secret");
    customer.post("/cart", "product=1&quantity=1").await;
    assert!(
        customer
            .get("/checkout")
            .await
            .text
            .contains("12 Mill Lane")
    );
    assert_eq!(
        customer.post("/checkout", &checkout(1)).await.status,
        StatusCode::SEE_OTHER
    );
}

/// Sets back when the one session of a database was signed in, by six minutes.
async fn sign_in_long_ago(url: &str) {
    let database = SqlitePool::connect(url).await.unwrap();
    let read = sqlx::query_scalar("SELECT header FROM tenure_sessions");
    let mut header: Vec<u8> = read.fetch_one(&database).await.unwrap();
    let stamp = identity(&header);
    let at = u64::from_be_bytes(header[stamp..stamp + 8].try_into().unwrap());
    let earlier = at - 6 * 60 * 1_000;
    header[stamp..stamp + 8].copy_from_slice(&earlier.to_be_bytes());
    let write = sqlx::query("UPDATE tenure_sessions SET header = ?").bind(header);
    let written = write.execute(&database).await.unwrap();
    assert_eq!(written.rows_affected(), 1);
}

/// Finds the identity among a header's fields, each of which begins with its tag and its length.
fn identity(header: &[u8]) -> usize {
    let mut at = 1;
    while header[at] != 4 {
        at += 3 + usize::from(u16::from_be_bytes([header[at + 1], header[at + 2]]));
    }
    at + 3
}

const FOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
    Version/26.0 Mobile/15E148 Safari/604.1";
