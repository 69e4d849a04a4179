//! The tables of the store in PostgreSQL: made, checked, and printed for those who make them themselves.

use tokio_postgres::{Client, Row};

use super::{PostgresStore, builder::client, failure, statements::DIALECT};
use crate::store::sql::{
    SetupError, SetupErrorKind, Table, check_columns, check_layout, layout, tables,
};

/// The oldest release that is supported, as the server counts.
const OLDEST: i32 = 130_000;

impl PostgresStore {
    /// Makes the tables if they are missing, and checks them.
    ///
    /// It may be called at every start, by many processes at once: one makes the tables and the others find them. The
    /// user needs no right to make tables if they are there.
    ///
    /// # Errors
    ///
    /// If the database takes no writes, or a table of this name has another layout.
    pub async fn migrate(&self) -> Result<(), SetupError> {
        match self.check().await {
            Err(error) if error.kind() == SetupErrorKind::MissingTable => {}
            done => return done,
        }
        self.make().await?;
        self.check().await
    }

    /// Checks that the tables are there and have the layout that this release reads and writes.
    ///
    /// For those who make the tables by [`ddl`](Self::ddl); [`migrate`](Self::migrate) does it too.
    ///
    /// # Errors
    ///
    /// If a table is missing or has another layout, the user lacks a right, or the database takes no writes.
    pub async fn check(&self) -> Result<(), SetupError> {
        let table = &self.0.table;
        let client = client(&self.0.connect).await?;
        check_writable(&client).await?;
        for (table, columns) in tables(&DIALECT, table) {
            let found = columns_of(&client, &table).await?;
            check_columns(&table, &columns, &found)?;
            check_rights(&client, &table).await?;
        }
        check_layout(table, layout_of(&client, &table.of_layout()).await?)
    }

    /// Returns the statements that make the tables, for those who run migrations of their own.
    #[must_use]
    pub fn ddl(&self) -> String {
        layout(&DIALECT, &self.0.table)
    }

    async fn make(&self) -> Result<(), SetupError> {
        let client = client(&self.0.connect).await?;
        // Several statements sent as one are one transaction. The lock is for it, so that `IF NOT EXISTS`, which is
        // not enough when two look at once, is looked at by one after the other.
        let text = format!("SELECT pg_advisory_xact_lock({LOCK}); {}", self.ddl());
        client.batch_execute(&text).await.map_err(failure::setup)
    }
}

pub(super) async fn check_release(client: &Client) -> Result<(), SetupError> {
    let text =
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client.query_one(text, &[]).await.map_err(failure::setup)?;
    supported(get(&row, 0)?, &get::<String>(&row, 1)?)
}

fn supported(number: i32, name: &str) -> Result<(), SetupError> {
    match number < OLDEST {
        true => Err(SetupError::too_old(
            "PostgreSQL",
            name,
            &(OLDEST / 10_000).to_string(),
        )),
        false => Ok(()),
    }
}

async fn check_writable(client: &Client) -> Result<(), SetupError> {
    let text = "SELECT current_setting('transaction_read_only')";
    let row = client.query_one(text, &[]).await.map_err(failure::setup)?;
    match get::<String>(&row, 0)? == "on" {
        true => Err(failure::read_only()),
        false => Ok(()),
    }
}

/// Rights to each column do as well, where there are such.
async fn check_rights(client: &Client, table: &Table) -> Result<(), SetupError> {
    let text = "SELECT string_agg(name, ', ') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS name \
                WHERE NOT CASE name WHEN 'DELETE' THEN has_table_privilege($1::text, name) \
                ELSE has_any_column_privilege($1::text, name) END";
    let row = client.query_one(text, &[&table.to_string()]).await;
    let missing: Option<String> = get(&row.map_err(failure::setup)?, 0)?;
    match missing {
        None => Ok(()),
        Some(missing) => {
            let missing = format!("on {table} it lacks {missing}");
            Err(SetupError::unreachable(failure::RIGHTS, missing))
        }
    }
}

async fn columns_of(client: &Client, table: &Table) -> Result<Vec<(String, String)>, SetupError> {
    let text = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
                WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped";
    let rows = client.query(text, &[&table.to_string()]).await;
    let rows = rows.map_err(failure::setup)?;
    rows.iter()
        .map(|row| Ok((get(row, 0)?, get(row, 1)?)))
        .collect()
}

async fn layout_of(client: &Client, table: &Table) -> Result<Option<i64>, SetupError> {
    if columns_of(client, table).await?.is_empty() {
        return Ok(None);
    }
    let text = format!("SELECT max(version) FROM {table}");
    let row = client.query_one(&text, &[]).await.map_err(failure::setup)?;
    get(&row, 0)
}

fn get<T: for<'a> tokio_postgres::types::FromSql<'a>>(
    row: &Row,
    column: usize,
) -> Result<T, SetupError> {
    row.try_get(column).map_err(failure::setup)
}

/// The first eight bytes of SHA-256 of `tenure/migrate`, so that it is nobody else's.
const LOCK: i64 = 6261708162308984150;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_named() {
        assert!(supported(130_000, "13.0").is_ok());
        assert!(supported(170_002, "17.2").is_ok());
        let error = supported(120_019, "12.19").unwrap_err();
        assert_eq!(error.kind(), SetupErrorKind::TooOld);
        assert_eq!(
            error.to_string(),
            "PostgreSQL 12.19 is too old; 13 or later is needed"
        );
    }
}
