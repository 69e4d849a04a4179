//! The statements of the five verbs and of the sweep, and the layout of the table, for every engine.

use super::{Table, Text, Ttl, setup::LAYOUT};

/// In what the engines differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The type of bytes.
    pub(crate) bytes: &'static str,
    /// The type of 64 bits.
    pub(crate) number: &'static str,
    /// The engine's clock: whole milliseconds since the Unix epoch.
    pub(crate) now: &'static str,
    /// What follows the columns of the table.
    pub(crate) storage: &'static str,
    /// Whether an index is named with the table's schema, rather than the table it is on.
    pub(crate) index_has_schema: bool,
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
    pub(crate) load: Text,
    pub(crate) update: Text,
    pub(crate) touch: Text,
    pub(crate) delete: Text,
}

impl Statements {
    pub(crate) fn new(dialect: &Dialect, table: &Table) -> Self {
        let now = dialect.now;
        Self {
            create: create(now, table).into(),
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
fn create(now: &str, table: &Table) -> String {
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
fn moved(now: &str, expires_in: &str, slack: &str) -> String {
    let most = Ttl::MOST_SLACK;
    format!(
        "last_seen = {now}, expires = {now} + {expires_in}, sweep_after = CASE \
         WHEN sweep_after - {now} BETWEEN {expires_in} AND {expires_in} + {most} THEN sweep_after \
         ELSE {now} + {expires_in} + {slack} END"
    )
}

/// The statements that make the tables, each only if it is not there.
pub(crate) fn layout(dialect: &Dialect, table: &Table) -> String {
    let Dialect {
        bytes,
        number,
        storage,
        ..
    } = dialect;
    let (of_layout, of_sweep) = (table.of_layout(), table.of_sweep());
    let (index, on) = match dialect.index_has_schema {
        true => (of_sweep.to_string(), table.quoted_name()),
        false => (of_sweep.quoted_name(), table.to_string()),
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
    handle {bytes} NOT NULL PRIMARY KEY,
    version {number} NOT NULL,
    principal TEXT,
    created {number} NOT NULL,
    last_seen {number} NOT NULL,
    expires {number} NOT NULL,
    sweep_after {number} NOT NULL,
    header {bytes} NOT NULL,
    payload {bytes} NOT NULL
){storage};
CREATE INDEX IF NOT EXISTS {index} ON {on} (sweep_after);
CREATE TABLE IF NOT EXISTS {of_layout} (version {number} NOT NULL);
INSERT INTO {of_layout} SELECT {LAYOUT} WHERE NOT EXISTS (SELECT 1 FROM {of_layout});
"
    )
}

/// Returns the columns that a table must have, each with its type.
pub(crate) fn columns(dialect: &Dialect) -> [(&'static str, &'static str); 9] {
    let Dialect { bytes, number, .. } = *dialect;
    [
        ("handle", bytes),
        ("version", number),
        ("principal", "text"),
        ("created", number),
        ("last_seen", number),
        ("expires", number),
        ("sweep_after", number),
        ("header", bytes),
        ("payload", bytes),
    ]
}
