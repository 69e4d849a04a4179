//! The index of principals in MariaDB and MySQL.

use std::collections::HashMap;

use sqlx::{Error, Executor as _, Row as _, mysql::MySqlRow};

use super::{
    MySqlStore, Shared,
    connection::{Connection, loaded},
    ready::{
        Parameter::{self, Bytes, List, Number},
        Ready, query,
    },
    statements::{hex, list},
};
use crate::{
    id::Handle,
    principal::{CredentialStamp, PrincipalId},
    store::{
        Answer, Cursor, Entered, Entry, Loaded, PrincipalIndex, StoreError, Walked,
        sql::{
            LAST, Text, after, at_most, entry, half_done, in_order, in_places, signed, stand_in,
            walked,
        },
    },
};

/// Logins of a principal take turns within a process: who waits for his row holds no connection.
impl PrincipalIndex for MySqlStore {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        let (principal, stamp) = (principal.clone(), stamp.copied());
        let turn = stand_in(&principal);
        self.change(turn, move |store, mut connection| async move {
            connection
                .enter(&store.0, &principal, entry, stamp, most)
                .await
        })
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        let principal = principal.clone();
        self.read(move |store, mut connection| {
            let principal = principal.clone();
            async move {
                let entries = connection
                    .entries_before(&store.0, &principal, LAST, usize::MAX)
                    .await;
                (entries, connection)
            }
        })
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        let (principal, entries) = (principal.clone(), in_order(entries));
        self.ask(move |store, mut connection| async move {
            connection.leave(&store.0, &principal, &entries).await
        })
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        let (principal, stamp) = (principal.clone(), *stamp);
        let turn = stand_in(&principal);
        self.change(turn, move |store, mut connection| async move {
            connection.restamp(&store.0, &principal, stamp).await
        })
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        let handles = handles.to_vec();
        self.read(move |store, mut connection| {
            let handles = handles.clone();
            async move {
                let found = connection.load_all(&store.0, &handles).await;
                (found, connection)
            }
        })
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        let after = match after(from) {
            Ok(after) => after,
            Err(error) => return Answer::ready(Err(error)),
        };
        let most = most.max(1);
        self.read(move |store, mut connection| {
            let after = after.clone();
            async move {
                let walked = connection.walk(&store.0, &after, most).await;
                (walked, connection)
            }
        })
    }

    fn count(&self) -> Answer<Option<u64>> {
        self.read(move |store, mut connection| async move {
            let counted = connection.count(&store.0).await;
            (counted, connection)
        })
    }
}

impl Connection {
    async fn enter(
        &mut self,
        store: &Shared,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<CredentialStamp>,
        most: usize,
    ) -> Result<Entered, StoreError> {
        let statements = &store.statements.index;
        let stamp = stamp.as_ref().map(|stamp| &stamp.as_bytes()[..]);
        let lock = statements.lock.with(&[of(principal), Bytes(stamp)])?;
        let insert = statements.insert.with(&[
            of(principal),
            Bytes(Some(entry.handle.as_bytes())),
            Number(signed(entry.login)),
        ])?;
        let place = self.together(store, async |connection| {
            match connection.execute(lock).await?.last_insert_id() {
                0 => Ok(None),
                _ => Ok(Some(connection.execute(insert).await?.last_insert_id())),
            }
        });
        let Some(place) = place.await? else {
            return Ok(Entered::Refused);
        };
        let earlier = self.entries_before(store, principal, place.cast_signed(), most);
        earlier.await.map(Entered::After).map_err(half_done)
    }

    async fn entries_before(
        &mut self,
        store: &Shared,
        principal: &PrincipalId,
        place: i64,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let statement = &store.statements.index.entries;
        let query = statement.with(&[of(principal), Number(place), Number(at_most(most))])?;
        let rows = self.rows(store, query).await?;
        let entries = rows.iter().map(|row| {
            let handle = row.try_get(0).map_err(StoreError::corrupt)?;
            entry(handle, row.try_get(1).map_err(StoreError::corrupt)?)
        });
        entries.collect()
    }

    async fn leave(
        &mut self,
        store: &Shared,
        principal: &PrincipalId,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        let pair = |entry: &Entry| {
            let (handle, login) = (hex(entry.handle.as_bytes()), signed(entry.login));
            format!("[{handle},\"{login}\"]")
        };
        for some in entries.chunks(AT_ONCE) {
            let parameters = [List(&list(some, pair)), of(principal)];
            let query = query(&store.statements.index.leave, parameters.into_iter());
            let query = query.map_err(StoreError::unavailable)?;
            self.carry_out(store, query).await?;
        }
        Ok(())
    }

    async fn restamp(
        &mut self,
        store: &Shared,
        principal: &PrincipalId,
        stamp: CredentialStamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let parameters = [of(principal), Bytes(Some(stamp.as_bytes()))];
        let statement = &store.statements.index.restamp;
        self.execute(store, statement, &parameters).await?;
        let entries = self
            .entries_before(store, principal, LAST, usize::MAX)
            .await;
        entries.map_err(half_done)
    }

    async fn load_all(
        &mut self,
        store: &Shared,
        handles: &[Handle],
    ) -> Result<Vec<Option<Loaded>>, StoreError> {
        let mut found = HashMap::with_capacity(handles.len());
        for some in handles.chunks(AT_ONCE) {
            let query = listed(&store.statements.index.load_all, some);
            let query = query.map_err(StoreError::unavailable)?;
            for row in self.rows(store, query).await? {
                let handle = handle(&row, 1).map_err(StoreError::corrupt)?;
                if let Some(loaded) = loaded(&row)? {
                    found.insert(handle, loaded);
                }
            }
        }
        Ok(in_places(handles, &found))
    }

    async fn walk(
        &mut self,
        store: &Shared,
        after: &[u8],
        most: usize,
    ) -> Result<Walked, StoreError> {
        let parameters = [Bytes(Some(after)), Number(at_most(most))];
        let query = store.statements.index.walk.with(&parameters)?;
        let rows = self.rows(store, query).await?;
        let handles = handles(&rows).map_err(StoreError::corrupt)?;
        Ok(walked(handles, most))
    }

    async fn count(&mut self, store: &Shared) -> Result<Option<u64>, StoreError> {
        let query = store.statements.index.count.with(&[])?;
        let rows = self.rows(store, query).await?;
        let counted = rows.first().map(|row| row.try_get::<i64, _>(0)).transpose();
        Ok(counted
            .map_err(StoreError::corrupt)?
            .map(i64::cast_unsigned))
    }
}

/// Makes a query about a list of handles.
pub(super) fn listed(text: &Text, handles: &[Handle]) -> Result<Ready, Error> {
    let handles = list(handles, |handle| hex(handle.as_bytes()));
    query(text, [List(&handles)].into_iter())
}

/// Reads the handles of rows that have nothing else.
pub(super) fn handles(rows: &[MySqlRow]) -> Result<Vec<Handle>, Error> {
    rows.iter().map(|row| handle(row, 0)).collect()
}

pub(super) fn handle(row: &MySqlRow, column: usize) -> Result<Handle, Error> {
    let bytes: &[u8] = row.try_get(column)?;
    let bytes = bytes
        .try_into()
        .map_err(|error| Error::Decode(Box::new(error)))?;
    Ok(Handle::from_bytes(bytes))
}

fn of(principal: &PrincipalId) -> Parameter<'_> {
    Bytes(Some(principal.as_str().as_bytes()))
}

/// How long a list may be: a page of sessions.
const AT_ONCE: usize = 500;
