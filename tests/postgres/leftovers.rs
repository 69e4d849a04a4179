//! What is left of the index in the tables, and when it goes, on a real server.

use tenure::store::PostgresStore;

use super::{
    bed::{
        leftovers::{Site, leftovers},
        postgres::Database,
    },
    open,
};

struct Nodes([PostgresStore; 2], Database);

impl Site for Nodes {
    type Store = PostgresStore;

    fn nodes(&self) -> &[PostgresStore; 2] {
        &self.0
    }

    async fn run(&self, text: &str) {
        let client = self.1.client().await;
        client.batch_execute(text).await.unwrap();
    }

    async fn number(&self, text: &str) -> i64 {
        let client = self.1.client().await;
        client.query_one(text, &[]).await.unwrap().get(0)
    }
}

async fn site() -> Nodes {
    let database = Database::new().await;
    let nodes = [open(&database).await, open(&database).await];
    Nodes(nodes, database)
}

leftovers!(site().await);
