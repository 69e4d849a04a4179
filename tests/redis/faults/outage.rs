//! A server that is gone for a while, or answers nobody, under load.

use tenure::SessionLayer;

use super::{
    super::bed::{
        load::{Load, Lost, member, seed, until_it_counts},
        redis::Redis,
        visitor::{OK, UNAVAILABLE, count, counted, read},
    },
    DURABLE, impatient, nodes, open,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_server_is_killed_under_load() {
    let seed = seed();
    let mut server = Redis::start_with(DURABLE);
    let load = Load::start(&nodes(&server.url()).await).await;
    load.until_acknowledged(100 + seed % 400).await;
    server.kill();
    load.until_refused(50).await;
    server.restart();
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_paused_under_load_keeps_nobody_waiting_and_goes_on_where_it_was() {
    let seed = seed();
    let server = Redis::start();
    let load = Load::start(&nodes(&server.url()).await).await;
    load.until_acknowledged(100 + seed % 400).await;
    server.pause();
    // Some seeds let it last until the store gives its connections up, whose commands are then carried out late.
    load.until_refused(8 + seed % 200).await;
    server.resume();
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test]
async fn a_paused_server_is_answered_as_unavailable_and_nobody_is_logged_out() {
    let server = Redis::start();
    let layer = impatient(open(&server.url()).await);
    let cookie = member(&layer).await;
    server.pause();
    refuses(&layer, &cookie).await;
    server.resume();
    until_it_counts(&layer, &cookie).await;
    assert_eq!(counted(&layer, &cookie).await, Some(1));
}

#[tokio::test]
async fn a_server_that_is_down_is_answered_as_unavailable_and_nobody_is_logged_out() {
    let mut server = Redis::start_with(DURABLE);
    let layer = impatient(open(&server.url()).await);
    let cookie = member(&layer).await;
    assert_eq!(count(&layer, &cookie).await, OK);
    server.kill();
    refuses(&layer, &cookie).await;
    server.restart();
    until_it_counts(&layer, &cookie).await;
    assert_eq!(counted(&layer, &cookie).await, Some(2));
}

async fn refuses(layer: &SessionLayer, cookie: &str) {
    for _ in 0..3 {
        assert_eq!(read(layer, cookie).await, UNAVAILABLE);
        assert_eq!(count(layer, cookie).await, UNAVAILABLE);
    }
}
