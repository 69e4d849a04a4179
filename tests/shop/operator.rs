//! What the one who runs the shop sees and does, and nobody else; and how many devices somebody may have.

use http::StatusCode;

use crate::{
    SIGN_IN, SIGN_UP,
    bed::{
        customer::Customer,
        engine::{Engine, on_each_engine},
        shop::Shop,
    },
    sign_up,
};

on_each_engine! { an_operator_lists_and_ends_a_customers_sessions }

async fn an_operator_lists_and_ends_a_customers_sessions(engine: Engine) {
    let shop = engine.open(&["--operator", "ada@example.org"]);
    let (mut ada, mut eve) = (Customer::new(shop.port), Customer::new(shop.port));
    sign_up(&mut ada).await;
    eve.post("/signup", &SIGN_UP.replace("ada", "eve")).await;
    let front = ada.get("/operator").await.text;
    let is_counted = front.contains("Live sessions: 2<");
    assert!(is_counted || front.contains("does not count"), "{front}");
    let list = ada.get("/operator?principal=2").await;
    let (_, rest) = list.text.split_once("&amp;handle=").unwrap();
    let end = format!("/operator?principal=2&handle={}", &rest[..22]);
    assert_eq!(ada.post(&end, "").await.goes_to(), "?principal=2");
    assert_eq!(eve.get("/account").await.goes_to(), "/login?next=account");
    assert_eq!(ada.get("/account").await.devices().len(), 1);
}

#[tokio::test]
async fn nobody_else_finds_the_operators_page() {
    let shop = Shop::open_with(&["--operator", "ada@example.org"]);
    let mut eve = Customer::new(shop.port);
    assert_eq!(eve.get("/operator").await.goes_to(), "/login?next=account");
    eve.post("/signup", &SIGN_UP.replace("ada", "eve")).await;
    assert_eq!(eve.get("/operator").await.status, StatusCode::NOT_FOUND);
    let without = Shop::open();
    let mut ada = Customer::new(without.port);
    sign_up(&mut ada).await;
    assert_eq!(ada.get("/operator").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn beyond_so_many_devices_the_first_is_signed_out() {
    let shop = Shop::open_with(&["--devices", "2"]);
    let mut first = Customer::new(shop.port);
    sign_up(&mut first).await;
    let mut others = [Customer::new(shop.port), Customer::new(shop.port)];
    for other in &mut others {
        other.post("/login", SIGN_IN).await;
    }
    assert_eq!(first.get("/account").await.goes_to(), "/login?next=account");
    for other in &mut others {
        assert_eq!(other.get("/account").await.devices().len(), 2);
    }
}
