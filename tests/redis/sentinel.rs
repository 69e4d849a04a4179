//! The contract, the promises and the model on a primary that sentinels watch.

use super::{
    bed::{promises::promises, redis::sentinel::space},
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
