//! The statements in SQLite's words.

use super::lists::{Lists, list};
use crate::store::sql::{
    self, Dialect, Index, IndexStatements, REMEMBERED, Table, Taking, Text, load_all,
};

pub(super) const DIALECT: Dialect = Dialect {
    handle: "BLOB",
    bytes: "BLOB",
    number: "INTEGER",
    text: "TEXT",
    short: "BLOB",
    counted: "INTEGER PRIMARY KEY AUTOINCREMENT",
    entry_key: "UNIQUE",
    // Rounded: a day's number is a float, and its last digit is worth 40 microseconds.
    now: "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    engine: "",
    storage: "",
    index: Index::OfSchema,
    taking: Taking::OnConflict,
};

/// The text of each statement.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) verbs: sql::Statements,
    pub(super) index: IndexStatements,
    /// Principal, handle, login, stamp.
    pub(super) enter: Text,
    /// Principal; then handle and login of each.
    pub(super) leave: Lists,
    /// The handles.
    pub(super) load_all: Lists,
    /// How many at most; and so are the next two.
    pub(super) sweep: Text,
    pub(super) sweep_logins: Text,
    pub(super) sweep_principals: Text,
}

impl Statements {
    pub(super) fn new(table: &Table) -> Self {
        let now = DIALECT.now;
        Self {
            verbs: sql::Statements::new(&DIALECT, table),
            index: IndexStatements::new(&DIALECT, table),
            enter: enter(table).into(),
            leave: Lists::new(|length| leave(&table.of_logins(), length)),
            load_all: Lists::new(|length| {
                load_all(
                    now,
                    &table.to_string(),
                    &format!("handle IN {}", list(length)),
                )
            }),
            sweep: sweep(table).into(),
            sweep_logins: sweep_logins(table).into(),
            sweep_principals: sweep_principals(table).into(),
        }
    }

    /// Tells whether a statement returns rows, and not how many it has changed.
    pub(super) fn returns_rows(&self, text: &Text) -> bool {
        [&self.verbs.create, &self.enter].contains(&text)
    }
}

/// Enters a login, unless another stamp is remembered, and returns its place: also that of one that is entered.
fn enter(table: &Table) -> String {
    let (now, logins, principals) = (DIALECT.now, table.of_logins(), table.of_principals());
    format!(
        "INSERT INTO {logins} (principal, handle, login) SELECT $1, $2, $3 WHERE NOT EXISTS \
         (SELECT 1 FROM {principals} WHERE principal = $1 AND stamp <> $4 AND sweep_after > {now}) \
         ON CONFLICT (handle, login, principal) DO UPDATE SET login = excluded.login RETURNING place"
    )
}

fn leave(logins: &Table, length: usize) -> String {
    let each = vec!["handle = ? AND login = ?"; length].join(" OR ");
    format!("DELETE FROM {logins} WHERE principal = ? AND ({each})")
}

/// Deletes what should be swept, the longest overdue first.
fn sweep(table: &Table) -> String {
    let now = DIALECT.now;
    format!(
        "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} \
         WHERE sweep_after <= {now} AND expires <= {now} ORDER BY sweep_after LIMIT $1)"
    )
}

/// Of principals that should be swept deletes the entries whose records are gone: of logins that came too late.
fn sweep_logins(table: &Table) -> String {
    let (logins, due) = (table.of_logins(), due("principal", &table.of_principals()));
    format!(
        "DELETE FROM {logins} AS entered WHERE principal IN ({due}) AND {}",
        without_record(table)
    )
}

/// Deletes what is remembered of principals for long enough, if it has been looked for such entries.
fn sweep_principals(table: &Table) -> String {
    let (logins, principals) = (table.of_logins(), table.of_principals());
    let due = due("rowid", &principals);
    format!(
        "DELETE FROM {principals} AS known WHERE rowid IN ({due}) AND NOT EXISTS \
         (SELECT 1 FROM {logins} AS entered WHERE entered.principal = known.principal AND {})",
        without_record(table)
    )
}

fn due(column: &str, principals: &Table) -> String {
    let now = DIALECT.now;
    format!(
        "SELECT {column} FROM {principals} WHERE sweep_after <= {now} ORDER BY sweep_after LIMIT $1"
    )
}

fn without_record(table: &Table) -> String {
    format!("NOT EXISTS (SELECT 1 FROM {table} AS kept WHERE kept.handle = entered.handle)")
}

/// What happens along with a change, however it is made: each with its name.
///
/// * With a record go its entries.
/// * Whoever logs in is looked at a day later: an entry may have come after its record had gone.
pub(super) fn triggers(table: &Table) -> [(Table, String); 2] {
    let (now, logins, principals) = (DIALECT.now, table.of_logins(), table.of_principals());
    let (gone, came) = (table.with_suffix("_gone"), table.with_suffix("_came"));
    // The tables of a trigger are those beside it, and cannot be named with their schema.
    let [kept, entries, known] = [table, &logins, &principals].map(Table::quoted_name);
    let of_record = format!(
        "CREATE TRIGGER IF NOT EXISTS {gone} AFTER DELETE ON {kept} BEGIN
    DELETE FROM {entries} WHERE handle = OLD.handle;
END;
"
    );
    let of_login = format!(
        "CREATE TRIGGER IF NOT EXISTS {came} AFTER INSERT ON {entries} BEGIN
    INSERT INTO {known} (principal, sweep_after) SELECT NEW.principal, {now} + {REMEMBERED}
    WHERE NOT EXISTS (SELECT 1 FROM {known} WHERE principal = NEW.principal);
END;
"
    );
    [(gone, of_record), (came, of_login)]
}
