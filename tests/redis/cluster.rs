//! The contract, the promises and the model on a Cluster.

use super::{
    bed::{promises::promises, redis::cluster::Shared},
    site, stored,
};

tenure::store_conformance!(stored(Shared::find()).await);

promises!(site(Shared::find()).await);

#[test]
fn overlapping_requests_do_what_the_model_says() {
    super::model::run(Shared::find());
}
