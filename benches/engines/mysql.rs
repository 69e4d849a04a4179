//! MariaDB that waits for the disk, and a minimum on sqlx's connections.

use std::sync::{Arc, Mutex};

use sqlx::{MySqlConnection, Row as _};
use tenure::store::MySqlStore;
use tokio::sync::Semaphore;

use super::{
    bed::mariadb::{MariaDb, client, run},
    request,
    subject::{RECORD, SESSIONS, Site, Subject, written},
};

/// As many as the store has by default.
const CONNECTIONS: usize = 16;
/// What a server of this size would have.
pub(crate) const SETTINGS: &[&str] = &["innodb-buffer-pool-size=1G", "innodb-log-file-size=512M"];

pub(crate) struct Prepared {
    server: MariaDb,
}

impl Prepared {
    pub(crate) async fn new() -> Self {
        Self {
            server: MariaDb::start_with(SETTINGS),
        }
    }

    pub(crate) async fn subjects(&self) -> Vec<Subject> {
        let database = self.server.database().await;
        let store = MySqlStore::connect(database.url()).await.expect("a server");
        store.migrate().await.expect("a table");
        let site = Site::new(store).await;
        let minimum = Arc::new(Minimum::new(database.url()).await);
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

/// Prepared statements of all tasks, each on a connection that is free.
struct Minimum {
    free: Semaphore,
    connections: Mutex<Vec<MySqlConnection>>,
}

impl Minimum {
    async fn new(url: &str) -> Self {
        let text = format!(
            "CREATE TABLE minimum (id binary(16) PRIMARY KEY, version bigint NOT NULL, payload mediumblob NOT NULL, \
             expires bigint NOT NULL) ENGINE=InnoDB; \
             INSERT INTO minimum SELECT UNHEX(LPAD(HEX(seq), 32, '0')), 0, REPEAT('x', {RECORD}), 1 FROM seq_0_to_{SESSIONS}"
        );
        run(&mut client(url).await, &text).await;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(client(url).await);
        }
        Self {
            free: Semaphore::new(CONNECTIONS),
            connections: Mutex::new(connections),
        }
    }

    async fn read(self: Arc<Self>, session: usize) {
        self.version(session).await;
    }

    async fn write(self: Arc<Self>, session: usize) {
        let version = self.version(session).await;
        let _place = self.free.acquire().await.expect("it is never closed");
        let mut connection = self.take();
        let update = "UPDATE minimum SET version = ?, payload = ?, expires = expires + 1 WHERE id = ? AND version = ?";
        let changed = sqlx::query(update)
            .bind(version + 1)
            .bind(written(version))
            .bind(id(session))
            .bind(version)
            .execute(&mut connection)
            .await;
        assert_eq!(changed.expect("an answer").rows_affected(), 1);
        self.give_back(connection);
    }

    async fn version(&self, session: usize) -> i64 {
        let _place = self.free.acquire().await.expect("it is never closed");
        let mut connection = self.take();
        let select = "SELECT version, payload, expires FROM minimum WHERE id = ?";
        let row = sqlx::query(select)
            .bind(id(session))
            .fetch_one(&mut connection)
            .await;
        self.give_back(connection);
        row.expect("a row").get(0)
    }

    fn take(&self) -> MySqlConnection {
        let connection = self.connections.lock().expect("nobody panics").pop();
        connection.expect("there is one for each place")
    }

    fn give_back(&self, connection: MySqlConnection) {
        let mut connections = self.connections.lock().expect("nobody panics");
        connections.push(connection);
    }
}

fn id(session: usize) -> Vec<u8> {
    (session as u128).to_be_bytes().to_vec()
}
