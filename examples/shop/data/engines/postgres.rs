//! PostgreSQL, by one connection that is made again when it is lost.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::timeout};
use tokio_postgres::{Client, Config, NoTls, types::ToSql};

use crate::data::{
    Answer, Failure,
    sql::{Dialect, Engine, Row, Value},
};

pub(crate) struct Postgres {
    config: Config,
    client: Mutex<Arc<Client>>,
}

impl Postgres {
    pub(crate) async fn open(url: &str) -> Result<Self, Failure> {
        let config: Config = url.parse()?;
        let client = Mutex::new(Arc::new(connect(&config).await?));
        Ok(Self { config, client })
    }

    async fn client(&self) -> Result<Arc<Client>, Failure> {
        let mut client = self.client.lock().await;
        if client.is_closed() {
            *client = Arc::new(connect(&self.config).await?);
        }
        Ok(client.clone())
    }
}

impl Engine for Postgres {
    fn make(&self, tables: String) -> Answer<'_, ()> {
        Box::pin(async move {
            // One shop after the other: when two look at once, `IF NOT EXISTS` is not enough.
            let tables = format!("SELECT pg_advisory_xact_lock({LOCK}); {tables}");
            self.client().await?.batch_execute(&tables).await?;
            Ok(())
        })
    }

    fn tell<'a>(&'a self, text: &'a str, values: Vec<Value<'a>>) -> Answer<'a, u64> {
        let told = async move {
            let values: Vec<_> = values.iter().map(value).collect();
            Ok::<_, Failure>(self.client().await?.execute(text, &values).await?)
        };
        Box::pin(async move { timeout(PATIENCE, told).await? })
    }

    fn ask<'a>(&'a self, text: &'a str, values: Vec<Value<'a>>) -> Answer<'a, Vec<Row>> {
        let asked = async move {
            let values: Vec<_> = values.iter().map(value).collect();
            let rows = self.client().await?.query(text, &values).await?;
            rows.iter().map(row).collect()
        };
        Box::pin(async move { timeout(PATIENCE, asked).await? })
    }
}

async fn connect(config: &Config) -> Result<Client, Failure> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn value<'a>(value: &'a Value<'_>) -> &'a (dyn ToSql + Sync) {
    match value {
        Value::Number(number) => number,
        Value::Text(text) => text,
    }
}

fn row(row: &tokio_postgres::Row) -> Result<Row, Failure> {
    let texts: Result<_, _> = (1..row.len()).map(|at| row.try_get(at)).collect();
    Ok(Row {
        id: row.try_get(0)?,
        texts: texts?,
    })
}

pub(crate) const POSTGRES: Dialect = Dialect {
    numbered: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    storage: "",
    insert: ["INSERT INTO", "ON CONFLICT DO NOTHING"],
    parameter: |number| format!("${number}"),
};
const PATIENCE: Duration = Duration::from_secs(2);
/// `leafclay`, so that it is nobody else's.
const LOCK: i64 = i64::from_be_bytes(*b"leafclay");
