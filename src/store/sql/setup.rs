//! What can be wrong with a table, and what helps.

use super::table::Table;
use crate::store::{SetupError, SetupErrorKind};

impl SetupError {
    pub(crate) fn layout(table: &Table, what: &str) -> Self {
        let message = format!(
            "the table {table} has another layout: {what}; choose another name by `with_table`, or remove the table"
        );
        Self::new(SetupErrorKind::Layout, message)
    }

    pub(crate) fn later(table: &Table, found: i64, known: i64) -> Self {
        let message = format!(
            "the table {table} has layout {found}, and this release knows layout {known}; use a later release of tenure"
        );
        Self::new(SetupErrorKind::Layout, message)
    }

    pub(crate) fn missing_table(table: &Table) -> Self {
        Self::missing("table", table)
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn missing_trigger(trigger: &Table) -> Self {
        Self::missing("trigger", trigger)
    }

    fn missing(what: &str, name: &Table) -> Self {
        let message = format!(
            "there is no {what} {name}; call `migrate`, or run the text that `ddl` returns"
        );
        Self::new(SetupErrorKind::MissingTable, message)
    }

    pub(crate) fn name(name: &str, longest: usize) -> Self {
        let message = format!(
            "`{}` is no name for a table; one has letters, digits and `_`, begins with no digit, may follow a \
             schema and a dot, and has at most {longest} bytes",
            name.escape_debug()
        );
        Self::new(SetupErrorKind::Name, message)
    }
}

/// The number of the layout that this release reads and writes.
pub(crate) const LAYOUT: i64 = 1;

/// Checks the number of the layout that a table was made with.
pub(crate) fn check_layout(table: &Table, found: Option<i64>) -> Result<(), SetupError> {
    match found {
        Some(LAYOUT) => Ok(()),
        Some(later) if later > LAYOUT => Err(SetupError::later(table, later, LAYOUT)),
        Some(other) => Err(SetupError::layout(
            table,
            &format!("it says it is layout {other}"),
        )),
        None => Err(SetupError::layout(table, "it does not say which")),
    }
}

/// Checks that a table has the expected columns, each with its type; more columns do no harm.
pub(crate) fn check_columns(
    table: &Table,
    expected: &[(&str, &str)],
    found: &[(String, String)],
) -> Result<(), SetupError> {
    if found.is_empty() {
        return Err(SetupError::missing_table(table));
    }
    for (name, kind) in expected {
        match found.iter().find(|(column, _)| column == name) {
            Some((_, found)) if found.eq_ignore_ascii_case(kind) => {}
            Some((_, found)) => {
                let what = format!("its column `{name}` is {found} and not {kind}");
                return Err(SetupError::layout(table, &what));
            }
            None => {
                return Err(SetupError::layout(
                    table,
                    &format!("it has no column `{name}`"),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_columns_is_missing_and_one_with_others_has_another_layout() {
        let table = Table::default();
        let column = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        let check = |found: &[_]| check_columns(&table, &[("a", "bigint"), ("b", "text")], found);
        assert!(check(&[column("b", "TEXT"), column("a", "bigint"), column("c", "x")]).is_ok());
        for (found, kind, said) in [
            (vec![], SetupErrorKind::MissingTable, "migrate"),
            (
                vec![column("a", "bigint")],
                SetupErrorKind::Layout,
                "no column `b`",
            ),
            (
                vec![column("a", "text")],
                SetupErrorKind::Layout,
                "is text and not bigint",
            ),
        ] {
            let error = check(&found).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_layout_of_another_number_is_named() {
        let table = Table::default();
        assert!(check_layout(&table, Some(LAYOUT)).is_ok());
        for (found, said) in [
            (
                Some(LAYOUT + 1),
                "layout 2, and this release knows layout 1",
            ),
            (Some(0), "it says it is layout 0"),
            (None, "does not say which"),
        ] {
            let error = check_layout(&table, found).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
