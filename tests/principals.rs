//! What is promised of the sessions of a principal holds on the memory store.

mod bed;

use bed::principals::{Site, principals};
use tenure::store::MemoryStore;

fn site() -> Site {
    let store = MemoryStore::new();
    Site::new([store.clone(), store], ())
}

principals!(site());
