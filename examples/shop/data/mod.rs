//! What the shop keeps beside the sessions: users and orders.
//!
//! In memory they end with the program. In what speaks SQL they are in the sessions' database, in tables of their own that
//! are made at the start. With sessions in Redis they are in a file of SQLite.

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub(crate) mod engines;
mod memory;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod sql;

use std::{error::Error, sync::Arc};

use futures::future::BoxFuture;

pub(crate) use memory::MemoryTables;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub(crate) use sql::SqlTables;

use crate::cart::Cart;

pub(crate) type Shop = Arc<dyn Tables>;

pub(crate) trait Tables: Send + Sync {
    /// Makes an account; `None` if the address has one.
    fn add_user<'a>(
        &'a self,
        email: &'a str,
        name: &'a str,
        password_hash: &'a str,
    ) -> Answer<'a, Option<User>>;

    fn user<'a>(&'a self, email: &'a str) -> Answer<'a, Option<User>>;

    fn user_of<'a>(&'a self, id: u64) -> Answer<'a, Option<User>>;

    /// Replaces a password by another, and tells whether it was still that one.
    fn set_password<'a>(&'a self, id: u64, old: &'a str, new: &'a str) -> Answer<'a, bool>;

    /// Returns where a user's orders go, if he has said so.
    fn address_of<'a>(&'a self, id: u64) -> Answer<'a, Option<String>>;

    fn set_address<'a>(&'a self, id: u64, address: &'a str) -> Answer<'a, ()>;

    /// Keeps an order, and tells whether it is new: an id is taken once, whoever asks how often.
    fn add_order<'a>(&'a self, order: &'a Order) -> Answer<'a, bool>;

    /// Returns an order of this user, and nobody else's.
    fn order<'a>(&'a self, id: u64, user: &'a str) -> Answer<'a, Option<Order>>;

    /// Returns a user's orders, the latest first.
    fn orders_of<'a>(&'a self, user: &'a str) -> Answer<'a, Vec<Order>>;
}

pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// Why the database did not do it.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password_hash: String,
}

#[derive(Clone)]
pub(crate) struct Order {
    /// The cart's, and unique.
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) address: String,
    pub(crate) cart: Cart,
}
