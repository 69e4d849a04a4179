//! Slots that move from one node of a Cluster to another, under load.

use super::{
    super::bed::{
        load::{Load, Lost, seed},
        redis::cluster::{self, Cluster},
    },
    patient,
};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_slots_move() {
    let seed = seed();
    let site = Cluster::start(cluster::Watch::Calm, &[]);
    let load = Load::start(&patient(&site.url()).await).await;
    load.until_acknowledged(50 + seed % 100).await;
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        for slot in site.slots_with_keys(from).into_iter().take(20) {
            site.begin_to_move(slot, from, to);
            load.until_acknowledged(seed % 5).await;
            site.move_keys(slot, from, to);
            load.until_acknowledged(5).await;
            site.end_moving(slot, to);
        }
    }
    load.until_acknowledged(200).await;
    assert_eq!(load.seen().refused, 0);
    assert_eq!(load.end().await, Lost::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_a_node_forgets_its_scripts() {
    let site = Cluster::start(cluster::Watch::Calm, &[]);
    let load = Load::start(&patient(&site.url()).await).await;
    for round in 0..20 {
        load.until_acknowledged(20).await;
        site.nodes()[round % 3].ask("SCRIPT FLUSH");
    }
    load.until_acknowledged(20).await;
    assert_eq!(load.seen().refused, 0);
    assert_eq!(load.end().await, Lost::default());
}
