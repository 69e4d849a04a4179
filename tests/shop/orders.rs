//! Orders in a database: once each, and no cart lost on the way.

use http::StatusCode;
use sqlx::{AssertSqlSafe, SqlitePool};

use crate::{add, bed::customer::Customer, checkout, file, open, sign_up};

#[tokio::test]
async fn an_order_that_the_database_refuses_leaves_the_cart_as_it_was() {
    let (_folder, url) = file();
    let shop = open(&url);
    let mut customer = Customer::new(shop.port);
    add(&mut customer, 2).await;
    sign_up(&mut customer).await;
    let database = SqlitePool::connect(&url).await.unwrap();
    run(&database, "ALTER TABLE shop_orders RENAME TO away").await;
    let refused = customer.post("/checkout", &checkout(2)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let page = customer.get("/cart").await;
    assert_eq!((page.count(), page.is_for("Ada")), (2, true));
    run(&database, "ALTER TABLE away RENAME TO shop_orders").await;
    let placed = customer.post("/checkout", &checkout(2)).await;
    assert!(placed.goes_to().starts_with("/orders/"), "{placed:?}");
    let page = customer.get("/orders").await;
    assert_eq!((page.count(), page.orders()), (0, 1));
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_not_placed_again() {
    let (_folder, url) = file();
    let shop = open(&url);
    let mut customer = Customer::new(shop.port);
    add(&mut customer, 2).await;
    sign_up(&mut customer).await;
    let database = SqlitePool::connect(&url).await.unwrap();
    // What the shop finds when its first insert was carried out and it did not learn of that.
    run(
        &database,
        "CREATE TRIGGER twice BEFORE INSERT ON shop_orders WHEN NEW.address NOT LIKE 'Bob%' BEGIN
            INSERT INTO shop_orders (id, buyer, address, cart) VALUES (NEW.id, NEW.buyer, 'Bob', NEW.cart);
        END",
    )
    .await;
    let placed = customer.post("/checkout", &checkout(2)).await;
    assert!(placed.goes_to().starts_with("/orders/"), "{placed:?}");
    let page = customer.get(placed.goes_to()).await;
    assert!(page.text.contains("was placed before"), "{page:?}");
    assert_eq!(customer.get("/orders").await.orders(), 1);
}

#[tokio::test]
async fn an_order_whose_cart_could_not_be_emptied_is_not_placed_again_and_what_is_new_is_kept() {
    let (_folder, url) = file();
    let shop = open(&url);
    let mut customer = Customer::new(shop.port);
    add(&mut customer, 2).await;
    sign_up(&mut customer).await;
    // Shows the greeting, so that later pages change nothing.
    customer.get("/cart").await;
    let database = SqlitePool::connect(&url).await.unwrap();
    // What is left when the shop is killed at that moment, or the session has changed.
    run(
        &database,
        "CREATE TRIGGER refuses BEFORE UPDATE ON tenure_sessions WHEN EXISTS (SELECT 1 FROM shop_orders) BEGIN
            SELECT RAISE(ABORT, 'no');
        END",
    )
    .await;
    let placed = customer.post("/checkout", &checkout(2)).await;
    assert!(placed.goes_to().starts_with("/orders/"), "{placed:?}");
    let page = customer.get("/orders").await;
    assert_eq!((page.count(), page.orders()), (2, 1));
    run(&database, "DROP TRIGGER refuses").await;
    add(&mut customer, 1).await;
    let again = customer.post("/checkout", &checkout(3)).await;
    assert_eq!(again.goes_to(), placed.goes_to());
    let page = customer.get("/orders").await;
    assert_eq!((page.count(), page.orders()), (1, 1));
    let another = customer.post("/checkout", &checkout(1)).await;
    assert_ne!(another.goes_to(), placed.goes_to());
    let page = customer.get("/orders").await;
    assert_eq!((page.count(), page.orders()), (0, 2));
}

#[tokio::test]
async fn an_address_has_one_account() {
    let (_folder, url) = file();
    let shop = open(&url);
    sign_up(&mut Customer::new(shop.port)).await;
    let mut other = Customer::new(shop.port);
    let refused = other.post("/signup", crate::SIGN_UP).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("has an account already"));
}

#[tokio::test]
async fn a_checkout_that_is_out_of_date_orders_nothing_and_shows_the_cart() {
    let (_folder, url) = file();
    let shop = open(&url);
    let mut customer = Customer::new(shop.port);
    add(&mut customer, 2).await;
    sign_up(&mut customer).await;
    let page = customer.post("/checkout", &checkout(1)).await;
    assert_eq!((page.status, page.count()), (StatusCode::CONFLICT, 2));
    assert!(page.text.contains("This page was out of date"));
    assert!(page.text.contains(r#"class="lines""#));
    assert_eq!(customer.get("/cart").await.count(), 2);
    assert_eq!(customer.get("/orders").await.orders(), 0);
}

#[tokio::test]
async fn an_address_that_is_refused_is_told_why_and_the_cart_stays() {
    let (_folder, url) = file();
    let shop = open(&url);
    let mut customer = Customer::new(shop.port);
    add(&mut customer, 2).await;
    sign_up(&mut customer).await;
    let long = format!("Ada%0D%0A{}", "a".repeat(397));
    for (address, why) in [("Ada+Miller", "two lines or more"), (&long, "too long")] {
        let form = format!("address={address}&total=6800");
        let page = customer.post("/checkout", &form).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!((page.text.contains(why), page.count()), (true, 2), "{why}");
    }
    let form = format!("address={}&total=6800", &long[..long.len() - 1]);
    let placed = customer.post("/checkout", &form).await;
    assert_eq!(placed.status, StatusCode::SEE_OTHER, "400 letters fit");
}

async fn run(database: &SqlitePool, text: &str) {
    let text = AssertSqlSafe(text.to_owned());
    sqlx::raw_sql(text).execute(database).await.unwrap();
}
