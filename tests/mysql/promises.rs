//! What users are promised, on a real server.

use super::{
    bed::{
        mariadb::Database,
        promises::{Site, promises},
    },
    open,
};

async fn site() -> Site {
    let database = Database::new().await;
    let nodes = [open(&database).await, open(&database).await];
    Site::new(nodes, database)
}

promises!(site().await);
