//! Random sequences of requests, beside a model that knows what must be true; on the memory store, whose time moves.

use std::sync::Arc;

use proptest::prelude::*;
use tenure::{
    Clock,
    store::{MemoryStore, SessionStore},
};

use crate::bed::model::{Step, Subject, check, steps, steps_of_a_thief};

struct Memory(MemoryStore, Clock);

impl Subject for Memory {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.0.clone())
    }

    async fn count(&self) -> usize {
        self.0.len()
    }

    fn clock(&self) -> Option<Clock> {
        Some(self.1.clone())
    }
}

fn run(steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let clock = Clock::manual();
    let memory = Memory(MemoryStore::new().with_clock(clock.clone()), clock);
    runtime.block_on(check(&memory, steps));
}

proptest! {
    #[test]
    fn overlapping_requests_do_what_the_model_says(steps in steps(60)) {
        run(steps);
    }

    #[test]
    fn whoever_shows_none_of_his_new_ids_gets_what_the_model_says(steps in steps_of_a_thief(60)) {
        run(steps);
    }
}
