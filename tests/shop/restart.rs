//! What is left when the shop has been killed, and the engine been started again.

use http::StatusCode;

#[cfg(feature = "mysql")]
use crate::bed::mariadb::MariaDb;
#[cfg(feature = "postgres")]
use crate::bed::postgres::Postgres;
#[cfg(feature = "redis")]
use crate::bed::redis::Redis;
use crate::{
    SIGN_IN, add,
    bed::{
        customer::Customer,
        engine::{self, Engine},
    },
    checkout, sign_up,
};

#[tokio::test]
async fn carts_logins_and_orders_survive_a_killed_shop_on_sqlite() {
    survive(&engine::sqlite().await, || {}).await;
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn carts_logins_and_orders_survive_a_killed_shop_and_a_restart_of_mariadb() {
    let mut server = MariaDb::start();
    let engine = Engine::at(server.database().await.url());
    survive(&engine, || server.restart()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn carts_logins_and_orders_survive_a_killed_shop_and_a_restart_of_postgres() {
    let mut server = Postgres::start();
    let engine = Engine::at(&server.url("postgres"));
    survive(&engine, || server.restart()).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn carts_logins_and_orders_survive_a_killed_shop_and_a_restart_of_redis() {
    let mut server = Redis::start_with(LASTING);
    let engine = Engine::at(&server.url()).with_data();
    survive(&engine, || server.restart()).await;
}

/// Shops, kills the shop, does something with the engine, and looks at what is there.
async fn survive(engine: &Engine, restart_the_engine: impl FnOnce()) {
    let shop = engine.open(&[]);
    let mut customer = Customer::new(shop.port);
    add(&mut customer, 1).await;
    sign_up(&mut customer).await;
    let placed = customer.post("/checkout", &checkout(1)).await;
    assert_eq!(placed.status, StatusCode::SEE_OTHER);
    add(&mut customer, 2).await;
    drop(shop);
    restart_the_engine();
    let shop = engine.open(&[]);
    let mut customer = customer.at(shop.port);
    let page = customer.get("/cart").await;
    assert_eq!((page.count(), page.is_for("Ada")), (2, true));
    assert_eq!(customer.get("/orders").await.orders(), 1);
    assert_eq!(customer.get(placed.goes_to()).await.status, StatusCode::OK);
    let mut elsewhere = Customer::new(shop.port);
    elsewhere.post("/login", SIGN_IN).await;
    assert_eq!(elsewhere.get("/orders").await.orders(), 1);
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn an_open_shop_goes_on_when_mariadb_has_been_started_again() {
    let mut server = MariaDb::start();
    let engine = Engine::at(server.database().await.url());
    go_on(&engine, || server.restart()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn an_open_shop_goes_on_when_postgres_has_been_started_again() {
    let mut server = Postgres::start();
    let engine = Engine::at(&server.url("postgres"));
    go_on(&engine, || server.restart()).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn an_open_shop_goes_on_when_redis_has_been_started_again() {
    let mut server = Redis::start_with(LASTING);
    let engine = Engine::at(&server.url()).with_data();
    go_on(&engine, || server.restart()).await;
}

#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
async fn go_on(engine: &Engine, restart_the_engine: impl FnOnce()) {
    let shop = engine.open(&[]);
    let mut customer = Customer::new(shop.port);
    add(&mut customer, 1).await;
    sign_up(&mut customer).await;
    restart_the_engine();
    // The store connects anew by itself.
    while customer.get("/cart").await.status == StatusCode::SERVICE_UNAVAILABLE {}
    let placed = customer.post("/checkout", &checkout(1)).await;
    assert_eq!(placed.status, StatusCode::SEE_OTHER);
    assert_eq!(customer.get("/orders").await.orders(), 1);
}

/// What is written down is kept over a restart.
#[cfg(feature = "redis")]
const LASTING: &[&str] = &["appendonly yes", "appendfsync always"];
