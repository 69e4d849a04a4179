//! Random sequences of requests, beside a model that knows what must be true; on a real file.

use std::sync::Arc;

use proptest::prelude::*;
use tenure::store::{SessionStore, SqliteStore};

use super::{
    File,
    bed::model::{Subject, bounded, check, steps},
};

struct Stored(SqliteStore);

impl Subject for Stored {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.0.clone())
    }

    async fn count(&self) -> usize {
        let count = sqlx::query_scalar("SELECT count(*) FROM tenure_sessions");
        let count: i64 = count.fetch_one(self.0.pool()).await.unwrap();
        usize::try_from(count).unwrap()
    }
}

#[test]
fn overlapping_requests_do_what_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let file = File::new();
    let stored = runtime.block_on(async { Stored(file.open().await) });
    proptest!(bounded(), |(steps in steps(60))| {
        runtime.block_on(check(&stored, steps));
    });
}
