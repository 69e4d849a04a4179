//! What an error of SQLite says about the verb it ended.

use sqlx::Error;
use tokio::time::error::Elapsed;

use crate::store::{
    StoreError,
    sql::{SetupError, Table},
};

/// Says what became of a verb whose statement had been handed to a connection.
pub(super) fn verb(error: Error, table: &Table) -> StoreError {
    match error {
        Error::Database(_) if is_missing_table(&error) => {
            let table = table.named_in(&error.to_string());
            StoreError::unavailable(SetupError::missing_table(&table).because(error))
        }
        Error::Database(_) => match code(&error) {
            _ if is_unknown(&error) => StoreError::unknown(error),
            Some(FULL) => StoreError::full(error),
            Some(READ_ONLY) => StoreError::unavailable(read_only().because(error)),
            _ => StoreError::unavailable(error),
        },
        Error::ColumnDecode { .. }
        | Error::ColumnIndexOutOfBounds { .. }
        | Error::ColumnNotFound(_)
        | Error::Decode(_) => StoreError::corrupt(error),
        Error::Encode(_) | Error::PoolClosed | Error::PoolTimedOut => {
            StoreError::unavailable(error)
        }
        error => StoreError::unknown(error),
    }
}

/// Says what is wrong with a database that does not open, or does not let itself be set up.
pub(super) fn setup(error: Error) -> SetupError {
    match code(&error) {
        Some(READ_ONLY) => read_only().because(error),
        _ => SetupError::unreachable(MEND, error),
    }
}

/// Says that somebody held the lock of the file for too long.
pub(super) fn locked(elapsed: Elapsed) -> SetupError {
    SetupError::unreachable(MEND, elapsed)
}

pub(super) fn is_missing_table(error: &Error) -> bool {
    // There is no code for it: it is any error in the text of a statement.
    let error = error.as_database_error();
    error.is_some_and(|error| error.message().starts_with("no such table"))
}

pub(super) fn is_busy(error: &Error) -> bool {
    code(error) == Some(BUSY)
}

/// Says whether a transaction may have been committed although its commit failed.
pub(super) fn is_unknown(error: &Error) -> bool {
    // The commit was written but not synced: after a crash it may be there.
    matches!(code(error), Some(IO_ERROR) | None)
}

fn read_only() -> SetupError {
    SetupError::read_only(
        "open the file for writing: no `mode=ro`, and this user may write to it and its folder",
    )
}

/// Returns the primary result code.
fn code(error: &Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

const MEND: &str =
    "does the file's folder exist, may this user write to it, and does nobody hold its lock?";
const BUSY: u32 = 5;
const READ_ONLY: u32 = 8;
const IO_ERROR: u32 = 10;
const FULL: u32 = 13;
