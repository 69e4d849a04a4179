//! PostgreSQL that waits for the disk, and a minimum on tokio-postgres.

use std::sync::Arc;

use tenure::store::PostgresStore;
use tokio_postgres::{Client, Statement};

use super::{
    bed::postgres::{Postgres, client},
    request,
    subject::{RECORD, SESSIONS, Site, Subject, written},
};

/// As many as the store has by default.
const CONNECTIONS: usize = 8;

pub(crate) struct Prepared {
    server: Postgres,
}

impl Prepared {
    pub(crate) async fn new() -> Self {
        Self {
            server: Postgres::start_with(&[]),
        }
    }

    pub(crate) async fn subjects(&self) -> Vec<Subject> {
        let url = self.server.url("postgres");
        let store = PostgresStore::connect(&url).await.expect("a server");
        store.migrate().await.expect("a table");
        let site = Site::new(store).await;
        let minimum = Arc::new(Minimum::new(&url).await);
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

/// Statements of all tasks, pipelined over a few connections.
struct Minimum(Vec<Connection>);

struct Connection {
    client: Client,
    select: Statement,
    update: Statement,
}

impl Minimum {
    async fn new(url: &str) -> Self {
        let setup = client(url).await;
        let text = format!(
            "CREATE TABLE minimum (id bytea PRIMARY KEY, version bigint NOT NULL, payload bytea NOT NULL, \
             expires bigint NOT NULL) WITH (fillfactor = 70); \
             INSERT INTO minimum SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 0, \
             convert_to(repeat('x', {RECORD}), 'UTF8'), 1 FROM generate_series(0, {SESSIONS}) AS n"
        );
        setup.batch_execute(&text).await.expect("a table");
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::new(client(url).await).await);
        }
        Self(connections)
    }

    async fn read(self: Arc<Self>, session: usize) {
        self.version(session).await;
    }

    async fn write(self: Arc<Self>, session: usize) {
        let version = self.version(session).await;
        let Connection { client, update, .. } = &self.0[session % CONNECTIONS];
        let payload = written(version);
        let changed = client
            .execute(update, &[&id(session), &version, &(version + 1), &payload])
            .await;
        assert_eq!(changed.expect("an answer"), 1);
    }

    async fn version(&self, session: usize) -> i64 {
        let Connection { client, select, .. } = &self.0[session % CONNECTIONS];
        let row = client.query_one(select, &[&id(session)]).await;
        row.expect("a row").get(0)
    }
}

impl Connection {
    async fn new(client: Client) -> Self {
        let select = "SELECT version, payload, expires FROM minimum WHERE id = $1";
        let update = "UPDATE minimum SET version = $3, payload = $4, expires = expires + 1 WHERE id = $1 AND version = $2";
        let select = client.prepare(select).await.expect("a statement");
        let update = client.prepare(update).await.expect("a statement");
        Self {
            client,
            select,
            update,
        }
    }
}

fn id(session: usize) -> Vec<u8> {
    (session as u128).to_be_bytes().to_vec()
}
