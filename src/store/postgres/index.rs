//! The index of principals in PostgreSQL.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::{
    PostgresStore,
    connection::{Connection, Parameter, get, loaded},
    links::Way,
};
use crate::{
    id::Handle,
    principal::{CredentialStamp, PrincipalId},
    store::{
        Answer, Cursor, Entered, Entry, Loaded, PrincipalIndex, StoreError, Walked,
        sql::{
            LAST, after, at_most, entry, half_done, handle, in_order, in_places, signed, stand_in,
            walked,
        },
    },
};

/// Writes go over connections of the principal, so that those who wait for his row hold up no others.
impl PrincipalIndex for PostgresStore {
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered> {
        let (principal, stamp) = (principal.clone(), stamp.copied());
        let stand_in = stand_in(&principal);
        self.ask(Way::Writing, stand_in, move |connection| async move {
            connection.enter(&principal, entry, stamp, most).await
        })
    }

    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>> {
        let principal = principal.clone();
        let stand_in = stand_in(&principal);
        self.ask(Way::Reading, stand_in, move |connection| async move {
            connection
                .entries_before(&principal, LAST, usize::MAX)
                .await
        })
    }

    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()> {
        let (principal, entries) = (principal.clone(), in_order(entries));
        let stand_in = stand_in(&principal);
        self.ask(Way::Writing, stand_in, move |connection| async move {
            connection.leave(&principal, &entries).await
        })
    }

    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>> {
        let (principal, stamp) = (principal.clone(), *stamp);
        let stand_in = stand_in(&principal);
        self.ask(Way::Writing, stand_in, move |connection| async move {
            connection.restamp(&principal, stamp).await
        })
    }

    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>> {
        let Some(first) = handles.first().copied() else {
            return Answer::ready(Ok(Vec::new()));
        };
        let handles = handles.to_vec();
        self.ask(Way::Reading, first, move |connection| async move {
            connection.load_all(&handles).await
        })
    }

    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked> {
        let (after, most) = (after(from), most.max(1));
        // Any connection will do.
        let any = Handle::from_bytes([0; Handle::LEN]);
        self.ask(Way::Reading, any, move |connection| async move {
            connection.walk(&after?, most).await
        })
    }

    fn count(&self) -> Answer<Option<u64>> {
        let any = Handle::from_bytes([0; Handle::LEN]);
        self.ask(Way::Reading, any, move |connection| async move {
            connection.count().await
        })
    }
}

impl Connection {
    async fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<CredentialStamp>,
        most: usize,
    ) -> Result<Entered, StoreError> {
        let parameters: [Parameter<'_>; 4] = [
            &bytes(principal),
            &&entry.handle.as_bytes()[..],
            &signed(entry.login),
            &stamp.as_ref().map(|stamp| &stamp.as_bytes()[..]),
        ];
        let statement = &self.prepared_index().await?.enter;
        let Some(row) = self.row(statement, &parameters).await? else {
            return Ok(Entered::Refused);
        };
        // In a statement of its own: one that has waited for a lock sees what was there before.
        let earlier = self.entries_before(principal, get(&row, 0)?, most).await;
        earlier.map(Entered::After).map_err(half_done)
    }

    async fn entries_before(
        &self,
        principal: &PrincipalId,
        place: i64,
        most: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let statement = &self.prepared_index().await?.entries;
        let rows = self
            .rows(statement, &[&bytes(principal), &place, &at_most(most)])
            .await?;
        let entries = rows.iter().map(|row| entry(get(row, 0)?, get(row, 1)?));
        entries.collect()
    }

    async fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Result<(), StoreError> {
        let handles = entries.iter().map(|entry| &entry.handle.as_bytes()[..]);
        let logins = entries.iter().map(|entry| signed(entry.login));
        let parameters: [Parameter<'_>; 3] = [
            &bytes(principal),
            &handles.collect::<Vec<_>>(),
            &logins.collect::<Vec<_>>(),
        ];
        let statement = &self.prepared_index().await?.leave;
        self.execute(statement, &parameters).await.map(drop)
    }

    async fn restamp(
        &self,
        principal: &PrincipalId,
        stamp: CredentialStamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let statement = &self.prepared_index().await?.restamp;
        let parameters: [Parameter<'_>; 2] = [&bytes(principal), &&stamp.as_bytes()[..]];
        self.execute(statement, &parameters).await?;
        let entries = self.entries_before(principal, LAST, usize::MAX).await;
        entries.map_err(half_done)
    }

    async fn load_all(&self, handles: &[Handle]) -> Result<Vec<Option<Loaded>>, StoreError> {
        let listed: Vec<_> = handles
            .iter()
            .map(|handle| &handle.as_bytes()[..])
            .collect();
        let statement = &self.prepared_index().await?.load_all;
        let mut found = HashMap::with_capacity(handles.len());
        for row in self.rows(statement, &[&listed]).await? {
            found.insert(handle_of(&row, 6)?, loaded(&row)?);
        }
        Ok(in_places(handles, &found))
    }

    async fn walk(&self, after: &[u8], most: usize) -> Result<Walked, StoreError> {
        let statement = &self.prepared_index().await?.walk;
        let rows = self.rows(statement, &[&after, &at_most(most)]).await?;
        let handles = rows.iter().map(|row| handle_of(row, 0));
        Ok(walked(handles.collect::<Result<_, _>>()?, most))
    }

    async fn count(&self) -> Result<Option<u64>, StoreError> {
        let statement = &self.prepared_index().await?.count;
        let rows = self.rows(statement, &[]).await?;
        let counted: Option<i64> = rows.first().map(|row| get(row, 0)).transpose()?;
        Ok(counted.map(i64::cast_unsigned))
    }

    /// Removes what is remembered of principals for long enough, and returns of how many.
    pub(super) async fn sweep_principals(&self, most: usize) -> Result<usize, StoreError> {
        let statement = &self.prepared_index().await?.sweep;
        Ok(self.execute(statement, &[&at_most(most)]).await? as usize)
    }
}

fn bytes(principal: &PrincipalId) -> &[u8] {
    principal.as_str().as_bytes()
}

fn handle_of(row: &Row, column: usize) -> Result<Handle, StoreError> {
    handle(get(row, column)?)
}
