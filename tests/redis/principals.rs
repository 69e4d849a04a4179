//! What is promised of the sessions of a principal, on a real server.

use super::bed::{
    principals::{Site, principals},
    redis::Space,
};

/// Two nodes on keys of their own.
pub(super) async fn site(space: Space) -> Site {
    let nodes = [space.open().await, space.open().await];
    Site::new(nodes, space)
}

principals!(site(Space::new()).await);
