//! SQLite, and MariaDB or MySQL, by pools of sqlx, which differ in name alone.

use sqlx::{AssertSqlSafe, Row as _};

use crate::data::{
    Answer,
    sql::{Dialect, Engine, Row, Value},
};

macro_rules! bound {
    ($engine:ty, $text:expr, $values:expr) => {{
        let question = sqlx::query::<$engine>(AssertSqlSafe($text.to_owned()));
        $values
            .into_iter()
            .fold(question, |question, value| match value {
                Value::Number(number) => question.bind(number),
                Value::Text(text) => question.bind(text.to_owned()),
            })
    }};
}

macro_rules! engine {
    ($engine:ty, $pool:ty) => {
        impl Engine for $pool {
            fn make(&self, tables: String) -> Answer<'_, ()> {
                Box::pin(async move {
                    let tables = sqlx::raw_sql(AssertSqlSafe(tables));
                    tables.execute(self).await?;
                    Ok(())
                })
            }

            fn tell<'a>(&'a self, text: &'a str, values: Vec<Value<'a>>) -> Answer<'a, u64> {
                Box::pin(async move {
                    let told = bound!($engine, text, values).execute(self).await?;
                    Ok(told.rows_affected())
                })
            }

            fn ask<'a>(&'a self, text: &'a str, values: Vec<Value<'a>>) -> Answer<'a, Vec<Row>> {
                Box::pin(async move {
                    let rows = bound!($engine, text, values).fetch_all(self).await?;
                    let read = |row: &<$engine as sqlx::Database>::Row| {
                        let texts: Result<_, _> =
                            (1..row.len()).map(|at| row.try_get(at)).collect();
                        Ok(Row {
                            id: row.try_get(0)?,
                            texts: texts?,
                        })
                    };
                    rows.iter().map(read).collect()
                })
            }
        }
    };
}

#[cfg(feature = "mysql")]
engine!(sqlx::MySql, sqlx::MySqlPool);
#[cfg(feature = "sqlite")]
engine!(sqlx::Sqlite, sqlx::SqlitePool);

#[cfg(feature = "mysql")]
pub(crate) const MYSQL: Dialect = Dialect {
    numbered: "BIGINT AUTO_INCREMENT PRIMARY KEY",
    // Others take letters with and without an accent for the same.
    storage: "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    insert: ["INSERT IGNORE INTO", ""],
    parameter: |_| "?".to_owned(),
};

#[cfg(feature = "sqlite")]
pub(crate) const SQLITE: Dialect = Dialect {
    numbered: "INTEGER PRIMARY KEY",
    storage: "",
    insert: ["INSERT INTO", "ON CONFLICT DO NOTHING"],
    parameter: |_| "?".to_owned(),
};
