//! The layout of the tables, for every engine.

use super::{
    Table,
    setup::LAYOUT,
    statements::{Dialect, Index},
};

/// The statements that make the tables, each only if it is not there.
pub(crate) fn layout(dialect: &Dialect, table: &Table) -> String {
    // The number first: where a table can be found its number can be, also if this ends half-way.
    let parts = [
        number(dialect, &table.of_layout()),
        records(dialect, table),
        logins(dialect, &table.of_logins()),
        principals(dialect, &table.of_principals()),
    ];
    parts.join("\n")
}

fn number(dialect: &Dialect, table: &Table) -> String {
    let Dialect { number, engine, .. } = dialect;
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (version {number} NOT NULL PRIMARY KEY){engine};
INSERT INTO {table} SELECT {LAYOUT} FROM (SELECT 1) AS one WHERE NOT EXISTS (SELECT 1 FROM {table});"
    )
}

fn records(dialect: &Dialect, table: &Table) -> String {
    let Dialect {
        handle,
        bytes,
        number,
        text,
        engine,
        storage,
        ..
    } = dialect;
    let (within, index) = index(dialect, &table.of_sweep(), table, "sweep_after");
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
    handle {handle} NOT NULL PRIMARY KEY,
    version {number} NOT NULL,
    principal {text},
    created {number} NOT NULL,
    last_seen {number} NOT NULL,
    expires {number} NOT NULL,
    sweep_after {number} NOT NULL,
    header {bytes} NOT NULL,
    payload {bytes} NOT NULL{within}
){engine}{storage};{index}"
    )
}

fn logins(dialect: &Dialect, table: &Table) -> String {
    let Dialect {
        handle,
        number,
        short,
        counted,
        entry_key,
        engine,
        ..
    } = dialect;
    let (within, index) = index(dialect, &table.of_order(), table, "principal, place");
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
    place {counted},
    principal {short} NOT NULL,
    handle {handle} NOT NULL,
    login {number} NOT NULL,
    {entry_key} (handle, login, principal){within}
){engine};{index}"
    )
}

fn principals(dialect: &Dialect, table: &Table) -> String {
    let Dialect {
        number,
        short,
        engine,
        storage,
        ..
    } = dialect;
    let (within, index) = index(dialect, &table.of_sweep(), table, "sweep_after");
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
    principal {short} NOT NULL PRIMARY KEY,
    stamp {short},
    sweep_after {number} NOT NULL{within}
){engine}{storage};{index}\n"
    )
}

/// An index of a table: what declares it within the table, and the statement that makes it.
fn index(dialect: &Dialect, name: &Table, table: &Table, columns: &str) -> (String, String) {
    let create = |index: &str, on: &str| {
        format!("\nCREATE INDEX IF NOT EXISTS {index} ON {on} ({columns});")
    };
    match dialect.index {
        Index::OfTable => (
            String::new(),
            create(&name.quoted_name(), &table.to_string()),
        ),
        Index::OfSchema => (
            String::new(),
            create(&name.to_string(), &table.quoted_name()),
        ),
        Index::Within => (
            format!(",\n    KEY {} ({columns})", name.quoted_name()),
            String::new(),
        ),
    }
}

/// A column: its name and its type.
pub(crate) type Column = (&'static str, &'static str);

/// Returns the tables, that of the records first, each with the columns that it must have.
pub(crate) fn tables(dialect: &Dialect, table: &Table) -> [(Table, Vec<Column>); 3] {
    let Dialect {
        handle,
        bytes,
        number,
        text,
        short,
        ..
    } = *dialect;
    let records = vec![
        ("handle", handle),
        ("version", number),
        ("principal", text),
        ("created", number),
        ("last_seen", number),
        ("expires", number),
        ("sweep_after", number),
        ("header", bytes),
        ("payload", bytes),
    ];
    let logins = vec![
        ("place", number),
        ("principal", short),
        ("handle", handle),
        ("login", number),
    ];
    let principals = vec![
        ("principal", short),
        ("stamp", short),
        ("sweep_after", number),
    ];
    [
        (table.clone(), records),
        (table.of_logins(), logins),
        (table.of_principals(), principals),
    ]
}
