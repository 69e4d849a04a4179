//! A record as one column: with each answer the server describes its columns, and the driver reads that anew.

use super::statements::DIALECT;
use crate::store::sql::{Row, Table};

/// Reads a record.
pub(super) fn load(table: &Table) -> String {
    let (whole, now) = (whole(), DIALECT.now);
    format!("SELECT {whole} FROM {table} WHERE handle = $1 AND expires > {now}")
}

/// Reads the records of a list, each with its handle.
pub(super) fn load_all(records: &str) -> String {
    let (whole, now) = (whole(), DIALECT.now);
    format!("SELECT {whole}, handle FROM {records} WHERE expires > {now}")
}

/// All that is to be known of a record; [`taken_apart`] reads it.
fn whole() -> String {
    let now = DIALECT.now;
    format!(
        "CONCAT(CONCAT_WS(' ', version, created, last_seen, {now}, LENGTH(header), ''), header, payload)"
    )
}

/// Takes apart what [`whole`] has put together.
pub(super) fn taken_apart(whole: &[u8]) -> Option<Row<'_>> {
    let mut parts = whole.splitn(6, |byte| *byte == b' ');
    let mut number = || str::from_utf8(parts.next()?).ok()?.parse().ok();
    let [version, created, last_seen, now] = [number()?, number()?, number()?, number()?];
    let len = usize::try_from(number()?).ok()?;
    let (header, payload) = parts.next()?.split_at_checked(len)?;
    Some(Row {
        version,
        header,
        payload,
        created,
        last_seen,
        now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_column() {
        let row = taken_apart(b"-7 1 22 333 3 a b c").unwrap();
        assert_eq!(
            (row.version, row.created, row.last_seen, row.now),
            (-7, 1, 22, 333)
        );
        assert_eq!((row.header, row.payload), (&b"a b"[..], &b" c"[..]));
        assert_eq!(taken_apart(b"1 1 1 1 0 ").unwrap().payload, b"");
        for other in [
            &b""[..],
            b"1 1 1 1 1",
            b"1 1 1 1 2 a",
            b"1 1 1 1 -1 a",
            b"1 x 1 1 0 ",
        ] {
            assert!(taken_apart(other).is_none(), "{other:?}");
        }
    }
}
