// The marker is part of the layer's type.
use tenure::{SessionLayer, store::MemoryStore, testing::signed_in};

struct Admin;

fn main() {
    let layer: SessionLayer = SessionLayer::builder(MemoryStore::new())
        .with_marker::<Admin>()
        .build()
        .unwrap();
    drop(signed_in(&layer, "42"));
}
