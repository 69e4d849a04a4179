//! What is left of the index in the tables, and when it goes, on a real file.

use sqlx::AssertSqlSafe;
use tenure::store::SqliteStore;

use super::{
    File,
    bed::leftovers::{Site, leftovers},
};

struct Nodes(
    [SqliteStore; 2],
    #[expect(dead_code, reason = "kept while it is used")] File,
);

impl Site for Nodes {
    type Store = SqliteStore;

    fn nodes(&self) -> &[SqliteStore; 2] {
        &self.0
    }

    async fn run(&self, text: &str) {
        let text = AssertSqlSafe(text.to_owned());
        sqlx::raw_sql(text).execute(self.0[0].pool()).await.unwrap();
    }

    async fn number(&self, text: &str) -> i64 {
        let query = sqlx::query_scalar(AssertSqlSafe(text.to_owned()));
        query.fetch_one(self.0[0].pool()).await.unwrap()
    }
}

async fn site() -> Nodes {
    let file = File::new();
    Nodes([file.open().await, file.open().await], file)
}

leftovers!(site().await);
