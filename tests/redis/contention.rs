//! Several processes at one key.

use tenure::SessionLayer;

use super::bed::{redis::Space, visitor};

#[tokio::test(flavor = "multi_thread")]
async fn parallel_updates_of_one_session_over_two_nodes_all_count() {
    let space = Space::new();
    let layers = [
        SessionLayer::new(space.open().await),
        SessionLayer::new(space.open().await),
    ];
    let cookie = visitor::arrive(&layers[0]).await;
    visitor::count_at_once(&layers, &cookie, 200).await;
    assert_eq!(visitor::counted(&layers[1], &cookie).await, Some(200));
}
