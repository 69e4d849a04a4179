// A layer needs a store.
use tenure::SessionLayer;

fn main() {
    let _ = SessionLayer::new("redis://localhost");
}
