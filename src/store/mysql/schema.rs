//! The tables of the store in MariaDB and MySQL: made, checked, and printed for those who make them themselves.

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, MySql, MySqlConnection, Row as _,
    mysql::MySqlRow, raw_sql,
};

use super::{MySqlStore, failure, statements::DIALECT};
use crate::store::sql::{
    Column, SetupError, SetupErrorKind, Table, check_columns, check_layout, layout, tables,
};

impl MySqlStore {
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
        let mut connection = self.0.places.client().await?;
        let checked = self.check_by(&mut connection).await;
        drop(connection.close().await);
        checked
    }

    async fn check_by(&self, connection: &mut MySqlConnection) -> Result<(), SetupError> {
        let table = &self.0.table;
        let tables = tables(&DIALECT, table);
        for (table, columns) in &tables {
            check_columns(table, columns, &columns_of(connection, table).await?)?;
            check_engine(connection, table).await?;
        }
        check_layout(table, layout_of(connection, &table.of_layout()).await?)?;
        for (table, columns) in &tables {
            check_writable(connection, table, columns).await?;
        }
        Ok(())
    }

    /// Returns the statements that make the tables, for those who run migrations of their own.
    #[must_use]
    pub fn ddl(&self) -> String {
        layout(&DIALECT, &self.0.table)
    }

    async fn make(&self) -> Result<(), SetupError> {
        let mut connection = self.0.places.client().await?;
        // Each statement is a transaction of its own here. The lock is held until the connection is closed, so that one
        // makes the tables after the other.
        let text = format!("DO GET_LOCK('{LOCK}', {LOCK_SECONDS}); {}", self.ddl());
        let made = connection.execute(raw_sql(AssertSqlSafe(text))).await;
        drop(connection.close().await);
        made.map(drop).map_err(failure::setup)
    }
}

pub(super) async fn check_release(connection: &mut MySqlConnection) -> Result<(), SetupError> {
    let row = one(connection, "SELECT VERSION()", &[]).await?;
    supported(&get::<String>(&row, 0)?)
}

fn supported(version: &str) -> Result<(), SetupError> {
    let (engine, oldest) = match version.contains("MariaDB") {
        true => ("MariaDB", (10, 6)),
        false => ("MySQL", (8, 0)),
    };
    if release(version) < oldest {
        let needed = format!("{}.{}", oldest.0, oldest.1);
        return Err(SetupError::too_old(engine, version, &needed));
    }
    Ok(())
}

fn release(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

async fn columns_of(
    connection: &mut MySqlConnection,
    table: &Table,
) -> Result<Vec<(String, String)>, SetupError> {
    let text = format!(
        "SELECT CAST(column_name AS CHAR), CAST(column_type AS CHAR) FROM information_schema.columns WHERE {OF_TABLE}"
    );
    let rows = all(connection, &text, &named(table)).await?;
    // MariaDB tells how wide a number would be shown.
    let column = |row: &MySqlRow| {
        let kind: String = get(row, 1)?;
        Ok((get(row, 0)?, kind.replace("bigint(20)", "bigint")))
    };
    rows.iter().map(column).collect()
}

/// Another engine has no transactions, or none that keep anything.
async fn check_engine(connection: &mut MySqlConnection, table: &Table) -> Result<(), SetupError> {
    let text =
        format!("SELECT CAST(engine AS CHAR) FROM information_schema.tables WHERE {OF_TABLE}");
    let row = one(connection, &text, &named(table)).await?;
    let engine: Option<String> = get(&row, 0)?;
    match engine.as_deref() {
        Some("InnoDB") => Ok(()),
        other => {
            let what = format!("its engine is {} and not InnoDB", other.unwrap_or("none"));
            Err(SetupError::layout(table, &what))
        }
    }
}

async fn layout_of(
    connection: &mut MySqlConnection,
    table: &Table,
) -> Result<Option<i64>, SetupError> {
    if columns_of(connection, table).await?.is_empty() {
        return Ok(None);
    }
    let row = one(
        connection,
        &format!("SELECT MAX(version) FROM {table}"),
        &[],
    )
    .await?;
    get(&row, 0)
}

/// Asks for the rights to write, and changes nothing.
async fn check_writable(
    connection: &mut MySqlConnection,
    table: &Table,
    columns: &[Column],
) -> Result<(), SetupError> {
    let is_number = |(_, kind): &&Column| *kind == DIALECT.number;
    let number = columns.iter().find(is_number);
    let key = columns.iter().find(|column| !is_number(column));
    let (Some((number, _)), Some((key, _))) = (number, key) else {
        return Ok(());
    };
    let no_row = format!("WHERE {key} = '' AND {number} <> {number}");
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    for text in [
        format!("UPDATE {table} SET {number} = {number} {no_row}"),
        format!("INSERT INTO {table} ({names}) SELECT {names} FROM {table} {no_row}"),
        format!("DELETE FROM {table} {no_row}"),
    ] {
        let query = sqlx::query(AssertSqlSafe(text));
        query
            .execute(&mut *connection)
            .await
            .map_err(failure::setup)?;
    }
    Ok(())
}

/// The parameters of [`OF_TABLE`].
fn named(table: &Table) -> [Option<&str>; 2] {
    [table.schema(), Some(table.name())]
}

async fn all(
    connection: &mut MySqlConnection,
    text: &str,
    parameters: &[Option<&str>],
) -> Result<Vec<MySqlRow>, SetupError> {
    let mut query = sqlx::query(AssertSqlSafe(text));
    for parameter in parameters {
        query = query.bind(parameter.map(str::to_owned));
    }
    query.fetch_all(connection).await.map_err(failure::setup)
}

async fn one(
    connection: &mut MySqlConnection,
    text: &str,
    parameters: &[Option<&str>],
) -> Result<MySqlRow, SetupError> {
    let mut rows = all(connection, text, parameters).await?;
    rows.pop()
        .ok_or(sqlx::Error::RowNotFound)
        .map_err(failure::setup)
}

fn get<T>(row: &MySqlRow, column: usize) -> Result<T, SetupError>
where
    T: for<'r> sqlx::Decode<'r, MySql> + sqlx::Type<MySql>,
{
    row.try_get(column).map_err(failure::setup)
}

const OF_TABLE: &str = "table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
const LOCK: &str = "tenure/migrate";
const LOCK_SECONDS: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_named() {
        for version in [
            "10.6.4-MariaDB-log",
            "10.11.19-MariaDB-0+deb12u1",
            "11.4.2-MariaDB",
            "8.0.36",
            "8.4.0-commercial",
            "9.1.0",
        ] {
            assert!(supported(version).is_ok(), "{version}");
        }
        for (version, message) in [
            (
                "5.7.44-log",
                "MySQL 5.7.44-log is too old; 8.0 or later is needed",
            ),
            (
                "10.5.23-MariaDB",
                "MariaDB 10.5.23-MariaDB is too old; 10.6 or later is needed",
            ),
            ("", "MySQL  is too old; 8.0 or later is needed"),
        ] {
            let error = supported(version).unwrap_err();
            assert_eq!(error.kind(), SetupErrorKind::TooOld);
            assert_eq!(error.to_string(), message);
        }
    }
}
