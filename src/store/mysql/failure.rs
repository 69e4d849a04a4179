//! What an error of MariaDB or MySQL says about the verb it ended.

use sqlx::{Error, mysql::MySqlDatabaseError};
use tokio::time::error::Elapsed;

use crate::store::{
    StoreError,
    sql::{SetupError, Table},
};

/// Says what became of a verb whose statement had been handed to a connection.
pub(super) fn verb(error: Error, table: &Table) -> StoreError {
    match (number(&error), &error) {
        (Some(NO_SUCH_TABLE), _) => {
            let table = table.named_in(&error.to_string());
            StoreError::unavailable(SetupError::missing_table(&table).because(error))
        }
        (Some(UNKNOWN_COLUMN | NO_DEFAULT), _) => {
            let what = error.to_string();
            let table = table.named_in(&what);
            StoreError::unavailable(SetupError::layout(&table, &what).because(error))
        }
        (Some(TABLE_FULL | DISK_FULL), _) => StoreError::full(error),
        (Some(number), _) if is_read_only(number) => {
            StoreError::unavailable(read_only().because(error))
        }
        (Some(STATEMENTS_ARE_LOGGED), _) => {
            StoreError::unavailable(statements_are_logged().because(error))
        }
        // It ended the statement, and with it the transaction.
        (Some(number), _) if !is_in_doubt(number) => StoreError::unavailable(error),
        (
            None,
            Error::ColumnDecode { .. }
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::ColumnNotFound(_)
            | Error::Decode(_),
        ) => StoreError::corrupt(error),
        (None, Error::Encode(_)) => StoreError::unavailable(error),
        _ => StoreError::unknown(error),
    }
}

/// Whom an error concerns, besides its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concerns {
    /// All connections of its time: this one is gone, or the server is no longer the one that takes writes.
    All,
    Nobody,
    /// Its connection, over which the next statement may fail too.
    This,
}

pub(super) fn concerns(error: &Error) -> Concerns {
    match (number(error), error) {
        (Some(TOOK_TOO_LONG | TOOK_TOO_LONG_ON_MYSQL), _) => Concerns::Nobody,
        (Some(number), _) if is_read_only(number) || number == SHUTDOWN => Concerns::All,
        (Some(number), _) if is_in_doubt(number) || number == TOO_LARGE => Concerns::This,
        (None, Error::ColumnDecode { .. } | Error::Decode(_) | Error::Encode(_)) | (Some(_), _) => {
            Concerns::Nobody
        }
        (None, _) => Concerns::All,
    }
}

/// Says what is wrong with a server that does not let itself be set up.
pub(super) fn setup(error: Error) -> SetupError {
    let mend = match number(&error) {
        Some(number) if is_read_only(number) => return read_only().because(error),
        Some(STATEMENTS_ARE_LOGGED) => return statements_are_logged().because(error),
        Some(ACCESS_DENIED | ACCESS_DENIED_WITHOUT_PASSWORD) => {
            "it knows no such user from this host, or the password is another"
        }
        Some(DATABASE_DENIED) => "there is no such database, or the user has no rights in it",
        Some(TABLE_DENIED) if error.to_string().contains("CREATE command") => {
            "the tables are missing: grant the user CREATE, or let another one run what `ddl` returns"
        }
        Some(TABLE_DENIED | COLUMN_DENIED) => {
            "grant the user SELECT, INSERT, UPDATE and DELETE on the tables"
        }
        Some(NO_SUCH_DATABASE) => "there is no such database: create it, or correct the URL",
        Some(TOO_MANY_CONNECTIONS | TOO_MANY_OF_THIS_USER | LIMIT_OF_THIS_USER) => {
            "it has no connection left: raise `max_connections`, or lower `with_connections`"
        }
        _ => MEND,
    };
    SetupError::unreachable(mend, error)
}

/// Says that a server does not answer.
pub(super) fn silent(elapsed: Elapsed) -> SetupError {
    SetupError::unreachable(MEND, elapsed)
}

fn read_only() -> SetupError {
    SetupError::read_only(
        "connect to the primary, whose `read_only` and `transaction_read_only` are off",
    )
}

fn statements_are_logged() -> SetupError {
    SetupError::read_only(
        "set its `binlog_format` to ROW or MIXED: a clock cannot be replicated by statements",
    )
}

fn number(error: &Error) -> Option<u16> {
    let error = error.as_database_error()?;
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

const fn is_read_only(number: u16) -> bool {
    matches!(
        number,
        OPTION_PREVENTS | READ_ONLY_TRANSACTION | READ_ONLY_MODE
    )
}

/// Tells whether an error may have come after the commit, or instead of its answer.
const fn is_in_doubt(number: u16) -> bool {
    matches!(
        number,
        COMMIT_FAILED | DISK_ERROR | IDLE_FOR_TOO_LONG | INTERRUPTED | KILLED | NETWORK_FIRST
            ..=NETWORK_LAST | ROLLBACK_FAILED | SHUTDOWN | TOOK_TOO_LONG | TOOK_TOO_LONG_ON_MYSQL
    )
}

const MEND: &str = "is it running, are the address, the user and the rights as they should be, and is TLS set up on both \
     sides (here by a feature of sqlx, such as `tls-rustls`)?";

const DISK_FULL: u16 = 1021;
const DISK_ERROR: u16 = 1026;
const TOO_MANY_CONNECTIONS: u16 = 1040;
const DATABASE_DENIED: u16 = 1044;
const ACCESS_DENIED: u16 = 1045;
const NO_SUCH_DATABASE: u16 = 1049;
const SHUTDOWN: u16 = 1053;
const UNKNOWN_COLUMN: u16 = 1054;
const TABLE_FULL: u16 = 1114;
const TABLE_DENIED: u16 = 1142;
const COLUMN_DENIED: u16 = 1143;
const NO_SUCH_TABLE: u16 = 1146;
const TOO_LARGE: u16 = 1153;
const NETWORK_FIRST: u16 = 1154;
const NETWORK_LAST: u16 = 1161;
const COMMIT_FAILED: u16 = 1180;
const ROLLBACK_FAILED: u16 = 1181;
const TOO_MANY_OF_THIS_USER: u16 = 1203;
const LIMIT_OF_THIS_USER: u16 = 1226;
const OPTION_PREVENTS: u16 = 1290;
const INTERRUPTED: u16 = 1317;
const NO_DEFAULT: u16 = 1364;
const STATEMENTS_ARE_LOGGED: u16 = 1665;
const ACCESS_DENIED_WITHOUT_PASSWORD: u16 = 1698;
const READ_ONLY_TRANSACTION: u16 = 1792;
const READ_ONLY_MODE: u16 = 1836;
/// MariaDB's alone.
const KILLED: u16 = 1927;
/// MariaDB's alone, by `max_statement_time`.
const TOOK_TOO_LONG: u16 = 1969;
/// MySQL's alone, by `max_execution_time`.
const TOOK_TOO_LONG_ON_MYSQL: u16 = 3024;
/// MySQL's alone.
const IDLE_FOR_TOO_LONG: u16 = 4031;
