//! Two shops behind nginx, which sends each request to the next, and one engine behind both.

use std::collections::HashSet;

use futures::future::join_all;
use http::StatusCode;

use crate::{
    add,
    bed::{
        customer::{Customer, Page},
        engine::{Engine, Site, on_each_engine},
        nginx::SERVED_BY,
    },
    checkout, sign_up,
};

on_each_engine! {
    a_checkout_that_is_pressed_in_two_shops_at_once_orders_once
    a_logout_in_one_shop_is_a_logout_in_the_other
    forty_adds_at_once_through_two_shops_all_count
}

async fn forty_adds_at_once_through_two_shops_all_count(engine: Engine) {
    let two = Site::open(engine, 2, &[]);
    let mut customer = Customer::new(two.port());
    add(&mut customer, 1).await;
    let adds = (0..40).map(|_| post(customer.clone(), "/cart", "product=1&quantity=1".to_owned()));
    let answers = join_all(adds).await;
    assert!(
        answers
            .iter()
            .all(|page| page.status == StatusCode::SEE_OTHER)
    );
    assert_eq!(served_by(&answers).len(), 2);
    for shop in &two.shops {
        assert_eq!(customer.at(shop.port).get("/cart").await.count(), 41);
    }
}

async fn a_checkout_that_is_pressed_in_two_shops_at_once_orders_once(engine: Engine) {
    // Each takes its time, so that they overlap.
    let two = Site::open(engine, 2, &["--slow", "300"]);
    let mut customer = Customer::new(two.port());
    add(&mut customer, 2).await;
    sign_up(&mut customer).await;
    let presses = (0..2).map(|_| post(customer.clone(), "/checkout", checkout(2)));
    let answers = join_all(presses).await;
    assert!(
        answers
            .iter()
            .all(|page| page.status == StatusCode::SEE_OTHER)
    );
    assert_eq!(served_by(&answers).len(), 2);
    let page = customer.get("/orders").await;
    assert_eq!((page.count(), page.orders()), (0, 1));
}

async fn a_logout_in_one_shop_is_a_logout_in_the_other(engine: Engine) {
    let two = Site::open(engine, 2, &[]);
    let [one, other] = [0, 1].map(|number| two.shops[number].port);
    let mut customer = Customer::new(one);
    sign_up(&mut customer).await;
    let mut kept = customer.at(other);
    assert_eq!(kept.get("/orders").await.status, StatusCode::OK);
    customer.post("/logout", "").await;
    assert_eq!(kept.get("/orders").await.goes_to(), "/login?next=orders");
}

async fn post(mut customer: Customer, path: &str, form: String) -> Page {
    customer.post(path, &form).await
}

/// Returns which shops the answers came from.
fn served_by(answers: &[Page]) -> HashSet<&str> {
    answers
        .iter()
        .map(|page| page.headers[SERVED_BY].to_str().unwrap())
        .collect()
}
