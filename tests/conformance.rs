//! The crate's own stores keep the store's contract, each shown by the line that anyone can use.

use std::sync::Arc;

use tenure::{
    Clock,
    store::{MemoryStore, SessionStore, conformance::Clocked},
};

fn memory() -> Clocked<MemoryStore> {
    let clock = Clock::manual();
    Clocked(MemoryStore::new().with_clock(clock.clone()), clock)
}

mod memory_on_a_manual_clock {
    use super::memory;

    tenure::store_conformance!(memory());
    tenure::index_conformance!(memory());
}

mod memory_on_the_systems_clock {
    use super::MemoryStore;

    tenure::store_conformance!(MemoryStore::new());
    tenure::index_conformance!(MemoryStore::new());
}

mod a_store_chosen_at_run_time {
    use super::*;

    fn chosen() -> Clocked<Arc<dyn SessionStore>> {
        let Clocked(store, clock) = memory();
        Clocked(Arc::new(Box::new(store) as Box<dyn SessionStore>), clock)
    }

    tenure::store_conformance!(chosen());
}
