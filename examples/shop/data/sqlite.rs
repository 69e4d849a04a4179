//! Users and orders in SQLite.

use sqlx::{
    AssertSqlSafe, Row as _, Sqlite, SqlitePool,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{Answer, Failure, Order, Tables, User, sql};

pub(crate) struct SqliteTables(SqlitePool);

impl SqliteTables {
    /// Makes the tables if they are missing.
    pub(crate) async fn open(pool: SqlitePool) -> Result<Self, Failure> {
        let tables = AssertSqlSafe(sql::tables("INTEGER PRIMARY KEY"));
        sqlx::raw_sql(tables).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Asks, and reads to the last row: SQLite commits after that.
    async fn ask<T>(
        &self,
        question: Query<'_, Sqlite, SqliteArguments>,
        read: fn(&SqliteRow) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        question
            .fetch_all(&self.0)
            .await?
            .iter()
            .map(read)
            .collect()
    }
}

impl Tables for SqliteTables {
    fn add_user<'a>(
        &'a self,
        email: &'a str,
        name: &'a str,
        password_hash: &'a str,
    ) -> Answer<'a, Option<User>> {
        let add = sqlx::query(sql::ADD_USER).bind(email).bind(name);
        let add = add.bind(password_hash);
        Box::pin(async move { Ok(self.ask(add, user).await?.pop()) })
    }

    fn user<'a>(&'a self, email: &'a str) -> Answer<'a, Option<User>> {
        let find = sqlx::query(sql::USER).bind(email);
        Box::pin(async move { Ok(self.ask(find, user).await?.pop()) })
    }

    fn add_order<'a>(&'a self, order: &'a Order) -> Answer<'a, bool> {
        Box::pin(async move {
            let add = sqlx::query(sql::ADD_ORDER)
                .bind(order.id.cast_signed())
                .bind(&order.user)
                .bind(&order.address)
                .bind(serde_json::to_string(&order.cart)?);
            Ok(!self.ask(add, |_| Ok(())).await?.is_empty())
        })
    }

    fn order<'a>(&'a self, id: u64, user: &'a str) -> Answer<'a, Option<Order>> {
        let find = sqlx::query(sql::ORDER).bind(id.cast_signed()).bind(user);
        Box::pin(async move { Ok(self.ask(find, order).await?.pop()) })
    }

    fn orders_of<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<Order>> {
        Box::pin(self.ask(sqlx::query(sql::ORDERS_OF).bind(user), order))
    }
}

fn user(row: &SqliteRow) -> Result<User, Failure> {
    Ok(User {
        id: row.try_get::<i64, _>("id")?.cast_unsigned(),
        name: row.try_get("name")?,
        password_hash: row.try_get("password_hash")?,
    })
}

fn order(row: &SqliteRow) -> Result<Order, Failure> {
    Ok(Order {
        id: row.try_get::<i64, _>("id")?.cast_unsigned(),
        user: row.try_get("buyer")?,
        address: row.try_get("address")?,
        cart: serde_json::from_str(row.try_get("cart")?)?,
    })
}
