//! The contract, the promises and the model on a primary that sentinels watch.

use tenure::store::RedisStore;

use super::{
    bed::{
        promises::promises,
        redis::sentinel::{Sentinels, Watch, space},
    },
    costs, model,
    promises::site,
    stored,
};

tenure::store_conformance!(stored(space()).await);

promises!(site(space()).await);

#[test]
fn overlapping_requests_do_what_the_model_says() {
    model::run(space());
}

#[tokio::test]
async fn a_request_costs_as_many_commands_as_it_has_verbs() {
    let site = Sentinels::start(Watch::Calm, &[]);
    let store = RedisStore::connect(&site.url()).await.unwrap();
    costs::check(store, &[site.primary()]).await;
}
