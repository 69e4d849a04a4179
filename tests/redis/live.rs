//! What is promised of sessions that have left their request, on a real server.

use super::bed::{
    live::{Site, live},
    redis::Space,
};

/// Two nodes on keys of their own.
pub(super) async fn site(space: Space) -> Site {
    let nodes = [space.open().await, space.open().await];
    Site::new(nodes, space)
}

live!(site(Space::new()).await);
