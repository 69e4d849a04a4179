//! What is left of the index in the tables, and when it goes, on a real server.

use tenure::store::MySqlStore;

use super::{
    bed::{
        leftovers::{Site, leftovers},
        mariadb::{Database, number, run},
    },
    open,
};

struct Nodes([MySqlStore; 2], Database);

impl Site for Nodes {
    type Store = MySqlStore;

    fn nodes(&self) -> &[MySqlStore; 2] {
        &self.0
    }

    async fn run(&self, text: &str) {
        run(&mut self.1.client().await, text).await;
    }

    async fn number(&self, text: &str) -> i64 {
        number(&mut self.1.client().await, text).await
    }
}

async fn site() -> Nodes {
    let database = Database::new().await;
    let nodes = [open(&database).await, open(&database).await];
    Nodes(nodes, database)
}

leftovers!(site().await);
