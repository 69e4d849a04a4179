//! Removing what has expired, and what the index need not remember.

use sqlx::{Executor as _, Row as _, mysql::MySqlRow};

use super::{
    Shared,
    connection::Connection,
    index::{handles, listed},
    ready::{
        Parameter::{List, Number},
        query,
    },
    statements::{hex, list},
};
use crate::store::{
    StoreError,
    sql::{at_most, half_done},
};

impl Connection {
    pub(super) async fn sweep(&mut self, store: &Shared, most: usize) -> Result<usize, StoreError> {
        let records = self.sweep_records(store, most).await?;
        if records == most {
            return Ok(records);
        }
        let principals = self.sweep_principals(store, most - records).await;
        Ok(records + principals.map_err(half_done)?)
    }

    /// Deletes records and their entries, these in the order in which all remove them. A statement that deletes both would not say how many of them were records.
    async fn sweep_records(&mut self, store: &Shared, most: usize) -> Result<usize, StoreError> {
        let statements = &store.statements;
        let due = statements.due.with(&[Number(at_most(most))])?;
        let sweeping = self.together(store, async |connection| {
            let mut due = handles(&connection.fetch_all(due).await?)?;
            due.sort_unstable();
            if due.is_empty() {
                return Ok(0);
            }
            for text in [&statements.delete_records, &statements.index.delete_entries] {
                connection.execute(listed(text, &due)?).await?;
            }
            Ok(due.len())
        });
        sweeping.await
    }

    /// Forgets principals of whom nothing need be remembered, and before that removes entries of theirs that came after
    /// their records had gone. Who logs in meanwhile is no longer due.
    async fn sweep_principals(&mut self, store: &Shared, most: usize) -> Result<usize, StoreError> {
        let statements = &store.statements.index;
        let due = statements.due.with(&[Number(at_most(most))])?;
        let due = principals(&self.rows(store, due).await?)?;
        if due == NONE {
            return Ok(0);
        }
        let late =
            query(&statements.late, [List(&due)].into_iter()).map_err(StoreError::unavailable)?;
        let late = self.rows(store, late).await?;
        let mut late = handles(&late).map_err(StoreError::corrupt)?;
        late.sort_unstable();
        let entries = listed(&statements.delete_entries, &late);
        self.carry_out(store, entries.map_err(StoreError::unavailable)?)
            .await?;
        let forget = query(&statements.delete_principals, [List(&due)].into_iter());
        let forgotten = self.carry_out(store, forget.map_err(StoreError::unavailable)?);
        Ok(forgotten.await?.rows_affected() as usize)
    }
}

/// Makes a list of the principals of rows that have nothing else.
fn principals(rows: &[MySqlRow]) -> Result<String, StoreError> {
    let principals: Result<Vec<&[u8]>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    let principals = principals.map_err(StoreError::corrupt)?;
    Ok(list(&principals, |principal| hex(principal)))
}

const NONE: &str = "[]";
