//! What users are promised of two nodes, on a memory store that both have.

use tenure::store::MemoryStore;

use crate::bed::promises::{Site, promises};

fn site() -> Site {
    let store = MemoryStore::new();
    Site::new([store.clone(), store], ())
}

promises!(site());
