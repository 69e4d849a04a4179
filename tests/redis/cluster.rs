//! The contract, the promises and the model on a Cluster.

use tenure::store::RedisStore;

use super::{
    bed::{
        live::live,
        principals::principals,
        promises::promises,
        redis::cluster::{Cluster, Watch, space},
    },
    costs, live, model, principals, promises, stored,
};

tenure::store_conformance!(stored(space()).await);
tenure::index_conformance!(stored(space()).await);

promises!(promises::site(space()).await);

principals!(principals::site(space()).await);
live!(live::site(space()).await);

#[test]
fn overlapping_requests_do_what_the_model_says() {
    model::run(space());
}

#[tokio::test]
async fn a_request_costs_as_many_commands_as_it_has_verbs() {
    let site = Cluster::start(Watch::Calm, &[]);
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let primaries: Vec<_> = site.nodes()[..3].iter().collect();
    costs::check(store, &primaries).await;
}
