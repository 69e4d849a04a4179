//! Random sequences of requests, beside a model that knows what must be true; on a real server.

use std::sync::Arc;

use proptest::prelude::*;
use tenure::store::{RedisStore, SessionStore};

use super::bed::{
    model::{Subject, bounded, check, steps},
    redis::Space,
};

struct Stored {
    store: RedisStore,
    space: Space,
}

impl Subject for Stored {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.store.clone())
    }

    async fn count(&self) -> usize {
        self.space.keys().len()
    }
}

#[test]
fn overlapping_requests_do_what_the_model_says() {
    run(Space::new());
}

pub(super) fn run(space: Space) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(space.open());
    let stored = Stored { store, space };
    proptest!(bounded(), |(steps in steps(60))| {
        runtime.block_on(check(&stored, steps));
    });
}
