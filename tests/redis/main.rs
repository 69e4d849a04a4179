//! `RedisStore` keeps the contract on real servers.

#[path = "../bed/mod.rs"]
mod bed;

use bed::redis::{cluster, sentinel};

#[test]
fn sentinels_replace_a_primary_that_is_killed() {
    let mut site = sentinel::Sentinels::start(sentinel::Watch::Nervous, &[]);
    eprintln!("started {}", site.url());
    site.until_replicated();
    let killed = site.kill_primary();
    site.until_another_than(killed);
    eprintln!("failed over");
    site.restart(killed);
    site.until_all_follow();
    eprintln!("all follow");
    let primary = site.primary().port();
    site.fail_over();
    site.until_another_than(primary);
    eprintln!("failed over again");
}

#[test]
fn a_cluster_replaces_a_primary_that_is_killed() {
    let mut site = cluster::Cluster::start(cluster::Watch::Nervous, &[]);
    eprintln!("started {}", site.url());
    site.until_replicated();
    site.node(0).kill();
    site.until_primary(3);
    eprintln!("failed over");
    site.node(0).restart();
    site.until_all_serve();
    eprintln!("back");
}
