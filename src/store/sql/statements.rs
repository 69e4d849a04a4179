//! The statements of the five verbs and of the sweep, for every engine.

use super::{Table, Text, Ttl};

/// In what the engines differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The type of a handle.
    pub(crate) handle: &'static str,
    /// The type of bytes.
    pub(crate) bytes: &'static str,
    /// The type of 64 bits.
    pub(crate) number: &'static str,
    /// The type of a principal beside a record.
    pub(crate) text: &'static str,
    /// The type of a few bytes that are found by an index: a principal, a stamp.
    pub(crate) short: &'static str,
    /// How a number is declared that the engine counts up.
    pub(crate) counted: &'static str,
    /// Of which kind the key of an entry is, beside that number.
    pub(crate) entry_key: &'static str,
    /// The engine's clock: whole milliseconds since the Unix epoch.
    pub(crate) now: &'static str,
    /// What follows the columns of every table.
    pub(crate) engine: &'static str,
    /// What follows that, for tables whose rows are rewritten.
    pub(crate) storage: &'static str,
    /// Where the index is declared.
    pub(crate) index: Index,
    /// How a handle is taken that an expired record has.
    pub(crate) taking: Taking,
}

/// Where an index is declared, and by which name.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "each engine has its own")]
pub(crate) enum Index {
    /// In a statement of its own that names the table with its schema.
    OfTable,
    /// In a statement of its own that names the index with its schema.
    OfSchema,
    /// Within the table.
    Within,
}

/// How an `INSERT` changes a row that is there.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "each engine has its own")]
pub(crate) enum Taking {
    /// `ON CONFLICT … DO UPDATE`. A row that was made is returned, with when it was.
    OnConflict,
    /// `ON DUPLICATE KEY UPDATE`. What `LAST_INSERT_ID` then says is when the row was made, zero if it was not.
    OnDuplicateKey,
}

/// One statement for each verb. Their parameters are, in this order:
///
/// * create: handle, version, header, payload, principal, time to live, slack
/// * load: handle
/// * update: handle, expected version, version, header, payload, principal, time to live, slack
/// * touch: handle, expected version, time to live, slack
/// * delete: handle
/// * sweep: how many at most
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    pub(crate) create: Text,
    #[allow(
        dead_code,
        reason = "that of MariaDB and MySQL puts the columns together"
    )]
    pub(crate) load: Text,
    #[allow(dead_code, reason = "those of MariaDB and MySQL ask the clock once")]
    pub(crate) update: Text,
    #[allow(dead_code, reason = "as that of the update")]
    pub(crate) touch: Text,
    #[allow(dead_code, reason = "that of MariaDB and MySQL deletes entries too")]
    pub(crate) delete: Text,
}

impl Statements {
    pub(crate) fn new(dialect: &Dialect, table: &Table) -> Self {
        let now = dialect.now;
        Self {
            create: create(dialect, table).into(),
            load: format!(
                "{} WHERE handle = $1 AND expires > {now}",
                select(now, table)
            )
            .into(),
            update: update(now, table).into(),
            touch: touch(now, table).into(),
            delete: format!("DELETE FROM {table} WHERE handle = $1 AND expires > {now}").into(),
        }
    }
}

/// Takes a free handle, or one whose record has expired. It never changes a live record.
fn create(dialect: &Dialect, table: &Table) -> String {
    match dialect.taking {
        Taking::OnConflict => create_on_conflict(dialect.now, table),
        Taking::OnDuplicateKey => create_on_duplicate_key(dialect.now, table),
    }
}

fn create_on_conflict(now: &str, table: &Table) -> String {
    format!(
        "INSERT INTO {table} AS kept \
         (handle, version, header, payload, principal, created, last_seen, expires, sweep_after) \
         SELECT $1, $2, $3, $4, $5, clock.ms, clock.ms, clock.ms + $6, clock.ms + $6 + $7 \
         FROM (SELECT {now} AS ms) AS clock WHERE true \
         ON CONFLICT (handle) DO UPDATE SET \
         version = excluded.version, header = excluded.header, payload = excluded.payload, \
         principal = excluded.principal, created = excluded.created, last_seen = excluded.last_seen, \
         expires = excluded.expires, sweep_after = excluded.sweep_after \
         WHERE kept.expires <= excluded.created \
         RETURNING created"
    )
}

/// The assignments are made from left to right, and each sees those before it; so `expires`, which all ask for, is last.
fn create_on_duplicate_key(now: &str, table: &Table) -> String {
    let taken =
        |column| format!("{column} = IF(expires <= VALUES(created), VALUES({column}), {column})");
    let columns = [
        "version",
        "header",
        "payload",
        "principal",
        "last_seen",
        "sweep_after",
    ];
    let taken = columns.map(taken).join(", ");
    format!(
        "INSERT INTO {table} \
         (handle, version, header, payload, principal, created, last_seen, expires, sweep_after) \
         VALUES ($1, $2, $3, $4, $5, LAST_INSERT_ID({now}), created, created + $6, expires + $7) \
         ON DUPLICATE KEY UPDATE {taken}, created = IF(expires <= VALUES(created), VALUES(created), created), \
         expires = IF(expires <= VALUES(created), VALUES(expires), expires + LAST_INSERT_ID(0))"
    )
}

/// The columns of a [`Row`](super::Row).
pub(crate) fn select(now: &str, table: &Table) -> String {
    format!("SELECT version, header, payload, created, last_seen, {now} FROM {table}")
}

fn update(now: &str, table: &Table) -> String {
    format!(
        "UPDATE {table} SET version = $3, header = $4, payload = $5, principal = $6, {} \
         WHERE handle = $1 AND version = $2 AND expires > {now}",
        moved(now, "$7", "$8")
    )
}

fn touch(now: &str, table: &Table) -> String {
    format!(
        "UPDATE {table} SET {} WHERE handle = $1 AND version = $2 AND expires > {now}",
        moved(now, "$3", "$4")
    )
}

/// Moves the stamps. The indexed one stays as it is while it is late enough and not too late.
pub(crate) fn moved(now: &str, expires_in: &str, slack: &str) -> String {
    let most = Ttl::MOST_SLACK;
    format!(
        "last_seen = {now}, expires = {now} + {expires_in}, sweep_after = CASE \
         WHEN sweep_after - {now} BETWEEN {expires_in} AND {expires_in} + {most} THEN sweep_after \
         ELSE {now} + {expires_in} + {slack} END"
    )
}
