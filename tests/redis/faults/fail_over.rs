//! A primary that is replaced by one of its replicas, under load.

use std::time::Duration;

use tenure::{SessionLayer, store::RedisStore};

use super::{
    super::bed::{
        load::{Load, Lost, seed, until_it_starts},
        redis::{
            cluster::{self, Cluster},
            is_primary,
            node::Node,
            sentinel::{self, Sentinels},
        },
    },
    DURABLE, nodes, patient,
};

fn sentinels() -> Sentinels {
    Sentinels::start(sentinel::Watch::Nervous, &[])
}

fn cluster() -> Cluster {
    Cluster::start(cluster::Watch::Nervous, &[])
}

/// Nodes whose changes are answered when so many replicas have them.
async fn nodes_with_replicas(url: &str, replicas: u32) -> [SessionLayer; 2] {
    let node = || async {
        let builder = RedisStore::builder(url).unwrap();
        let connecting = builder.with_replicas(replicas, PATIENCE).connect();
        SessionLayer::new(connecting.await.unwrap())
    };
    [node().await, node().await]
}

/// The site must be as good as new: nothing more gets lost.
async fn is_whole(nodes: &[SessionLayer]) {
    let load = Load::start(nodes).await;
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_had_is_there_after_a_primary_is_killed_and_sentinels_have_replaced_it() {
    let seed = seed();
    let mut site = sentinels();
    let nodes = nodes(&site.url()).await;
    let load = Load::start(&nodes).await;
    load.until_acknowledged(100 + seed % 200).await;
    load.may_lose_what_follows();
    site.until_replicated();
    site.cut_replicas_off();
    load.until_acknowledged(50 + seed % 100).await;
    let killed = site.kill_primary();
    site.resume_replicas(killed);
    load.until_refused(OUTAGE).await;
    site.until_another_than(killed);
    load.until_acknowledged(200).await;
    site.restart(killed);
    site.until_all_follow();
    load.until_acknowledged(200).await;
    assert_ne!(load.end().await, Lost::default(), "what no replica had");
    is_whole(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_had_is_there_after_a_paused_primary_is_replaced_and_goes_on() {
    let seed = seed();
    let site = sentinels();
    let nodes = nodes(&site.url()).await;
    let load = Load::start(&nodes).await;
    load.until_acknowledged(100 + seed % 200).await;
    load.may_lose_what_follows();
    site.until_replicated();
    let paused = site.primary().port();
    site.server(paused).pause();
    load.until_refused(OUTAGE).await;
    site.until_another_than(paused);
    load.until_acknowledged(200).await;
    load.end().await;
    // Whatever it then answers, nobody must hear it.
    let load = Load::start(&nodes).await;
    load.until_acknowledged(50 + seed % 50).await;
    site.server(paused).resume();
    site.until_all_follow();
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_had_is_there_after_sentinels_were_asked_for_another_primary() {
    let seed = seed();
    let site = sentinels();
    let nodes = nodes(&site.url()).await;
    let load = Load::start(&nodes).await;
    load.until_acknowledged(100 + seed % 200).await;
    load.may_lose_what_follows();
    site.until_replicated();
    let before = site.primary().port();
    site.fail_over();
    site.until_another_than(before);
    load.until_acknowledged(200).await;
    site.until_all_follow();
    load.end().await;
    is_whole(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_does_not_know_that_it_was_replaced_is_left_when_sentinels_name_another() {
    let site = Sentinels::start(sentinel::Watch::Calm, &[]);
    let nodes = patient(&site.url()).await;
    let old = site.primary();
    // The sentinels cannot tell it.
    old.ask("ACL SETUSER default -replicaof -slaveof");
    site.fail_over();
    site.until_another_than(old.port());
    for node in &nodes {
        until_it_writes_to(site.primary(), node).await;
    }
    let kept = old.ask("DBSIZE");
    is_whole(&nodes).await;
    assert!(is_primary(old));
    assert_eq!(old.ask("DBSIZE"), kept, "nothing more is written there");
}

async fn until_it_writes_to(server: &Node, node: &SessionLayer) {
    let keys = || server.ask("DBSIZE").number();
    let before = keys();
    for _ in 0..1_000 {
        until_it_starts(node).await;
        if keys() > before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it goes on with the old primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_all_sentinels_are_gone() {
    let mut site = Sentinels::start(sentinel::Watch::Calm, &[]);
    let load = Load::start(&patient(&site.url()).await).await;
    load.until_acknowledged(100).await;
    site.kill_sentinels();
    // They are asked several times meanwhile.
    load.until_acknowledged(2_000).await;
    assert_eq!(load.seen().refused, 0);
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_replicas_had_when_it_was_acknowledged_is_there_after_sentinels_have_replaced_a_primary()
 {
    let seed = seed();
    let mut site = sentinels();
    let load = Load::start(&nodes_with_replicas(&site.url(), 2).await).await;
    load.until_acknowledged(100 + seed % 200).await;
    site.cut_replicas_off();
    load.until_refused(OUTAGE).await;
    let killed = site.kill_primary();
    site.resume_replicas(killed);
    site.until_another_than(killed);
    // Until there are two replicas again, no change is acknowledged.
    site.restart_as_replica(killed);
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_had_is_there_after_a_primary_of_a_cluster_is_killed_and_replaced() {
    let seed = seed();
    let mut site = cluster();
    let nodes = nodes(&site.url()).await;
    let load = Load::start(&nodes).await;
    load.until_acknowledged(100 + seed % 200).await;
    load.may_lose_what_follows();
    site.until_replicated();
    let number = (seed % 3) as usize;
    site.cut_replica_off(number);
    load.until_acknowledged(50 + seed % 100).await;
    site.node(number).kill();
    site.nodes()[number + 3].resume();
    load.until_refused(OUTAGE).await;
    site.until_primary(number + 3);
    load.until_acknowledged(200).await;
    site.node(number).restart();
    site.until_all_serve();
    load.until_acknowledged(200).await;
    load.end().await;
    is_whole(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_had_is_there_after_a_paused_primary_of_a_cluster_is_replaced_and_goes_on() {
    let seed = seed();
    let site = cluster();
    let nodes = nodes(&site.url()).await;
    let load = Load::start(&nodes).await;
    load.until_acknowledged(100 + seed % 200).await;
    load.may_lose_what_follows();
    site.until_replicated();
    let number = (seed % 3) as usize;
    site.nodes()[number].pause();
    load.until_refused(OUTAGE).await;
    site.until_primary(number + 3);
    load.until_acknowledged(200).await;
    load.end().await;
    // Whatever it then answers, nobody must hear it.
    let load = Load::start(&nodes).await;
    load.until_acknowledged(50 + seed % 50).await;
    site.nodes()[number].resume();
    site.until_all_serve();
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_replica_had_when_it_was_acknowledged_is_there_after_a_cluster_has_replaced_a_primary()
 {
    let seed = seed();
    let mut site = cluster();
    let load = Load::start(&nodes_with_replicas(&site.url(), 1).await).await;
    load.until_acknowledged(100 + seed % 200).await;
    let number = (seed % 3) as usize;
    site.cut_replica_off(number);
    load.until_refused(OUTAGE).await;
    site.node(number).kill();
    site.nodes()[number + 3].resume();
    site.until_primary(number + 3);
    site.node(number).restart();
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_cluster_is_asked_for_another_primary() {
    let seed = seed();
    let site = Cluster::start(cluster::Watch::Calm, &[]);
    let nodes = nodes(&site.url()).await;
    let load = Load::start(&nodes).await;
    for round in 0..3 {
        load.until_acknowledged(50 + seed % 100).await;
        let replica = (seed + round) as usize % 3 + 3;
        site.nodes()[replica].ask("CLUSTER FAILOVER");
        site.until_primary(replica);
    }
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_serve_all_slots_is_unavailable_until_it_does() {
    let seed = seed();
    let mut site = Cluster::start(cluster::Watch::Nervous, DURABLE);
    let load = Load::start(&nodes(&site.url()).await).await;
    load.until_acknowledged(100 + seed % 200).await;
    let number = (seed % 3) as usize;
    site.node(number + 3).kill();
    site.node(number).kill();
    load.until_refused(50).await;
    site.node(number).restart();
    site.node(number + 3).restart();
    site.until_all_serve();
    load.until_acknowledged(200).await;
    assert_eq!(load.end().await, Lost::default());
}

/// How long replicas are waited for: longer than a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many refused requests tell of an outage that others may end at any moment.
const OUTAGE: u32 = 4;
