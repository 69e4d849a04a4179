//! Users and orders in PostgreSQL.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::timeout};
use tokio_postgres::{Client, Config, NoTls, Row, types::ToSql};

use super::{Answer, Failure, Order, Tables, User, sql};

/// One connection, that is made again when it is lost.
pub(crate) struct PostgresTables {
    config: Config,
    client: Mutex<Arc<Client>>,
}

impl PostgresTables {
    /// Makes the tables if they are missing.
    pub(crate) async fn open(url: &str) -> Result<Self, Failure> {
        let config: Config = url.parse()?;
        let client = connect(&config).await?;
        let tables = sql::tables("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
        // One shop after the other: when two look at once, `IF NOT EXISTS` is not enough.
        let tables = format!("SELECT pg_advisory_xact_lock({LOCK}); {tables}");
        client.batch_execute(&tables).await?;
        let client = Mutex::new(Arc::new(client));
        Ok(Self { config, client })
    }

    async fn ask<T>(
        &self,
        text: &str,
        values: &[&(dyn ToSql + Sync)],
        read: fn(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let asked = async { Ok::<_, Failure>(self.client().await?.query(text, values).await?) };
        let rows = timeout(PATIENCE, asked).await??;
        rows.iter().map(read).collect()
    }

    async fn client(&self) -> Result<Arc<Client>, Failure> {
        let mut client = self.client.lock().await;
        if client.is_closed() {
            *client = Arc::new(connect(&self.config).await?);
        }
        Ok(client.clone())
    }
}

impl Tables for PostgresTables {
    fn add_user<'a>(
        &'a self,
        email: &'a str,
        name: &'a str,
        password_hash: &'a str,
    ) -> Answer<'a, Option<User>> {
        Box::pin(async move {
            let values: [&(dyn ToSql + Sync); 3] = [&email, &name, &password_hash];
            Ok(self.ask(sql::ADD_USER, &values, user).await?.pop())
        })
    }

    fn user<'a>(&'a self, email: &'a str) -> Answer<'a, Option<User>> {
        Box::pin(async move { Ok(self.ask(sql::USER, &[&email], user).await?.pop()) })
    }

    fn add_order<'a>(&'a self, order: &'a Order) -> Answer<'a, bool> {
        Box::pin(async move {
            let (id, cart) = (order.id.cast_signed(), serde_json::to_string(&order.cart)?);
            let values: [&(dyn ToSql + Sync); 4] = [&id, &order.user, &order.address, &cart];
            let added = self.ask(sql::ADD_ORDER, &values, |_| Ok(())).await?;
            Ok(!added.is_empty())
        })
    }

    fn order<'a>(&'a self, id: u64, user: &'a str) -> Answer<'a, Option<Order>> {
        Box::pin(async move {
            let values: [&(dyn ToSql + Sync); 2] = [&id.cast_signed(), &user];
            Ok(self.ask(sql::ORDER, &values, order).await?.pop())
        })
    }

    fn orders_of<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<Order>> {
        Box::pin(async move { self.ask(sql::ORDERS_OF, &[&user], order).await })
    }
}

async fn connect(config: &Config) -> Result<Client, Failure> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn user(row: &Row) -> Result<User, Failure> {
    Ok(User {
        id: row.try_get::<_, i64>("id")?.cast_unsigned(),
        name: row.try_get("name")?,
        password_hash: row.try_get("password_hash")?,
    })
}

fn order(row: &Row) -> Result<Order, Failure> {
    Ok(Order {
        id: row.try_get::<_, i64>("id")?.cast_unsigned(),
        user: row.try_get("buyer")?,
        address: row.try_get("address")?,
        cart: serde_json::from_str(row.try_get("cart")?)?,
    })
}

const PATIENCE: Duration = Duration::from_secs(2);
/// `leafclay`, so that it is nobody else's.
const LOCK: i64 = i64::from_be_bytes(*b"leafclay");
