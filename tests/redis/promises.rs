//! What users are promised, on a real server.

use super::bed::{
    promises::{Site, promises},
    redis::Space,
};

/// Two nodes on keys of their own.
pub(super) async fn site(space: Space) -> Site {
    let nodes = [space.open().await, space.open().await];
    Site::new(nodes, space)
}

promises!(site(Space::new()).await);
