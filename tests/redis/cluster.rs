//! The contract, the promises and the model on a Cluster.

use super::{
    bed::{promises::promises, redis::cluster::space},
    model,
    promises::site,
    stored,
};

tenure::store_conformance!(stored(space()).await);

promises!(site(space()).await);

#[test]
fn overlapping_requests_do_what_the_model_says() {
    model::run(space());
}
