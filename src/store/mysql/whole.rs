//! A record as one column: with each answer the server describes its columns, and the driver reads that anew.

use crate::store::{
    Loaded, StoreError,
    sql::{Row, Table},
};

/// Reads a record, whether or not it has expired. A condition on a clock that moves would keep the server from reading
/// one row by its key and no more: with it the statement costs a fifth more.
pub(super) fn load(table: &Table) -> String {
    format!("SELECT {WHOLE} AS whole FROM {table} WHERE handle = $1")
}

/// Reads several records, each with its handle.
pub(super) fn load_all(records: &str) -> String {
    format!("SELECT {WHOLE} AS whole, handle FROM {records}")
}

/// All that is to be known of a record; [`loaded`] reads it. Each operator and function costs the server something
/// anew with each answer, so there are few: the driver is not told milliseconds but microseconds.
const WHOLE: &str = "CONCAT_WS(' ', version, created, last_seen, expires, \
                     TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', SYSDATE(3)), \
                     LENGTH(header), CONCAT(header, payload))";

/// Reads what [`WHOLE`] has put together; `None` if it had expired by the server's clock.
pub(super) fn loaded(whole: &[u8]) -> Result<Option<Loaded>, StoreError> {
    let taken_apart = taken_apart(whole);
    let (row, expires) = taken_apart.ok_or_else(|| StoreError::corrupt("a column was cut off"))?;
    (expires > row.now).then(|| row.loaded()).transpose()
}

fn taken_apart(whole: &[u8]) -> Option<(Row<'_>, i64)> {
    let mut parts = whole.splitn(7, |byte| *byte == b' ');
    let mut number = || str::from_utf8(parts.next()?).ok()?.parse::<i64>().ok();
    let [version, created, last_seen, expires, micros] =
        [number()?, number()?, number()?, number()?, number()?];
    let len = usize::try_from(number()?).ok()?;
    let (header, payload) = parts.next()?.split_at_checked(len)?;
    let row = Row {
        version,
        header,
        payload,
        created,
        last_seen,
        now: micros.div_euclid(1_000),
    };
    Some((row, expires))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_column() {
        let (row, expires) = taken_apart(b"-7 1 22 444 333999 3 a b c").unwrap();
        assert_eq!(
            (row.version, row.created, row.last_seen, row.now),
            (-7, 1, 22, 333)
        );
        assert_eq!(expires, 444);
        assert_eq!((row.header, row.payload), (&b"a b"[..], &b" c"[..]));
        assert_eq!(taken_apart(b"1 1 1 1 1 0 ").unwrap().0.payload, b"");
        for other in [
            &b""[..],
            b"1 1 1 1 1 1",
            b"1 1 1 1 1 2 a",
            b"1 1 1 1 1 -1 a",
            b"1 x 1 1 1 0 ",
        ] {
            assert!(taken_apart(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_record_is_gone_in_the_millisecond_in_which_it_expires() {
        let is_live = |whole: &[u8]| loaded(whole).unwrap().is_some();
        assert!(is_live(b"1 1 1 334 333999 0 "));
        assert!(!is_live(b"1 1 1 333 333000 0 "));
        assert!(loaded(b"1 1 1 334 333999 1 ").is_err(), "it was cut off");
    }
}
