//! What is asked of many sessions of one server.

use std::fmt;

use ::redis::{Value, from_redis_value};

use super::{
    connection::{Connection, Said, millis, with_time},
    failure,
    keys::{Key, Keys},
    resp::Command,
};
use crate::{
    id::Handle,
    store::{Cursor, StoreError, Walked},
};

/// Loads records in one trip, and answers for each as a load does: what is there and the time, or nothing.
pub(super) async fn load_all(
    connection: &Connection,
    keys: impl IntoIterator<Item = &Key>,
) -> Result<Vec<Said>, StoreError> {
    let records = keys
        .into_iter()
        .map(|key| Command::new("GET").arg(&key.name));
    let questions: Vec<_> = records.chain([Command::new("TIME")]).collect();
    let mut answers = connection.ask_all(&questions).await?;
    let now = millis(answers.pop().unwrap_or(Ok(Value::Nil)))?;
    let timed = |said: Said| {
        said.map(|value| match value {
            Value::Nil => Value::Nil,
            kept => with_time(kept, now),
        })
    };
    Ok(answers.into_iter().map(timed).collect())
}

/// A place among the keys of one server.
///
/// A number that a server gives means something to that process alone, so it comes with the connection over which it
/// was given: over another one it is begun anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    connection: u64,
    scanned: u64,
}

impl Page {
    /// Reads a place.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (connection, scanned) = text.split_once('.')?;
        Some(Self {
            connection: u64::from_str_radix(connection, 16).ok()?,
            scanned: scanned.parse().ok()?,
        })
    }

    /// Returns the place to go on from over a connection.
    pub(super) fn over(self, connection: &Connection) -> Self {
        match self.connection == connection.number() {
            true => self,
            false => Self {
                connection: connection.number(),
                scanned: 0,
            },
        }
    }

    /// Returns the command that finds some keys from here.
    pub(super) fn question(self, keys: &Keys, most: usize) -> Command {
        let scan = Command::new("SCAN").number(self.scanned);
        let of_sessions = scan.arg("MATCH").arg(keys.of_sessions());
        of_sessions.arg("COUNT").number(most.clamp(1, MOST_AT_ONCE))
    }

    /// Reads what was found, and the next place, if there is one.
    pub(super) fn read(
        self,
        keys: &Keys,
        said: Said,
    ) -> Result<(Vec<Handle>, Option<Self>), StoreError> {
        let value = said.map_err(failure::refused)?;
        let (scanned, found): (u64, Vec<Vec<u8>>) =
            from_redis_value(value).map_err(StoreError::unknown)?;
        let handles = found.iter().filter_map(|name| keys.handle(name)).collect();
        let next = Self { scanned, ..self };
        Ok((handles, (scanned > 0).then_some(next)))
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.connection, self.scanned)
    }
}

/// Goes through the keys of the only server.
pub(super) async fn walk(
    connection: &Connection,
    keys: &Keys,
    from: Option<&Cursor>,
    most: usize,
) -> Result<Walked, StoreError> {
    let page = from.map_or(Ok(Page::default()), |cursor| {
        Page::parse(cursor.as_str()).ok_or_else(no_place)
    })?;
    let page = page.over(connection);
    let questions = [page.question(keys, most)];
    let mut answers = connection.ask_all(&questions).await?;
    let (handles, next) = page.read(keys, answers.pop().unwrap_or(Ok(Value::Nil)))?;
    Ok(Walked::new(
        handles,
        next.map(|page| Cursor::new(page.to_string())),
    ))
}

pub(super) fn no_place() -> StoreError {
    StoreError::unavailable("this is no place of a walk through this store")
}

/// So that nobody waits for long behind a step.
const MOST_AT_ONCE: usize = 5_000;
