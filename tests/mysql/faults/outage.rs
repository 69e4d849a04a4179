//! A server that is gone for a while, or answers nobody, under load.

use sqlx::MySqlConnection;
use tenure::SessionLayer;

use super::{
    super::{
        bed::{
            load::{Load, member, seed, until_it_counts},
            mariadb::{Database, MariaDb, kill, newest_connection},
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
    let mut server = MariaDb::start();
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
async fn what_was_acknowledged_is_there_after_connections_are_killed_under_load() {
    let seed = seed();
    let database = Database::new().await;
    let load = Load::start(&nodes(&database).await).await;
    let mut client = database.client().await;
    for round in 0..10 {
        load.until_acknowledged(20 + seed.rotate_left(round) % 50)
            .await;
        kill_one(&mut client).await;
    }
    load.until_acknowledged(200).await;
    load.end().await;
}

/// Kills the connection that the store has made last, in the middle of a statement if it has one.
async fn kill_one(client: &mut MySqlConnection) {
    let id = newest_connection(client).await;
    kill(client, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_server_is_restarted_in_order_under_load() {
    let seed = seed();
    let mut server = MariaDb::start();
    let database = server.database().await;
    let load = Load::start(&nodes(&database).await).await;
    load.until_acknowledged(100 + seed % 400).await;
    server.restart();
    load.until_acknowledged(200).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_paused_under_load_keeps_nobody_waiting_and_goes_on_where_it_was() {
    let seed = seed();
    let server = MariaDb::start();
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
    let server = MariaDb::start();
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
    let mut server = MariaDb::start();
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
