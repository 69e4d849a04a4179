//! Random sequences of requests, beside a model that knows what must be true; on the memory store, whose time moves.

use std::sync::Arc;

use proptest::prelude::*;
use tenure::{
    Clock, SessionLayerBuilder,
    store::{MemoryStore, SessionStore},
};

use crate::bed::model::{Step, Subject, check, steps, steps_of_a_thief};

struct Memory {
    store: MemoryStore,
    clock: Clock,
    settings: fn(SessionLayerBuilder) -> SessionLayerBuilder,
}

impl Subject for Memory {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.store.clone())
    }

    async fn count(&self) -> usize {
        self.store.len()
    }

    fn clock(&self) -> Option<Clock> {
        Some(self.clock.clone())
    }

    fn settings(&self, builder: SessionLayerBuilder) -> SessionLayerBuilder {
        (self.settings)(builder)
    }
}

fn check_with(settings: fn(SessionLayerBuilder) -> SessionLayerBuilder, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let clock = Clock::manual();
    let memory = Memory {
        store: MemoryStore::new().with_clock(clock.clone()),
        clock,
        settings,
    };
    runtime.block_on(check(&memory, steps));
}

proptest! {
    #[test]
    fn overlapping_requests_do_what_the_model_says(steps in steps(60)) {
        check_with(|builder| builder, steps);
    }

    #[test]
    fn whoever_shows_none_of_his_new_ids_gets_what_the_model_says(steps in steps_of_a_thief(60)) {
        check_with(|builder| builder, steps);
    }
}

#[cfg(feature = "keyring")]
proptest! {
    #[test]
    fn overlapping_requests_do_what_the_model_says_with_a_keyring(steps in steps(60)) {
        check_with(crate::keys::keyed, steps);
    }

    #[test]
    fn whoever_shows_none_of_his_new_ids_gets_what_the_model_says_with_sealed_values(steps in steps_of_a_thief(60)) {
        check_with(|builder| crate::keys::keyed(builder).with_sealed_values(), steps);
    }

    #[test]
    fn overlapping_requests_do_what_the_model_says_of_sealed_values(steps in steps(60)) {
        check_with(|builder| crate::keys::keyed(builder).with_sealed_values(), steps);
    }
}
