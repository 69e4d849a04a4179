//! Users and orders in whatever speaks SQL.

use super::{Answer, Failure, Order, Tables, User};

/// What asks an engine.
pub(crate) trait Engine: Send + Sync {
    /// Makes tables, one statement after the other.
    fn make(&self, tables: String) -> Answer<'_, ()>;

    /// Changes something, and tells how many rows that were.
    fn tell<'a>(&'a self, text: &'a str, values: Vec<Value<'a>>) -> Answer<'a, u64>;

    fn ask<'a>(&'a self, text: &'a str, values: Vec<Value<'a>>) -> Answer<'a, Vec<Row>>;
}

pub(crate) enum Value<'a> {
    Number(i64),
    Text(&'a str),
}

/// All rows here are a number, and texts after it.
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) texts: Vec<String>,
}

/// In what the engines differ.
pub(crate) struct Dialect {
    /// What a key is called that is counted up.
    pub(crate) numbered: &'static str,
    /// What follows the columns of a table.
    pub(crate) storage: &'static str,
    /// How a row is added, unless its name is taken.
    pub(crate) insert: [&'static str; 2],
    pub(crate) parameter: fn(usize) -> String,
}

pub(crate) struct SqlTables<E> {
    engine: E,
    add_user: String,
    user: String,
    user_of: String,
    set_password: String,
    address_of: String,
    add_address: String,
    set_address: String,
    add_order: String,
    order: String,
    orders_of: String,
}

impl<E: Engine> SqlTables<E> {
    /// Makes the tables if they are missing.
    pub(crate) async fn open(engine: E, dialect: &Dialect) -> Result<Self, Failure> {
        engine.make(tables(dialect)).await?;
        let [insert, unless_taken] = dialect.insert;
        let [a, b, c, d] = [1, 2, 3, 4].map(dialect.parameter);
        let user = "SELECT id, email, name, password_hash FROM shop_users";
        let order = "SELECT id, buyer, address, cart FROM shop_orders";
        Ok(Self {
            engine,
            add_user: format!(
                "{insert} shop_users (email, name, password_hash) VALUES ({a}, {b}, {c}) {unless_taken}"
            ),
            user: format!("{user} WHERE email = {a}"),
            user_of: format!("{user} WHERE id = {a}"),
            set_password: format!(
                "UPDATE shop_users SET password_hash = {a} WHERE id = {b} AND password_hash = {c}"
            ),
            address_of: format!("SELECT id, address FROM shop_addresses WHERE id = {a}"),
            add_address: format!(
                "{insert} shop_addresses (id, address) VALUES ({a}, {b}) {unless_taken}"
            ),
            set_address: format!("UPDATE shop_addresses SET address = {a} WHERE id = {b}"),
            // One statement, that cannot happen twice.
            add_order: format!(
                "{insert} shop_orders (id, buyer, address, cart) VALUES ({a}, {b}, {c}, {d}) {unless_taken}"
            ),
            order: format!("{order} WHERE id = {a} AND buyer = {b}"),
            orders_of: format!("{order} WHERE buyer = {a} ORDER BY number DESC"),
        })
    }
}

impl<E: Engine> Tables for SqlTables<E> {
    fn add_user<'a>(
        &'a self,
        email: &'a str,
        name: &'a str,
        password_hash: &'a str,
    ) -> Answer<'a, Option<User>> {
        let values = vec![
            Value::Text(email),
            Value::Text(name),
            Value::Text(password_hash),
        ];
        Box::pin(async move {
            match self.engine.tell(&self.add_user, values).await? {
                0 => Ok(None),
                _ => self.user(email).await,
            }
        })
    }

    fn user<'a>(&'a self, email: &'a str) -> Answer<'a, Option<User>> {
        Box::pin(async move {
            let rows = self
                .engine
                .ask(&self.user, vec![Value::Text(email)])
                .await?;
            rows.into_iter().next().map(user).transpose()
        })
    }

    fn user_of<'a>(&'a self, id: u64) -> Answer<'a, Option<User>> {
        Box::pin(async move {
            let values = vec![Value::Number(id.cast_signed())];
            let rows = self.engine.ask(&self.user_of, values).await?;
            rows.into_iter().next().map(user).transpose()
        })
    }

    fn set_password<'a>(&'a self, id: u64, old: &'a str, new: &'a str) -> Answer<'a, bool> {
        let values = vec![
            Value::Text(new),
            Value::Number(id.cast_signed()),
            Value::Text(old),
        ];
        Box::pin(async move { Ok(self.engine.tell(&self.set_password, values).await? > 0) })
    }

    fn address_of<'a>(&'a self, id: u64) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let values = vec![Value::Number(id.cast_signed())];
            let rows = self.engine.ask(&self.address_of, values).await?;
            let row = rows.into_iter().next();
            Ok(row.map(Row::texts).transpose()?.map(|[address]| address))
        })
    }

    fn set_address<'a>(&'a self, id: u64, address: &'a str) -> Answer<'a, ()> {
        let id = id.cast_signed();
        Box::pin(async move {
            let added = vec![Value::Number(id), Value::Text(address)];
            if self.engine.tell(&self.add_address, added).await? == 0 {
                let changed = vec![Value::Text(address), Value::Number(id)];
                self.engine.tell(&self.set_address, changed).await?;
            }
            Ok(())
        })
    }

    fn add_order<'a>(&'a self, order: &'a Order) -> Answer<'a, bool> {
        Box::pin(async move {
            let cart = serde_json::to_string(&order.cart)?;
            let values = vec![
                Value::Number(order.id.cast_signed()),
                Value::Text(&order.user),
                Value::Text(&order.address),
                Value::Text(&cart),
            ];
            Ok(self.engine.tell(&self.add_order, values).await? > 0)
        })
    }

    fn order<'a>(&'a self, id: u64, user: &'a str) -> Answer<'a, Option<Order>> {
        let values = vec![Value::Number(id.cast_signed()), Value::Text(user)];
        Box::pin(async move {
            let rows = self.engine.ask(&self.order, values).await?;
            rows.into_iter().next().map(order).transpose()
        })
    }

    fn orders_of<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<Order>> {
        Box::pin(async move {
            let rows = self
                .engine
                .ask(&self.orders_of, vec![Value::Text(user)])
                .await?;
            rows.into_iter().map(order).collect()
        })
    }
}

fn tables(dialect: &Dialect) -> String {
    let Dialect {
        numbered, storage, ..
    } = dialect;
    format!(
        "CREATE TABLE IF NOT EXISTS shop_users (
            id {numbered},
            email VARCHAR(254) NOT NULL UNIQUE,
            name TEXT NOT NULL,
            password_hash TEXT NOT NULL
        ) {storage};
        CREATE TABLE IF NOT EXISTS shop_addresses (
            id BIGINT PRIMARY KEY,
            address TEXT NOT NULL
        ) {storage};
        CREATE TABLE IF NOT EXISTS shop_orders (
            number {numbered},
            id BIGINT NOT NULL UNIQUE,
            buyer VARCHAR(255) NOT NULL,
            address TEXT NOT NULL,
            cart TEXT NOT NULL,
            UNIQUE (buyer, number)
        ) {storage};"
    )
}

fn user(row: Row) -> Result<User, Failure> {
    let id = row.id.cast_unsigned();
    let [email, name, password_hash] = row.texts()?;
    Ok(User {
        id,
        email,
        name,
        password_hash,
    })
}

fn order(row: Row) -> Result<Order, Failure> {
    let id = row.id.cast_unsigned();
    let [user, address, cart] = row.texts()?;
    Ok(Order {
        id,
        user,
        address,
        cart: serde_json::from_str(&cart)?,
    })
}

impl Row {
    fn texts<const N: usize>(self) -> Result<[String; N], Failure> {
        let texts = self.texts.try_into();
        texts.map_err(|_| "a row of another form".into())
    }
}
