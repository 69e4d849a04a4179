//! The statements in MariaDB's and MySQL's words.

use sqlx::{Arguments as _, AssertSqlSafe, MySql, mysql::MySqlArguments, query::Query};

use crate::store::{
    StoreError,
    sql::{self, Dialect, Index, Table, Taking, Text},
};

pub(super) const DIALECT: Dialect = Dialect {
    handle: "binary(16)",
    bytes: "mediumblob",
    number: "bigint",
    text: "varbinary(255)",
    short: "varbinary(255)",
    counted: "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
    entry_key: "UNIQUE",
    // The clock at this very moment, also in a statement that has waited for a lock; the session is at UTC. In whole
    // numbers, and not bounded by 2038 as `UNIX_TIMESTAMP` is.
    now: "(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', SYSDATE(3)) DIV 1000)",
    engine: " ENGINE=InnoDB ROW_FORMAT=DYNAMIC",
    storage: "",
    index: Index::Within,
    taking: Taking::OnDuplicateKey,
};

/// The time at which a statement began, which an index can be asked for: that of `SYSDATE` cannot.
const BEGAN: &str =
    "(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)";

/// One statement for each verb.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) create: Statement,
    pub(super) load: Statement,
    pub(super) update: Statement,
    pub(super) touch: Statement,
    pub(super) delete: Statement,
    pub(super) sweep: Statement,
}

impl Statements {
    pub(super) fn new(table: &Table) -> Self {
        let verbs = sql::Statements::new(&DIALECT, table);
        Self {
            create: Statement::new(&verbs.create),
            load: Statement::new(&verbs.load),
            update: Statement::new(&verbs.update),
            touch: Statement::new(&verbs.touch),
            delete: Statement::new(&verbs.delete),
            sweep: Statement::new(&sweep(table)),
        }
    }
}

/// Deletes what should be swept, the longest overdue first; rows that somebody else is at are left to him.
///
/// The order of the join and its index are said: of a small table the server would rather read all rows, and wait for
/// those that are locked.
fn sweep(table: &Table) -> String {
    format!(
        "DELETE swept FROM (SELECT handle FROM {table} \
         WHERE sweep_after <= {BEGAN} AND expires <= {BEGAN} ORDER BY sweep_after LIMIT $1 FOR UPDATE SKIP LOCKED) AS due \
         STRAIGHT_JOIN {table} AS swept FORCE INDEX (PRIMARY) ON swept.handle = due.handle"
    )
}

/// A statement whose parameters stand in their places, and which those are.
#[derive(Debug)]
pub(super) struct Statement {
    text: Text,
    places: Box<[usize]>,
}

impl Statement {
    /// Takes a text with parameters that are numbered.
    fn new(numbered: &str) -> Self {
        let mut parts = numbered.split('$');
        let mut text = parts.next().unwrap_or_default().to_owned();
        let mut places = Vec::new();
        for part in parts {
            let (number, rest) = part.split_at(1);
            places.push(number.parse::<usize>().expect("the number of a parameter") - 1);
            text.push('?');
            text.push_str(rest);
        }
        Self {
            text: text.into(),
            places: places.into(),
        }
    }

    /// Makes a query of it, with the parameters in the order of their numbers.
    pub(super) fn with(
        &self,
        parameters: &[Parameter<'_>],
    ) -> Result<Query<'static, MySql, MySqlArguments>, StoreError> {
        let mut arguments = MySqlArguments::default();
        for place in &*self.places {
            let added = match parameters[*place] {
                Parameter::Bytes(bytes) => arguments.add(bytes),
                Parameter::Number(number) => arguments.add(number),
            };
            added.map_err(StoreError::unavailable)?;
        }
        Ok(sqlx::query_with(
            AssertSqlSafe(self.text.clone()),
            arguments,
        ))
    }
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parameter<'a> {
    Bytes(Option<&'a [u8]>),
    Number(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_where_their_numbers_stood() {
        let statement = Statement::new("a = $2, b = $1 + $2, c = $10");
        assert_eq!(&*statement.text, "a = ?, b = ? + ?, c = ?0");
        assert_eq!(&*statement.places, [1, 0, 1, 0], "there are fewer than ten");
        assert_eq!(&*Statement::new("SELECT 1").text, "SELECT 1");
    }

    #[test]
    fn a_table_is_quoted_as_these_engines_quote() {
        let table = Table::parse("app.sessions").unwrap().quoted_with('`');
        let statements = Statements::new(&table);
        for statement in [&statements.create, &statements.load, &statements.sweep] {
            assert!(statement.text.contains("`app`.`sessions`"), "{statement:?}");
            assert!(!statement.text.contains('"'), "{statement:?}");
        }
    }
}
