//! What an error of PostgreSQL says about the verb it ended.

use tokio_postgres::{
    Error,
    error::{Severity, SqlState},
};

use crate::store::{
    StoreError,
    sql::{SetupError, Table},
};

/// Says what became of a verb whose statement had been handed to a connection.
pub(super) fn verb(error: Error, table: &Table) -> StoreError {
    if !is_rolled_back(&error) {
        return StoreError::unknown(error);
    }
    match error.code() {
        Some(&SqlState::DISK_FULL) => StoreError::full(error),
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
            StoreError::unavailable(read_only().because(error))
        }
        Some(&SqlState::UNDEFINED_TABLE) => {
            StoreError::unavailable(missing_table(&error, table).because(error))
        }
        _ => StoreError::unavailable(error),
    }
}

/// Says why a connection's statements could not be prepared; nothing was carried out.
pub(super) fn preparing(error: Error, table: &Table) -> StoreError {
    match error.code() {
        Some(&SqlState::UNDEFINED_TABLE) => {
            StoreError::unavailable(missing_table(&error, table).because(error))
        }
        Some(
            &SqlState::UNDEFINED_COLUMN
            | &SqlState::UNDEFINED_FUNCTION
            | &SqlState::DATATYPE_MISMATCH,
        ) => {
            let (what, table) = (message(&error).to_owned(), table.named_in(message(&error)));
            StoreError::unavailable(SetupError::layout(&table, &what).because(error))
        }
        _ => StoreError::unavailable(error),
    }
}

/// Tells whether the next statement would fail too: the server has forgotten the statements, the table was changed
/// under them, or the server is no longer the one that takes writes.
pub(super) fn needs_another_connection(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(
            &SqlState::FEATURE_NOT_SUPPORTED
                | &SqlState::INVALID_SQL_STATEMENT_NAME
                | &SqlState::READ_ONLY_SQL_TRANSACTION
        )
    )
}

/// Says what is wrong with a server that does not let itself be set up.
pub(super) fn setup(error: Error) -> SetupError {
    match error.code() {
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => read_only().because(error),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) if message(&error).contains("schema") => {
            SetupError::unreachable(TO_CREATE, error)
        }
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => SetupError::unreachable(RIGHTS, error),
        _ => SetupError::unreachable(MEND, error),
    }
}

pub(super) fn read_only() -> SetupError {
    SetupError::read_only(
        "connect to the primary (`target_session_attrs=read-write` finds it among several hosts), with a user whose \
         `default_transaction_read_only` is off",
    )
}

fn missing_table(error: &Error, table: &Table) -> SetupError {
    SetupError::missing_table(&table.named_in(message(error)))
}

fn message(error: &Error) -> &str {
    error.as_db_error().map_or("", |error| error.message())
}

/// An *error* ends its transaction and says so. Anything graver may have come after the commit, and so may silence.
fn is_rolled_back(error: &Error) -> bool {
    let Some(error) = error.as_db_error() else {
        return false;
    };
    let code = error.code();
    let is_in_doubt =
        code.code().starts_with("08") || *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
    error.parsed_severity() == Some(Severity::Error) && !is_in_doubt
}

const TO_CREATE: &str = "the tables are missing: grant the user CREATE on the schema, or let another one run what `ddl` returns";
pub(super) const RIGHTS: &str = "grant the user SELECT, INSERT, UPDATE and DELETE on the tables";
pub(super) const MEND: &str = "is it running, are the address, the user and the rights as they should be, and is TLS set up on both sides?";
