//! What is promised of sessions that have left their request, on a real server.

use super::{
    bed::{
        live::{Site, live},
        postgres::Database,
    },
    open,
};

async fn site() -> Site {
    let database = Database::new().await;
    let nodes = [open(&database).await, open(&database).await];
    Site::new(nodes, database)
}

live!(site().await);
