//! Stores that hold a million rows.

use std::any::Any;

use sqlx::AssertSqlSafe;
use tenure::store::{MySqlStore, PostgresStore, SqliteStore};

use super::{
    bed::{
        folder::Folder,
        mariadb::{self, MariaDb},
        postgres::{Postgres, client},
    },
    mysql,
};

pub(crate) const ROWS: usize = 1_000_000;

/// What becomes of the rows.
#[derive(Clone, Copy)]
pub(crate) enum Rows {
    Expired,
    /// Live for ten minutes and some more, on PostgreSQL; no two expire at once.
    ForAWhile,
    Live,
}

impl Rows {
    /// Returns when a row expires that is called `name`.
    fn expire(self, name: &'static str) -> &'static str {
        match self {
            Self::Expired => name,
            Self::ForAWhile => "(extract(epoch FROM now()) * 1000)::bigint + 600000 + n",
            Self::Live => "9999999999999",
        }
    }
}

/// What a store needs for as long as it is used.
pub(crate) type Kept = Box<dyn Any>;

pub(crate) async fn sqlite(rows: Rows) -> (SqliteStore, Kept) {
    let folder = Folder::new("million");
    let url = format!("sqlite:{}", folder.path().join("million.db").display());
    let store = SqliteStore::connect(&url).await.expect("a file");
    store.migrate().await.expect("a table");
    let expires = rows.expire("n");
    let fill = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ROWS}) \
         INSERT INTO tenure_sessions SELECT randomblob(16), n, NULL, n, n, {expires}, {expires}, zeroblob(200), \
         zeroblob(400) FROM numbers"
    );
    let filled = sqlx::raw_sql(AssertSqlSafe(fill))
        .execute(store.pool())
        .await;
    filled.expect("rows");
    (store, Box::new(folder))
}

pub(crate) async fn postgres(rows: Rows) -> (PostgresStore, Kept) {
    let server = Postgres::start_with(&[]);
    let url = server.url("postgres");
    let store = PostgresStore::connect(&url).await.expect("a server");
    store.migrate().await.expect("a table");
    let expires = rows.expire("n");
    let fill = format!(
        "INSERT INTO tenure_sessions SELECT decode(md5(n::text), 'hex'), n, NULL, n, n, {expires}, {expires}, \
         decode(repeat('01', 200), 'hex'), decode(repeat('02', 400), 'hex') FROM generate_series(1, {ROWS}) AS n"
    );
    let client = client(&url).await;
    client.batch_execute(&fill).await.expect("rows");
    // Sessions expire long after they were written: else the checkpoint of a million rows at once is what is measured.
    let settled = client.batch_execute("CHECKPOINT").await;
    settled.expect("a checkpoint");
    (store, Box::new(server))
}

pub(crate) async fn mariadb(rows: Rows) -> (MySqlStore, Kept) {
    let server = MariaDb::start_with(mysql::SETTINGS);
    let database = server.database().await;
    let store = MySqlStore::connect(database.url()).await.expect("a server");
    store.migrate().await.expect("a table");
    let expires = rows.expire("seq");
    let fill = format!(
        "INSERT INTO tenure_sessions SELECT UNHEX(MD5(seq)), seq, NULL, seq, seq, {expires}, {expires}, \
         REPEAT('h', 200), REPEAT('p', 400) FROM seq_1_to_{ROWS}"
    );
    mariadb::run(&mut database.client().await, &fill).await;
    (store, Box::new((database, server)))
}
