//! What is promised of sessions that have left their request holds on the memory store.

mod bed;

use bed::live::{Site, live};
use tenure::store::MemoryStore;

fn site() -> Site {
    let store = MemoryStore::new();
    Site::new([store.clone(), store], ())
}

live!(site());
