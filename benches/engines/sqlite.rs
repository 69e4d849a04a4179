//! An SQLite file with the settings of `SqliteStore::connect`, and a minimum on the same kind of pool.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Row, SqlitePool};
use tenure::store::SqliteStore;
use tokio::sync::Mutex;

use super::{
    bed::folder::Folder,
    request,
    subject::{RECORD, SESSIONS, Site, Subject, written},
};

pub(crate) struct Prepared {
    folder: Folder,
}

impl Prepared {
    pub(crate) async fn new() -> Self {
        Self {
            folder: Folder::new("engines"),
        }
    }

    /// Opens a file of its own for each, so that neither waits for the other.
    async fn open(&self, name: &str) -> SqliteStore {
        let url = format!("sqlite:{}", self.folder.path().join(name).display());
        let store = SqliteStore::connect(&url).await.expect("a file");
        store.migrate().await.expect("a table");
        store
    }

    pub(crate) async fn subjects(&self) -> Vec<Subject> {
        let site = Site::new(self.open("tenure.db").await).await;
        let pool = self.open("minimum.db").await.pool().clone();
        let minimum = Arc::new(Minimum::new(pool).await);
        let (reading, writing) = (minimum.clone(), minimum);
        vec![
            Subject::minimum(
                "minimum: select",
                request(move |session| reading.clone().read(session)),
            ),
            Subject::tenure("the store's load, without the layer", site.load()),
            Subject::tenure("read", site.read()),
            Subject::tenure("read, touched each time", site.read_and_touch()),
            Subject::minimum(
                "minimum: select and conditional update",
                request(move |session| writing.clone().write(session)),
            ),
            Subject::tenure("write", site.write()),
        ]
    }
}

/// The statements and nothing else; writers take turns, as anybody finds out who measures without.
struct Minimum {
    pool: SqlitePool,
    turn: Mutex<()>,
}

impl Minimum {
    async fn new(pool: SqlitePool) -> Self {
        let text = format!(
            "CREATE TABLE minimum (id BLOB PRIMARY KEY, version INTEGER NOT NULL, payload BLOB NOT NULL, \
             expires INTEGER NOT NULL); \
             WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {SESSIONS}) \
             INSERT INTO minimum SELECT CAST(printf('%016d', n) AS BLOB), 0, zeroblob({RECORD}), 1 FROM numbers"
        );
        let made = sqlx::raw_sql(AssertSqlSafe(text)).execute(&pool).await;
        made.expect("a table");
        Self {
            pool,
            turn: Mutex::new(()),
        }
    }

    async fn read(self: Arc<Self>, session: usize) {
        self.version(session).await;
    }

    async fn write(self: Arc<Self>, session: usize) {
        let version = self.version(session).await;
        let _turn = self.turn.lock().await;
        let update = "UPDATE minimum SET version = $3, payload = $4, expires = expires + 1 WHERE id = $1 AND version = $2";
        let changed = sqlx::query(update)
            .bind(id(session))
            .bind(version)
            .bind(version + 1)
            .bind(written(version))
            .execute(&self.pool)
            .await;
        assert_eq!(changed.expect("an answer").rows_affected(), 1);
    }

    async fn version(&self, session: usize) -> i64 {
        let select = "SELECT version, payload, expires FROM minimum WHERE id = $1";
        let row = sqlx::query(select)
            .bind(id(session))
            .fetch_one(&self.pool)
            .await;
        row.expect("a row").get(0)
    }
}

fn id(session: usize) -> Vec<u8> {
    format!("{session:016}").into_bytes()
}
