//! Two shops behind nginx, which sends each request to the next, and one PostgreSQL behind both.

use std::collections::HashSet;

use futures::future::join_all;
use http::StatusCode;

use crate::{
    add,
    bed::{
        customer::{Customer, Page},
        nginx::{Nginx, SERVED_BY},
        postgres::Database,
        shop::Shop,
    },
    checkout, sign_up,
};

struct Two {
    proxy: Nginx,
    shops: [Shop; 2],
    database: Database,
}

impl Two {
    async fn open(options: &[&str]) -> Self {
        let database = Database::new().await;
        let options = [&["--store", database.url()], options].concat();
        let shops = [Shop::open_with(&options), Shop::open_with(&options)];
        Self {
            proxy: Nginx::before(&shops.each_ref().map(|shop| shop.port)),
            shops,
            database,
        }
    }

    fn customer(&self) -> Customer {
        Customer::new(self.proxy.port())
    }
}

#[tokio::test]
async fn forty_adds_at_once_through_two_shops_all_count() {
    let two = Two::open(&[]).await;
    let mut customer = two.customer();
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

#[tokio::test]
async fn a_checkout_that_is_pressed_in_two_shops_at_once_orders_once() {
    // Each takes its time, so that they overlap.
    let two = Two::open(&["--slow", "300"]).await;
    let mut customer = two.customer();
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
    let count = "SELECT count(*) FROM shop_orders";
    let count = two.database.client().await.query_one(count, &[]).await;
    assert_eq!(count.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_logout_in_one_shop_is_a_logout_in_the_other() {
    let two = Two::open(&[]).await;
    let [one, other] = two.shops.each_ref().map(|shop| shop.port);
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
