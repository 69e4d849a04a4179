// `build` checks the settings and makes the layer.
use axum::Router;
use tenure::{SessionLayer, store::MemoryStore};

fn main() {
    let _: Router = Router::new().layer(SessionLayer::builder(MemoryStore::new()));
}
