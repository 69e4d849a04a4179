//! What an error says about the verb it ended.

use std::{error::Error, io};

use ::redis::{RedisError, ServerError};

use crate::store::{SetupError, StoreError};

/// What the server says has become of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is something else than a record.
    Corrupt,
    /// There is no room.
    Full,
    /// The server takes no writes: it is no primary, or no longer.
    ReadOnly,
    /// It was not carried out.
    Unavailable,
    /// Nobody knows.
    Unknown,
}

/// Says what became of a command that the server has refused.
pub(super) fn refused(error: ServerError) -> StoreError {
    match refusal(&error) {
        Refusal::Corrupt => StoreError::corrupt(error),
        Refusal::Full => StoreError::full(error),
        Refusal::ReadOnly => StoreError::unavailable(read_only().because(error)),
        Refusal::Unavailable => StoreError::unavailable(error),
        Refusal::Unknown => StoreError::unknown(error),
    }
}

/// Reads an error of the server. What is not known to be a refusal may be a proxy's word for a lost answer.
pub(super) fn refusal(error: &ServerError) -> Refusal {
    match code(error) {
        "WRONGTYPE" => Refusal::Corrupt,
        "OOM" => Refusal::Full,
        "READONLY" => Refusal::ReadOnly,
        code if REFUSALS.contains(&code) => Refusal::Unavailable,
        _ => Refusal::Unknown,
    }
}

/// Returns the word that an error begins with. Before Redis 7 an error within a script is a text that tells of it, and a
/// right that is missing within one still is.
fn code(error: &ServerError) -> &str {
    let details = error.details().unwrap_or_default();
    if NO_RIGHT.iter().any(|begin| details.starts_with(begin)) {
        return "NOPERM";
    }
    if error.code() != "ERR" || !details.starts_with("Error running script") {
        return error.code();
    }
    let words = details.split([' ', ':', '-']);
    let known = |word: &&str| ["OOM", "READONLY", "WRONGTYPE"].contains(word);
    // A script that fails has not written; one that lacks a right may have done what comes before, which does no harm twice.
    words.into_iter().find(known).unwrap_or(IN_SCRIPT)
}

/// Says what became of a command whose answer did not come.
pub(super) fn lost(error: io::Error) -> StoreError {
    match error.kind() {
        // It was not sent.
        io::ErrorKind::NotConnected => StoreError::unavailable(error),
        _ => StoreError::unknown(error),
    }
}

/// Tells whether the server takes nothing over this connection.
pub(super) fn is_shut_out(error: &RedisError) -> bool {
    match error.code() {
        None | Some("DENIED" | "NOAUTH") => true,
        Some(_) => error
            .detail()
            .is_some_and(|detail| detail.starts_with("max number of clients")),
    }
}

/// Tells whether the server is there and has refused: for that it need not be another one.
pub(super) fn is_refusal(error: &SetupError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    source.is_some_and(|error: &RedisError| error.code().is_some())
}

/// Says what is wrong with a server that cannot be used.
pub(super) fn setup(error: RedisError) -> SetupError {
    SetupError::unreachable(mend(&error.to_string()), error)
}

/// Says what helps, by the words of a server, or those of its answer that is none.
pub(super) fn mend(words: &str) -> &'static str {
    let said = |part: &str| words.contains(part);
    match () {
        () if said("NOAUTH") => "put the password into the URL: `redis://:password@host`",
        () if said("WRONGPASS") || said("invalid password") => {
            "the user or the password is another"
        }
        () if said("DB index is out of range") => "it has no database of this number",
        () if said("cluster support disabled") => {
            "it is no Cluster: let the URL begin with `redis://`"
        }
        () if said("has sent what is no answer") => "is this Redis?",
        () => MEND,
    }
}

pub(super) fn read_only() -> SetupError {
    SetupError::read_only("connect to the primary, or let Sentinels find it (`redis-sentinel://`)")
}

const IN_SCRIPT: &str = "SCRIPT";

/// How a server begins to say that a right is missing within a script: Redis 7, and 8.
const NO_RIGHT: [&str; 2] = [
    "The user executing the script can't",
    "ACL failure in script",
];

/// What a server says that has not carried out a command.
const REFUSALS: &[&str] = &[
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "DENIED",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    IN_SCRIPT,
    "TRYAGAIN",
];

pub(super) const SENTINELS: &str = "are the Sentinels running, do they know this service, and are their password and TLS as they should be?";
pub(super) const MEND: &str = "is it running, are the address, the user, the password and the rights as they should \
                               be, and is TLS set up on both sides?";

#[cfg(test)]
mod tests {
    use ::redis::{Value, parse_redis_value};

    use super::*;

    fn said(line: &str) -> Refusal {
        match parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => refusal(&error),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_server_that_refuses_is_there_and_one_that_is_gone_or_no_primary_is_not() {
        let full = parse_redis_value(b"-ERR max number of clients reached\r\n");
        let full = full.unwrap().extract_error().unwrap_err();
        let gone = RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert!(is_refusal(&setup(full)));
        assert!(!is_refusal(&setup(gone)));
        assert!(!is_refusal(&read_only()));
    }

    #[test]
    fn each_word_of_the_server_is_sorted() {
        for (line, expected) in [
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value script: f00, on @user_script:1.",
                Refusal::Corrupt,
            ),
            (
                "ERR Error running script (call to f_00): @user_script:1: WRONGTYPE Operation against a key",
                Refusal::Corrupt,
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'. script: f00, on @user_script:4.",
                Refusal::Full,
            ),
            (
                "ERR Error running script (call to f_00): @user_script:4: -OOM command not allowed when used memory",
                Refusal::Full,
            ),
            (
                "READONLY You can't write against a read only replica.",
                Refusal::ReadOnly,
            ),
            (
                "ERR Error running script (call to f_00): @user_script:4: -READONLY You can't write",
                Refusal::ReadOnly,
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                Refusal::Unavailable,
            ),
            ("CLUSTERDOWN The cluster is down", Refusal::Unavailable),
            ("CLUSTERDOWN Hash slot not served", Refusal::Unavailable),
            (
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                Refusal::Unavailable,
            ),
            ("MOVED 3999 127.0.0.1:6381", Refusal::Unavailable),
            ("ASK 3999 127.0.0.1:6381", Refusal::Unavailable),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                Refusal::Unavailable,
            ),
            (
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
                Refusal::Unavailable,
            ),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                Refusal::Unavailable,
            ),
            (
                "NOREPLICAS Not enough good replicas to write.",
                Refusal::Unavailable,
            ),
            ("NOSCRIPT No matching script.", Refusal::Unavailable),
            (
                "NOPERM User app has no permissions to run the 'evalsha' command",
                Refusal::Unavailable,
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: f00, on @user_script:4.",
                Refusal::Unavailable,
            ),
            (
                "ERR ACL failure in script: User app has no permissions to run the 'set' command",
                Refusal::Unavailable,
            ),
            ("NOAUTH Authentication required.", Refusal::Unavailable),
            (
                "ERR Error running script (call to f_00): @user_script:4: Script killed by user with SCRIPT KILL...",
                Refusal::Unavailable,
            ),
            ("ERR upstream connection was lost", Refusal::Unknown),
            (
                "UNBLOCKED force unblock from blocking operation",
                Refusal::Unknown,
            ),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_known_for_certain_is_unavailable_and_all_else_unknown() {
        use crate::store::StoreErrorKind;
        let kind = |line: &str| match parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => refused(error).kind(),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(kind("OOM command not allowed"), StoreErrorKind::Full);
        assert_eq!(kind("WRONGTYPE no string"), StoreErrorKind::Corrupt);
        assert_eq!(kind("READONLY a replica"), StoreErrorKind::Unavailable);
        assert_eq!(kind("LOADING"), StoreErrorKind::Unavailable);
        assert_eq!(kind("ERR timed out"), StoreErrorKind::Unknown);
        let lost = |kind: io::ErrorKind| lost(kind.into()).kind();
        assert_eq!(lost(io::ErrorKind::BrokenPipe), StoreErrorKind::Unknown);
        let unsent = lost(io::ErrorKind::NotConnected);
        assert_eq!(unsent, StoreErrorKind::Unavailable);
    }
}
