//! What is promised of the sessions of a principal, on a real server.

use super::{
    bed::{
        mariadb::Database,
        principals::{Site, principals},
    },
    open,
};

async fn site() -> Site {
    let database = Database::new().await;
    let nodes = [open(&database).await, open(&database).await];
    Site::new(nodes, database)
}

principals!(site().await);
