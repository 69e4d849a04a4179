//! The statements in PostgreSQL's words, and their preparation.

use tokio_postgres::{Client, Error, Statement, types::Type};

use crate::store::sql::{
    self, Dialect, Index, IndexStatements, REMEMBERED, Table, Taking, Text, load_all, moved, select,
};

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
    change_all: Text,
    delete: Text,
    sweep: Text,
    sweep_principals: Text,
    index: IndexStatements,
    enter: Text,
    leave: Text,
    load_all: Text,
}

impl Statements {
    pub(super) fn new(table: &Table) -> Self {
        let verbs = sql::Statements::new(&DIALECT, table);
        Self {
            update: update(&verbs.update, table).into(),
            change_all: change_all(table).into(),
            delete: with_entries(&verbs.delete, table).into(),
            sweep: with_entries(&sweep(table), table).into(),
            sweep_principals: sweep_principals(table).into(),
            index: IndexStatements::new(&DIALECT, table),
            enter: enter(table).into(),
            leave: leave(&table.of_logins()).into(),
            load_all: load_all(DIALECT.now, &table.to_string(), "handle = ANY ($1)").into(),
            verbs,
        }
    }

    pub(super) async fn prepare(&self, client: &Client) -> Result<Prepared, Error> {
        let record = [NUMBER, BYTES, BYTES, Type::TEXT];
        let create = [&[BYTES], &record[..], &[NUMBER, NUMBER]].concat();
        let update = [&[BYTES, NUMBER], &record[..], &[NUMBER, NUMBER]].concat();
        let touch = [BYTES, NUMBER, NUMBER, NUMBER];
        let change_all = [
            MANY_BYTES,
            MANY_NUMBERS,
            MANY_NUMBERS,
            MANY_BYTES,
            MANY_BYTES,
            Type::TEXT_ARRAY,
            MANY_NUMBERS,
            MANY_NUMBERS,
        ];
        let verbs = &self.verbs;
        Ok(Prepared {
            create: client.prepare_typed(&verbs.create, &create).await?,
            load: client.prepare_typed(&verbs.load, &[BYTES]).await?,
            update: client.prepare_typed(&self.update, &update).await?,
            touch: client.prepare_typed(&verbs.touch, &touch).await?,
            change_all: client.prepare_typed(&self.change_all, &change_all).await?,
            delete: client.prepare_typed(&self.delete, &[BYTES]).await?,
            sweep: client.prepare_typed(&self.sweep, &[NUMBER]).await?,
        })
    }

    pub(super) async fn prepare_index(&self, client: &Client) -> Result<PreparedIndex, Error> {
        let enter = [BYTES, BYTES, NUMBER, BYTES];
        let leave = [BYTES, MANY_BYTES, MANY_NUMBERS];
        let (index, sweep) = (&self.index, &self.sweep_principals);
        Ok(PreparedIndex {
            enter: client.prepare_typed(&self.enter, &enter).await?,
            entries: client
                .prepare_typed(&index.entries, &[BYTES, NUMBER, NUMBER])
                .await?,
            leave: client.prepare_typed(&self.leave, &leave).await?,
            restamp: client
                .prepare_typed(&index.restamp, &[BYTES, BYTES])
                .await?,
            load_all: client.prepare_typed(&self.load_all, &[MANY_BYTES]).await?,
            walk: client.prepare_typed(&index.walk, &[BYTES, NUMBER]).await?,
            count: client.prepare_typed(&index.count, &[]).await?,
            sweep: client.prepare_typed(sweep, &[NUMBER]).await?,
        })
    }
}

/// The statements of the verbs as one connection knows them.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) create: Statement,
    pub(super) load: Statement,
    pub(super) update: Statement,
    pub(super) touch: Statement,
    pub(super) change_all: Statement,
    pub(super) delete: Statement,
    pub(super) sweep: Statement,
}

/// The statements of the index as one connection knows them.
#[derive(Debug)]
pub(super) struct PreparedIndex {
    pub(super) enter: Statement,
    pub(super) entries: Statement,
    pub(super) leave: Statement,
    pub(super) restamp: Statement,
    pub(super) load_all: Statement,
    pub(super) walk: Statement,
    pub(super) count: Statement,
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

/// Updates or touches each record of a list, and returns the handles of those that were. The columns of the list are as an
/// update's parameters; a touch has no version, and no record.
fn change_all(table: &Table) -> String {
    let now = DIALECT.now;
    let stamps = moved(now, "wanted.expires_in", "wanted.slack");
    format!(
        "UPDATE {table} AS kept SET version = COALESCE(wanted.version, kept.version), \
         header = COALESCE(wanted.header, kept.header), payload = COALESCE(wanted.payload, kept.payload), \
         principal = CASE WHEN wanted.version IS NULL THEN kept.principal ELSE wanted.principal END, {stamps} \
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) \
         AS wanted (handle, expected, version, header, payload, principal, expires_in, slack) \
         WHERE kept.handle = wanted.handle AND kept.version = wanted.expected AND expires > {now} \
         RETURNING kept.handle"
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

/// Deletes records by a statement, and with them their entries; returns a row for each record.
///
/// An entry that was committed after the statement began stays. Whoever made it finds no record to bind, and takes it
/// back; or it is swept with its principal.
fn with_entries(delete: &str, table: &Table) -> String {
    let logins = table.of_logins();
    format!(
        "WITH gone AS ({delete} RETURNING handle), \
         entries AS (DELETE FROM {logins} WHERE handle = ANY (ARRAY(SELECT handle FROM gone))) SELECT FROM gone"
    )
}

/// Enters a login, unless another stamp is remembered, and returns its place: also that of one that is entered.
///
/// The principal's row is written first, which waits for whoever has done so and not yet committed, and sees the stamp
/// that he has left. Then the place is counted: so the order of places is that of the commits. What is too old to be
/// remembered is forgotten, and the row is kept for another day.
fn enter(table: &Table) -> String {
    let (now, logins, principals) = (DIALECT.now, table.of_logins(), table.of_principals());
    let is_old = format!("known.sweep_after <= excluded.sweep_after - {REMEMBERED}");
    format!(
        "WITH person AS (INSERT INTO {principals} AS known (principal, sweep_after) VALUES ($1, {now} + {REMEMBERED}) \
         ON CONFLICT (principal) DO UPDATE SET stamp = CASE WHEN {is_old} THEN NULL ELSE known.stamp END, \
         sweep_after = CASE WHEN {is_old} THEN excluded.sweep_after ELSE known.sweep_after END \
         WHERE {is_old} OR (known.stamp = $4) IS NOT FALSE RETURNING known.principal) \
         INSERT INTO {logins} (principal, handle, login) SELECT principal, $2, $3 FROM person \
         ON CONFLICT (handle, login, principal) DO UPDATE SET login = excluded.login RETURNING place"
    )
}

fn leave(logins: &Table) -> String {
    format!(
        "DELETE FROM {logins} AS entered USING unnest($2, $3) AS left_by (handle, login) \
         WHERE entered.handle = left_by.handle AND entered.login = left_by.login AND entered.principal = $1"
    )
}

/// Deletes what is remembered of principals for long enough, and of theirs the entries whose records are gone: of logins
/// that came too late.
fn sweep_principals(table: &Table) -> String {
    let (logins, principals) = (table.of_logins(), table.of_principals());
    let now = format!("(SELECT {})", DIALECT.now);
    let of_due = "principal = ANY (ARRAY(SELECT principal FROM due))";
    format!(
        "WITH due AS (SELECT principal FROM {principals} WHERE sweep_after <= {now} ORDER BY sweep_after LIMIT $1 \
         FOR UPDATE SKIP LOCKED), late AS (DELETE FROM {logins} AS entered WHERE {of_due} AND NOT EXISTS \
         (SELECT FROM {table} AS kept WHERE kept.handle = entered.handle)) DELETE FROM {principals} WHERE {of_due}"
    )
}

const BYTES: Type = Type::BYTEA;
const NUMBER: Type = Type::INT8;
const MANY_BYTES: Type = Type::BYTEA_ARRAY;
const MANY_NUMBERS: Type = Type::INT8_ARRAY;
