//! The index of principals in SQLite.
//!
//! Writers take turns, so the places that it counts are an order in which one login finds the other.

use std::collections::HashMap;

use sqlx::{Row as _, sqlite::SqliteRow};

use super::{SqliteStore, loaded, number, statement};
use crate::{
    id::Handle,
    principal::{CredentialStamp, PrincipalId},
    store::{
        Answer, Cursor, Entered, Entry, Loaded, PrincipalIndex, StoreError, Walked,
        sql::{LAST, Text, after, at_most, entry, half_done, handle, in_places, signed, walked},
    },
};

impl PrincipalIndex for SqliteStore {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        let (store, principal, stamp) = (self.clone(), principal.clone(), stamp.copied());
        Answer::later(async move {
            let Some(place) = store.place(&principal, entry, stamp).await? else {
                return Ok(Entered::Refused);
            };
            let earlier = store.entries_before(&principal, place, most).await;
            earlier.map(Entered::After).map_err(half_done)
        })
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        let (store, principal) = (self.clone(), principal.clone());
        Answer::later(async move { store.entries_before(&principal, LAST, usize::MAX).await })
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        let (store, principal, entries) = (self.clone(), principal.clone(), entries.to_vec());
        Answer::later(async move {
            for (text, piece) in store.shared.statements.leave.pieces(&entries) {
                let query = statement(text).bind(bytes(&principal));
                let query = piece.iter().fold(query, |query, entry| {
                    let handle = entry.handle.as_bytes().to_vec();
                    query.bind(handle).bind(signed(entry.login))
                });
                store.write(text, query).await?;
            }
            Ok(())
        })
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        let (store, principal, stamp) = (self.clone(), principal.clone(), *stamp);
        Answer::later(async move {
            let text = &store.shared.statements.index.restamp;
            let query = statement(text).bind(bytes(&principal));
            store
                .write(text, query.bind(stamp.as_bytes().to_vec()))
                .await?;
            let entries = store.entries_before(&principal, LAST, usize::MAX).await;
            entries.map_err(half_done)
        })
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        let (store, handles) = (self.clone(), handles.to_vec());
        Answer::later(async move {
            let mut found = HashMap::with_capacity(handles.len());
            for (text, piece) in store.shared.statements.load_all.pieces(&handles) {
                let query = piece.iter().fold(statement(text), |query, handle| {
                    query.bind(handle.as_bytes().to_vec())
                });
                for row in store.read(query).await? {
                    found.insert(handle_of(&row, 6)?, loaded(&row)?);
                }
            }
            Ok(in_places(&handles, &found))
        })
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        let (store, after, most) = (self.clone(), after(from), most.max(1));
        Answer::later(async move {
            let query = statement(&store.shared.statements.index.walk);
            let rows = store.read(query.bind(after?).bind(at_most(most))).await?;
            let handles = rows.iter().map(|row| handle_of(row, 0));
            Ok(walked(handles.collect::<Result<_, _>>()?, most))
        })
    }

    fn count(&self) -> Answer<Option<u64>> {
        let store = self.clone();
        Answer::later(async move {
            let query = statement(&store.shared.statements.index.count);
            let rows = store.read(query).await?;
            let counted = rows.first().map(|row| number(row, 0)).transpose()?;
            Ok(counted.map(i64::cast_unsigned))
        })
    }
}

impl SqliteStore {
    /// Enters a login, and returns its place if it is not refused.
    async fn place(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<CredentialStamp>,
    ) -> Result<Option<i64>, StoreError> {
        let text = &self.shared.statements.enter;
        let query = statement(text)
            .bind(bytes(principal))
            .bind(entry.handle.as_bytes().to_vec())
            .bind(signed(entry.login))
            .bind(stamp.map(|stamp| stamp.as_bytes().to_vec()));
        let written = self.write(text, query).await?;
        written.first.map(|row| number(&row, 0)).transpose()
    }

    async fn entries_before(
        &self,
        principal: &PrincipalId,
        place: i64,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let query = statement(&self.shared.statements.index.entries);
        let query = query.bind(bytes(principal)).bind(place).bind(at_most(most));
        let rows = self.read(query).await?;
        // A column holds what is put into it, of whatever type.
        let entries = rows
            .iter()
            .filter_map(|row| Some((row, row.try_get(0).ok()?)));
        let entries = entries.map(|(row, handle)| entry(handle, number(row, 1)?));
        entries.collect()
    }

    /// Removes what is remembered of principals for long enough, and returns of how many.
    pub(super) async fn sweep_principals(&self, most: usize) -> Result<usize, StoreError> {
        let statements = &self.shared.statements;
        self.write_some(&statements.sweep_logins, most).await?;
        self.write_some(&statements.sweep_principals, most).await
    }

    /// Carries out a statement that changes so many rows at most, and returns how many it has.
    pub(super) async fn write_some(&self, text: &Text, most: usize) -> Result<usize, StoreError> {
        let query = statement(text).bind(at_most(most));
        Ok(self.write(text, query).await?.rows as usize)
    }
}

fn bytes(principal: &PrincipalId) -> Vec<u8> {
    principal.as_str().as_bytes().to_vec()
}

fn handle_of(row: &SqliteRow, column: usize) -> Result<Handle, StoreError> {
    handle(row.try_get(column).map_err(StoreError::corrupt)?)
}
