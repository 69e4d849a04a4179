//! The statements in PostgreSQL's words, and their preparation.

use tokio_postgres::{Client, Error, Statement, types::Type};

use crate::store::sql::{self, Dialect, Index, Table, Taking, Text, select};

pub(super) const DIALECT: Dialect = Dialect {
    handle: "bytea",
    bytes: "bytea",
    number: "bigint",
    text: "text",
    short: "bytea",
    counted: "bigint GENERATED ALWAYS AS IDENTITY",
    entry_key: "PRIMARY KEY",
    // The clock at this very moment, also in a statement that has waited for a lock. `extract` would reckon in decimals.
    now: "floor(date_part('epoch', clock_timestamp()) * 1000)::bigint",
    engine: "",
    // Room on each page for the next version of a row, so that a touch or an update stays on it.
    storage: " WITH (fillfactor = 70)",
    index: Index::OfTable,
    taking: Taking::OnConflict,
};

/// The text of each statement.
#[derive(Debug)]
pub(super) struct Statements {
    verbs: sql::Statements,
    update: Text,
    sweep: Text,
}

impl Statements {
    pub(super) fn new(table: &Table) -> Self {
        let verbs = sql::Statements::new(&DIALECT, table);
        Self {
            update: update(&verbs.update, table).into(),
            sweep: sweep(table).into(),
            verbs,
        }
    }

    pub(super) async fn prepare(&self, client: &Client) -> Result<Prepared, Error> {
        const HANDLE: Type = Type::BYTEA;
        const BYTES: Type = Type::BYTEA;
        const NUMBER: Type = Type::INT8;
        let record = [NUMBER, BYTES, BYTES, Type::TEXT];
        let create = [&[HANDLE], &record[..], &[NUMBER, NUMBER]].concat();
        let update = [&[HANDLE, NUMBER], &record[..], &[NUMBER, NUMBER]].concat();
        let touch = [HANDLE, NUMBER, NUMBER, NUMBER];
        let verbs = &self.verbs;
        Ok(Prepared {
            create: client.prepare_typed(&verbs.create, &create).await?,
            load: client.prepare_typed(&verbs.load, &[HANDLE]).await?,
            update: client.prepare_typed(&self.update, &update).await?,
            touch: client.prepare_typed(&verbs.touch, &touch).await?,
            delete: client.prepare_typed(&verbs.delete, &[HANDLE]).await?,
            sweep: client.prepare_typed(&self.sweep, &[NUMBER]).await?,
        })
    }
}

/// The statements as one connection knows them.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) create: Statement,
    pub(super) load: Statement,
    pub(super) update: Statement,
    pub(super) touch: Statement,
    pub(super) delete: Statement,
    pub(super) sweep: Statement,
}

/// Updates, and returns a row of nulls if it did, the record if it did not and there is one, and no row otherwise.
///
/// Both parts see the table as it was when the statement began. If the update then waited for a lock, the record is
/// not the fresh one: it still has the expected version, and so it is known.
fn update(update: &str, table: &Table) -> String {
    let (now, select) = (DIALECT.now, select(DIALECT.now, table));
    format!(
        "WITH updated AS ({update} RETURNING 1) \
         SELECT NULL::bigint, NULL::bytea, NULL::bytea, NULL::bigint, NULL::bigint, NULL::bigint FROM updated \
         UNION ALL {select} WHERE handle = $1 AND expires > {now} AND NOT EXISTS (SELECT FROM updated)"
    )
}

/// Deletes what should be swept, the longest overdue first; rows that somebody else is at are left to him.
fn sweep(table: &Table) -> String {
    // A value that changes while the statement runs could not be looked up in the index; this one is read once.
    let now = format!("(SELECT {})", DIALECT.now);
    format!(
        "DELETE FROM {table} WHERE handle = ANY (ARRAY(SELECT handle FROM {table} \
         WHERE sweep_after <= {now} AND expires <= {now} ORDER BY sweep_after LIMIT $1 FOR UPDATE SKIP LOCKED))"
    )
}
