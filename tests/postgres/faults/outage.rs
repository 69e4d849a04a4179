//! A server that is gone for a while, or answers nobody, under load.

use tenure::SessionLayer;
use tokio_postgres::Client;

use super::{
    super::{
        bed::{
            load::{Load, member, seed, until_it_counts},
            postgres::{Database, Postgres},
            process::signal,
            visitor::{OK, UNAVAILABLE, count, counted, read},
        },
        open,
    },
    impatient,
};

async fn nodes(database: &Database) -> [SessionLayer; 2] {
    [
        impatient(open(database).await),
        impatient(open(database).await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_server_is_killed_under_load() {
    let seed = seed();
    let mut server = Postgres::start();
    let database = server.database().await;
    let load = Load::start(&nodes(&database).await).await;
    load.until_acknowledged(100 + seed % 400).await;
    server.kill();
    load.until_refused(50).await;
    server.restart();
    load.until_acknowledged(200).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_one_process_of_a_server_is_killed_under_load() {
    let seed = seed();
    let server = Postgres::start();
    let database = server.database().await;
    let load = Load::start(&nodes(&database).await).await;
    load.until_acknowledged(100 + seed % 400).await;
    let client = database.client().await;
    signal(one_of_the_stores_processes(&client).await, "KILL");
    // The server ends all others, this one too, and begins anew.
    while client.batch_execute("SELECT").await.is_ok() {}
    load.until_acknowledged(200).await;
    load.end().await;
}

async fn one_of_the_stores_processes(client: &Client) -> u32 {
    let text = "SELECT pid FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid() LIMIT 1";
    let id: i32 = client.query_one(text, &[]).await.unwrap().get(0);
    u32::try_from(id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_paused_under_load_keeps_nobody_waiting_and_goes_on_where_it_was() {
    let seed = seed();
    let server = Postgres::start();
    let database = server.database().await;
    let load = Load::start(&nodes(&database).await).await;
    load.until_acknowledged(100 + seed % 400).await;
    server.pause();
    // Some seeds let it last until the store gives its connections up, whose statements are then carried out late.
    load.until_refused(8 + seed % 200).await;
    server.resume();
    load.until_acknowledged(200).await;
    load.end().await;
}

#[tokio::test]
async fn a_paused_server_is_answered_as_unavailable_and_nobody_is_logged_out() {
    let server = Postgres::start();
    let database = server.database().await;
    let layer = impatient(open(&database).await);
    let cookie = member(&layer).await;
    server.pause();
    for _ in 0..3 {
        assert_eq!(read(&layer, &cookie).await, UNAVAILABLE);
        assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
    }
    server.resume();
    until_it_counts(&layer, &cookie).await;
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}

#[tokio::test]
async fn a_server_that_is_down_is_answered_as_unavailable_and_nobody_is_logged_out() {
    let mut server = Postgres::start();
    let database = server.database().await;
    let layer = impatient(open(&database).await);
    let cookie = member(&layer).await;
    assert_eq!(count(&layer, &cookie).await, OK);
    server.kill();
    for _ in 0..3 {
        assert_eq!(read(&layer, &cookie).await, UNAVAILABLE);
        assert_eq!(count(&layer, &cookie).await, UNAVAILABLE);
    }
    server.restart();
    until_it_counts(&layer, &cookie).await;
    assert_eq!(counted(&layer, &cookie).await, Some(2));
}
