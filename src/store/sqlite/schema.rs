//! The tables of the store in SQLite: made, checked, and printed for those who make them themselves.

use sqlx::{
    AssertSqlSafe, Connection as _, Row as _, Sqlite, pool::PoolConnection, sqlite::SqliteRow,
};

use super::{
    SqliteStore, failure,
    statements::{DIALECT, triggers},
};
use crate::store::sql::{
    SetupError, SetupErrorKind, Table, check_columns, check_layout, layout, tables,
};

/// The oldest SQLite that has `RETURNING`.
const OLDEST: (u32, u32) = (3, 35);

impl SqliteStore {
    /// Makes the tables if they are missing, and checks them.
    ///
    /// It may be called at every start, by many processes at once: one makes the tables and the others find them.
    ///
    /// # Errors
    ///
    /// If the database takes no writes, SQLite is older than 3.35, or a table of this name has another layout.
    pub async fn migrate(&self) -> Result<(), SetupError> {
        match self.check().await {
            Err(error) if error.kind() == SetupErrorKind::MissingTable => {}
            done => return done,
        }
        self.make().await.map_err(failure::setup)?;
        self.check().await
    }

    /// Checks that the tables are there and have the layout that this release reads and writes.
    ///
    /// For those who make the tables by [`ddl`](Self::ddl); [`migrate`](Self::migrate) does it too.
    ///
    /// # Errors
    ///
    /// If a table is missing or has another layout, SQLite is older than 3.35, or the database takes no writes.
    pub async fn check(&self) -> Result<(), SetupError> {
        let table = &self.shared.table;
        let mut connection = self.pool.acquire().await.map_err(failure::setup)?;
        check_release(&mut connection).await?;
        for (table, columns) in tables(&DIALECT, table) {
            let found = columns_of(&mut connection, &table).await?;
            check_columns(&table, &columns, &found)?;
        }
        for (name, _) in triggers(table) {
            check_trigger(&mut connection, &name).await?;
        }
        check_layout(table, layout_of(&mut connection, &table.of_layout()).await?)?;
        check_writable(&mut connection, &table.of_layout()).await
    }

    /// Returns the statements that make the tables, for those who run migrations of their own.
    ///
    /// ```
    /// use tenure::store::SqliteStore;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let store = SqliteStore::connect("sqlite::memory:").await?.with_table("sessions")?;
    /// assert!(store.ddl().contains("CREATE TABLE IF NOT EXISTS \"sessions\" ("));
    /// # Ok::<_, tenure::store::SetupError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn ddl(&self) -> String {
        let table = &self.shared.table;
        let [(_, of_record), (_, of_login)] = triggers(table);
        [layout(&DIALECT, table), of_record, of_login].concat()
    }

    async fn make(&self) -> Result<(), sqlx::Error> {
        let _turn = self.shared.writes.turn.lock().await;
        let mut connection = self.pool.acquire().await?;
        // The lock is taken before the first look, so that nobody's look is out of date.
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(AssertSqlSafe(self.ddl()))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}

async fn check_release(connection: &mut PoolConnection<Sqlite>) -> Result<(), SetupError> {
    let rows = sqlx::query("SELECT sqlite_version()").fetch_all(&mut **connection);
    let found: String = first(rows.await)?.unwrap_or_default();
    if release(&found) < OLDEST {
        let needed = format!("{}.{}", OLDEST.0, OLDEST.1);
        return Err(SetupError::too_old("SQLite", &found, &needed));
    }
    Ok(())
}

fn release(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

async fn columns_of(
    connection: &mut PoolConnection<Sqlite>,
    table: &Table,
) -> Result<Vec<(String, String)>, SetupError> {
    let rows = sqlx::query("SELECT name, type FROM pragma_table_info($1, $2)")
        .bind(table.name().to_owned())
        .bind(table.schema().unwrap_or("main").to_owned())
        .fetch_all(&mut **connection)
        .await
        .map_err(failure::setup)?;
    let column = |row: &SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter()
        .map(column)
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failure::setup)
}

async fn check_trigger(
    connection: &mut PoolConnection<Sqlite>,
    trigger: &Table,
) -> Result<(), SetupError> {
    let schema = trigger.schema().unwrap_or("main");
    let text = format!(
        "SELECT count(*) FROM \"{schema}\".sqlite_master WHERE type = 'trigger' AND name = $1"
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind(trigger.name().to_owned());
    let found: Option<i64> = first(query.fetch_all(&mut **connection).await)?;
    match found {
        Some(1..) => Ok(()),
        _ => Err(SetupError::missing_trigger(trigger)),
    }
}

async fn layout_of(
    connection: &mut PoolConnection<Sqlite>,
    table: &Table,
) -> Result<Option<i64>, SetupError> {
    let text = AssertSqlSafe(format!("SELECT max(version) FROM {table}"));
    match sqlx::query(text).fetch_all(&mut **connection).await {
        Err(error) if failure::is_missing_table(&error) => Ok(None),
        rows => first(rows),
    }
}

/// Asks for the lock of the writer, and changes nothing.
async fn check_writable(
    connection: &mut PoolConnection<Sqlite>,
    table: &Table,
) -> Result<(), SetupError> {
    let text = AssertSqlSafe(format!("UPDATE {table} SET version = version WHERE false"));
    let done = sqlx::query(text).execute(&mut **connection).await;
    done.map(drop).map_err(failure::setup)
}

fn first<T>(rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Option<T>, SetupError>
where
    T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    let rows = rows.map_err(failure::setup)?;
    match rows.first() {
        None => Ok(None),
        Some(row) => row.try_get(0).map_err(failure::setup),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_compared_by_its_numbers() {
        for (text, enough) in [
            ("3.35.0", true),
            ("3.46.1", true),
            ("4.0", true),
            ("3.34.9", false),
            ("3.9.2", false),
            ("", false),
        ] {
            assert_eq!(release(text) >= OLDEST, enough, "{text}");
        }
    }
}
