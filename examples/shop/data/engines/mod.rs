//! What asks the engines.

#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod pools;
#[cfg(feature = "postgres")]
mod postgres;

#[cfg(feature = "mysql")]
pub(crate) use pools::MYSQL;
#[cfg(feature = "sqlite")]
pub(crate) use pools::SQLITE;
#[cfg(feature = "postgres")]
pub(crate) use postgres::{POSTGRES, Postgres};
