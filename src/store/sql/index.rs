//! The statements of the index of principals, for every engine, and what their answers mean.
//!
//! A login has its place from the engine, which counts: the later of two logins of one principal has the higher one,
//! because a row of his is locked before it is counted and until it is committed.

use std::collections::HashMap;

#[cfg(any(feature = "mysql", feature = "postgres"))]
use sha2::{Digest as _, Sha256};

use super::{
    Table, Text,
    statements::{Dialect, Taking},
};
#[cfg(any(feature = "mysql", feature = "postgres"))]
use crate::principal::PrincipalId;
use crate::{
    id::Handle,
    store::{Cursor, Entry, Loaded, StoreError, StoreErrorKind, Version, Walked},
};

/// The statements that the engines share. Their parameters are, in this order:
///
/// * entries: principal, the place before which they were entered, how many at most
/// * restamp: principal, stamp
/// * walk: the handle after which to go on, how many at most
#[derive(Clone, Debug)]
pub(crate) struct IndexStatements {
    pub(crate) entries: Text,
    pub(crate) restamp: Text,
    pub(crate) walk: Text,
    /// Without parameters.
    pub(crate) count: Text,
}

impl IndexStatements {
    pub(crate) fn new(dialect: &Dialect, table: &Table) -> Self {
        let (now, logins) = (dialect.now, table.of_logins());
        // What somebody else has put there keeps nobody from being found, and ended.
        let is_handle = format!("length(handle) = {}", Handle::LEN);
        Self {
            entries: format!(
                "SELECT handle, login FROM {logins} WHERE principal = $1 AND place < $2 AND {is_handle} \
                 ORDER BY place LIMIT $3"
            )
            .into(),
            restamp: restamp(dialect, &table.of_principals()).into(),
            walk: format!(
                "SELECT handle FROM {table} WHERE handle > $1 AND expires > {now} AND {is_handle} ORDER BY handle LIMIT $2"
            )
            .into(),
            count: format!("SELECT count(*) FROM {table} WHERE expires > {now}").into(),
        }
    }
}

/// Remembers a stamp from now on. Who logs in meanwhile has his row locked: he comes before or after.
fn restamp(dialect: &Dialect, principals: &Table) -> String {
    let now = dialect.now;
    let taking = match dialect.taking {
        Taking::OnConflict => {
            "ON CONFLICT (principal) DO UPDATE SET stamp = excluded.stamp, sweep_after = excluded.sweep_after"
        }
        Taking::OnDuplicateKey => {
            "ON DUPLICATE KEY UPDATE stamp = VALUES(stamp), sweep_after = VALUES(sweep_after)"
        }
    };
    format!(
        "INSERT INTO {principals} (principal, stamp, sweep_after) VALUES ($1, $2, {now} + {REMEMBERED}) {taking}"
    )
}

/// Reads the records of a list, each with its handle after the columns of a [`Row`](super::Row).
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn load_all(now: &str, from: &str, listed: &str) -> String {
    format!(
        "SELECT version, header, payload, created, last_seen, {now}, handle FROM {from} \
         WHERE {listed} AND expires > {now}"
    )
}

/// Puts records in the places of their handles.
pub(crate) fn in_places(
    handles: &[Handle],
    found: &HashMap<Handle, Loaded>,
) -> Vec<Option<Loaded>> {
    let loaded = handles.iter().map(|handle| found.get(handle).cloned());
    loaded.collect()
}

/// Returns a handle for a principal, where connections and turns are shared out by handles.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn stand_in(principal: &PrincipalId) -> Handle {
    let digest: [u8; 32] = Sha256::digest(principal.as_str()).into();
    let mut bytes = [0; Handle::LEN];
    bytes.copy_from_slice(&digest[..Handle::LEN]);
    Handle::from_bytes(bytes)
}

/// Puts entries in the order in which all remove them: two that remove the same do not wait for each other.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn in_order(entries: &[Entry]) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    entries.sort_unstable_by_key(|entry| (entry.handle, super::signed(entry.login)));
    entries
}

/// Makes an entry of a row of [`IndexStatements::entries`].
pub(crate) fn entry(handle: &[u8], login: i64) -> Result<Entry, StoreError> {
    let login = Version::from_u64(login.cast_unsigned());
    Ok(Entry::new(self::handle(handle)?, login))
}

pub(crate) fn handle(bytes: &[u8]) -> Result<Handle, StoreError> {
    let bytes = bytes.try_into().map_err(StoreError::corrupt)?;
    Ok(Handle::from_bytes(bytes))
}

/// Returns the handle after which a walk goes on: that of none before the first.
pub(crate) fn after(from: Option<&Cursor>) -> Result<Vec<u8>, StoreError> {
    let Some(from) = from else {
        return Ok(Vec::new());
    };
    let last: Handle = from.as_str().parse().map_err(StoreError::unavailable)?;
    Ok(last.as_bytes().to_vec())
}

/// Makes a step of the handles that were found; of as many as were asked for the last is where to go on.
pub(crate) fn walked(handles: Vec<Handle>, most: usize) -> Walked {
    let next = handles.last().filter(|_| handles.len() >= most);
    let next = next.map(|last| Cursor::new(last.to_string()));
    Walked::new(handles, next)
}

/// Says what is known of a verb whose first statement was carried out when the next one fails.
pub(crate) fn half_done(error: StoreError) -> StoreError {
    match error.kind() {
        StoreErrorKind::Unavailable => StoreError::unknown(error),
        _ => error,
    }
}

/// Milliseconds for which a stamp is remembered, and a row that locks a principal kept: longer than any login takes.
pub(crate) const REMEMBERED: i64 = 24 * 3_600_000;
/// A place that comes after all.
pub(crate) const LAST: i64 = i64::MAX;
