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
    let mut office = enter(shop.port).await;
    let front = office.get("/operator").await.text;
    let is_counted = front.contains("Live sessions: 3<");
    assert!(is_counted || front.contains("does not count"), "{front}");
    let list = office.get("/operator?principal=2").await;
    let (_, rest) = list.text.split_once("&amp;handle=").unwrap();
    let end = format!("/operator?principal=2&handle={}", &rest[..22]);
    assert_eq!(office.post(&end, "").await.goes_to(), "?principal=2");
    assert_eq!(eve.get("/account").await.goes_to(), "/login?next=account");
    assert_eq!(ada.get("/account").await.devices().len(), 1);
}

/// Signs in to the operator's page, and not to the shop.
async fn enter(port: u16) -> Customer {
    let mut office = Customer::new(port);
    let entered = office.post("/operator/login", PASSWORD).await;
    assert_eq!(entered.goes_to(), "/operator");
    office
}

#[tokio::test]
async fn the_operators_page_and_the_shop_know_nothing_of_each_others_sessions() {
    let shop = Shop::open_with(&["--operator", "ada@example.org"]);
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    for path in ["/operator", "/operator?principal=1"] {
        assert_eq!(ada.get(path).await.goes_to(), "/operator/login");
    }
    let mut office = enter(shop.port).await;
    assert_eq!(
        office.get("/account").await.goes_to(),
        "/login?next=account"
    );
    assert_eq!(ada.get("/account").await.devices().len(), 1);
    office.post("/operator/logout", "").await;
    assert_eq!(office.get("/operator").await.goes_to(), "/operator/login");
    assert!(ada.get("/account").await.is_for("Ada"));
}

#[tokio::test]
async fn the_operators_page_opens_by_his_password_alone_and_no_longer_once_it_is_changed() {
    let shop = Shop::open_with(&["--operator", "ada@example.org"]);
    let mut eve = Customer::new(shop.port);
    let nobody = eve.post("/operator/login", PASSWORD).await;
    assert_eq!(nobody.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut ada = Customer::new(shop.port);
    sign_up(&mut ada).await;
    let guess = eve
        .post("/operator/login", "password=three+red+kettles")
        .await;
    assert_eq!(guess.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut office = enter(shop.port).await;
    assert_eq!(office.get("/operator").await.status, StatusCode::OK);
    let change = format!("{PASSWORD}&new=five+green+kettles");
    assert_eq!(
        ada.post("/account/password", &change).await.goes_to(),
        "/account"
    );
    assert_eq!(office.get("/operator").await.goes_to(), "/operator/login");
    let without = Shop::open();
    assert_eq!(
        eve.at(without.port).get("/operator").await.status,
        StatusCode::NOT_FOUND
    );
}

const PASSWORD: &str = "password=four+blue+kettles";

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
