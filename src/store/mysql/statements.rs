//! The statements in MariaDB's and MySQL's words.

use super::{
    loading::MOST,
    ready::{Parameter, Ready, query},
    whole::{load, load_all},
};
use crate::store::{
    StoreError,
    sql::{self, Dialect, Index, IndexStatements, REMEMBERED, Table, Taking, Text, Ttl},
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

/// One statement for each verb, and those of the index.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) create: Statement,
    pub(super) load: Statement,
    /// For one handle, two, four, and so on.
    pub(super) load_some: Vec<Text>,
    pub(super) update: Statement,
    pub(super) touch: Statement,
    pub(super) delete: Statement,
    /// How many at most.
    pub(super) due: Statement,
    /// A list of handles.
    pub(super) delete_records: Text,
    pub(super) index: Indexing,
}

/// The statements of the index. Their parameters are, in this order:
///
/// * lock: principal, stamp
/// * insert: principal, handle, login
/// * leave: a list of pairs of handle and login, principal
/// * load_all, delete_entries: a list of handles
/// * due: how many at most
/// * late, delete_principals: a list of principals
#[derive(Debug)]
pub(super) struct Indexing {
    pub(super) lock: Statement,
    pub(super) insert: Statement,
    pub(super) entries: Statement,
    pub(super) leave: Text,
    pub(super) restamp: Statement,
    pub(super) load_all: Text,
    pub(super) walk: Statement,
    pub(super) count: Statement,
    pub(super) delete_entries: Text,
    pub(super) due: Statement,
    pub(super) late: Text,
    pub(super) delete_principals: Text,
}

impl Statements {
    pub(super) fn new(table: &Table) -> Self {
        let verbs = sql::Statements::new(&DIALECT, table);
        Self {
            create: Statement::new(&verbs.create),
            load: Statement::new(&load(table)),
            load_some: load_some(table),
            update: Statement::new(&update(table)),
            touch: Statement::new(&touch(table)),
            delete: Statement::new(&delete(table)),
            due: Statement::new(&due(table)),
            delete_records: delete_listed(table, "PRIMARY").into(),
            index: Indexing::new(table),
        }
    }
}

impl Indexing {
    fn new(table: &Table) -> Self {
        let (logins, principals) = (table.of_logins(), table.of_principals());
        let shared = IndexStatements::new(&DIALECT, table);
        let records = joined(
            HANDLES,
            &format!("{table} FORCE INDEX (PRIMARY) ON handle = item"),
        );
        Self {
            lock: Statement::new(&lock(&principals)),
            insert: Statement::new(&insert(&logins)),
            entries: Statement::new(&shared.entries),
            leave: leave(&logins).into(),
            restamp: Statement::new(&shared.restamp),
            load_all: load_all(&records).into(),
            walk: Statement::new(&shared.walk),
            count: Statement::new(&shared.count),
            delete_entries: delete_listed(&logins, "handle").into(),
            due: Statement::new(&due_principals(&principals)),
            late: late(table).into(),
            delete_principals: delete_principals(&principals).into(),
        }
    }
}

/// Loads records by a list of so many handles. The index is said: of a small table the server would rather read all rows.
fn load_some(table: &Table) -> Vec<Text> {
    let counts = (0..=MOST.next_power_of_two().ilog2()).map(|exponent| 1 << exponent);
    let load = counts.map(|count| {
        let places = vec!["?"; count].join(", ");
        let rows = format!("{table} FORCE INDEX (PRIMARY) WHERE handle IN ({places})");
        load_all(&rows).into()
    });
    load.collect()
}

fn update(table: &Table) -> String {
    let (now, moved) = (DIALECT.now, moved("$7", "$8"));
    format!(
        "UPDATE {table} SET version = $3, header = $4, payload = $5, principal = $6, {moved} \
         WHERE handle = $1 AND version = $2 AND expires > {now}"
    )
}

fn touch(table: &Table) -> String {
    let (now, moved) = (DIALECT.now, moved("$3", "$4"));
    format!("UPDATE {table} SET {moved} WHERE handle = $1 AND version = $2 AND expires > {now}")
}

/// Moves the stamps. The indexed one stays as it is while it is late enough and not too late.
///
/// The assignments are made from left to right, and each sees those before it; so the clock is asked once, and what it
/// says is not computed four times.
fn moved(expires_in: &str, slack: &str) -> String {
    let (now, most) = (DIALECT.now, Ttl::MOST_SLACK);
    format!(
        "last_seen = {now}, expires = last_seen + {expires_in}, \
         sweep_after = IF(sweep_after BETWEEN expires AND expires + {most}, sweep_after, expires + {slack})"
    )
}

/// Deletes a record, and with it its entries.
fn delete(table: &Table) -> String {
    let (now, logins) = (DIALECT.now, table.of_logins());
    format!(
        "DELETE kept, entered FROM {table} AS kept LEFT JOIN {logins} AS entered FORCE INDEX (handle) \
         ON entered.handle = kept.handle WHERE kept.handle = $1 AND kept.expires > {now}"
    )
}

/// Locks what should be swept, the longest overdue first; rows that somebody else is at are left to him.
fn due(table: &Table) -> String {
    format!(
        "SELECT handle FROM {table} WHERE sweep_after <= {BEGAN} AND expires <= {BEGAN} \
         ORDER BY sweep_after LIMIT $1 FOR UPDATE SKIP LOCKED"
    )
}

/// Deletes the rows of a list of handles.
fn delete_listed(table: &Table, index: &str) -> String {
    let rows = format!("{table} AS gone FORCE INDEX ({index}) ON gone.handle = listed.item");
    format!("DELETE gone FROM {}", joined(HANDLES, &rows))
}

/// Joins a list with the rows that belong to it.
///
/// The order of the join is said, and its index is: of a small table the server would rather read all rows, and wait for
/// those that are locked.
fn joined(list: &str, rows: &str) -> String {
    format!("{list} AS listed STRAIGHT_JOIN {rows}")
}

/// The handles of a list.
const HANDLES: &str = "(SELECT UNHEX(text) AS item FROM JSON_TABLE(?, '$[*]' COLUMNS (text char(32) PATH '$')) AS texts)";
/// The principals of a list.
const PRINCIPALS: &str = "(SELECT UNHEX(text) AS item FROM JSON_TABLE(?, '$[*]' COLUMNS (text varchar(510) PATH '$')) AS texts)";
/// The pairs of a list.
const PAIRS: &str = "(SELECT UNHEX(text) AS item, number FROM JSON_TABLE(?, '$[*]' \
                     COLUMNS (text char(32) PATH '$[0]', number bigint PATH '$[1]')) AS texts)";

/// Locks a principal's row until the transaction ends, and says by `LAST_INSERT_ID` whether he may log in: zero if
/// another stamp is remembered. What is too old to be remembered is forgotten, and the row is kept for another day.
///
/// The assignments are made from left to right, and each sees those before it.
fn lock(principals: &Table) -> String {
    let now = DIALECT.now;
    let is_old = format!("sweep_after <= VALUES(sweep_after) - {REMEMBERED}");
    format!(
        "INSERT INTO {principals} (principal, sweep_after) VALUES ($1, LAST_INSERT_ID({now} + {REMEMBERED})) \
         ON DUPLICATE KEY UPDATE stamp = IF({is_old}, NULL, stamp), \
         sweep_after = IF({is_old}, VALUES(sweep_after), sweep_after) + IF(stamp <> $2, LAST_INSERT_ID(0), 0)"
    )
}

/// Enters a login. What `LAST_INSERT_ID` then says is its place: also that of one that is entered.
fn insert(logins: &Table) -> String {
    format!(
        "INSERT INTO {logins} (principal, handle, login) VALUES ($1, $2, $3) \
         ON DUPLICATE KEY UPDATE place = LAST_INSERT_ID(place)"
    )
}

fn leave(logins: &Table) -> String {
    let rows = format!(
        "{logins} AS entered FORCE INDEX (handle) \
         ON entered.handle = listed.item AND entered.login = listed.number AND entered.principal = ?"
    );
    format!("DELETE entered FROM {}", joined(PAIRS, &rows))
}

fn due_principals(principals: &Table) -> String {
    format!(
        "SELECT principal FROM {principals} WHERE sweep_after <= {BEGAN} ORDER BY sweep_after LIMIT $1"
    )
}

/// Finds the entries whose records are gone: of logins that came too late.
fn late(table: &Table) -> String {
    let logins = table.of_logins();
    let rows = format!("{logins} AS entered ON entered.principal = listed.item");
    format!(
        "SELECT entered.handle FROM {} LEFT JOIN {table} AS kept ON kept.handle = entered.handle \
         WHERE kept.handle IS NULL",
        joined(PRINCIPALS, &rows)
    )
}

/// Deletes what is remembered of principals, but not of those who have logged in since.
fn delete_principals(principals: &Table) -> String {
    let rows =
        format!("{principals} AS gone FORCE INDEX (PRIMARY) ON gone.principal = listed.item");
    format!(
        "DELETE gone FROM {} WHERE gone.sweep_after <= {BEGAN}",
        joined(PRINCIPALS, &rows)
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
    pub(super) fn with(&self, parameters: &[Parameter<'_>]) -> Result<Ready, StoreError> {
        let parameters = self.places.iter().map(|place| parameters[*place]);
        query(&self.text, parameters).map_err(StoreError::unavailable)
    }
}

/// Writes a list as a statement takes it: one parameter, of whatever length.
pub(super) fn list<T>(items: &[T], item: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(item).collect();
    format!("[{}]", items.join(","))
}

/// Writes bytes for a list.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("\"{}\"", digits.collect::<String>())
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
    fn a_list_is_one_text() {
        assert_eq!(
            list(&[&[0, 0xff][..], &[]], |bytes| hex(bytes)),
            r#"["00ff",""]"#
        );
        assert_eq!(list::<u8>(&[], |_| unreachable!()), "[]");
    }

    #[test]
    fn a_table_is_quoted_as_these_engines_quote() {
        let table = Table::parse("app.sessions").unwrap().quoted_with('`');
        let statements = Statements::new(&table);
        for statement in [&statements.create, &statements.delete, &statements.due] {
            assert!(statement.text.contains("`app`.`sessions`"), "{statement:?}");
            assert!(!statement.text.contains('"'), "{statement:?}");
        }
    }
}
