//! What can be wrong with a store before it is used, and what helps.

use std::{error, fmt};

use super::table::Table;

/// A store cannot be used as it is set up. The message says what is wrong and what helps.
///
/// The cause, where there is one, is its source. A verb that meets the same trouble later fails with a
/// [`StoreError`](crate::store::StoreError) whose source this is.
///
/// ```
/// # #[cfg(feature = "postgres")] {
/// use tenure::store::{PostgresStore, SetupErrorKind};
///
/// let error = PostgresStore::builder("postgres://app@localhost/shop").unwrap().with_table("a b").unwrap_err();
/// assert_eq!(error.kind(), SetupErrorKind::Name);
/// assert!(error.to_string().starts_with("`a b` is no name for a table"));
/// # }
/// ```
#[derive(Debug)]
pub struct SetupError {
    kind: SetupErrorKind,
    message: String,
    source: Option<Source>,
}

type Source = Box<dyn error::Error + Send + Sync>;

/// What is wrong with a store's set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SetupErrorKind {
    /// A table of this name has another layout.
    Layout,
    /// There is no such table.
    MissingTable,
    /// This is no name for a table.
    Name,
    /// The database takes no writes.
    ReadOnly,
    /// The engine is too old.
    TooOld,
    /// The database does not answer, or refuses.
    Unreachable,
    /// This is no URL of such a database.
    Url,
}

impl SetupError {
    /// Says what is wrong.
    #[must_use]
    pub const fn kind(&self) -> SetupErrorKind {
        self.kind
    }

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
        let message = format!(
            "there is no table {table}; call `migrate`, or run the text that `ddl` returns"
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

    pub(crate) fn read_only(mend: &str) -> Self {
        let message = format!("the database takes no writes; {mend}");
        Self::new(SetupErrorKind::ReadOnly, message)
    }

    pub(crate) fn too_old(engine: &str, found: &str, needed: &str) -> Self {
        let message = format!("{engine} {found} is too old; {needed} or later is needed");
        Self::new(SetupErrorKind::TooOld, message)
    }

    pub(crate) fn unreachable(mend: &str, source: impl Into<Source>) -> Self {
        let message = format!("the database does not answer, or refuses; {mend}");
        Self::new(SetupErrorKind::Unreachable, message).because(source)
    }

    pub(crate) fn url(example: &str, source: impl Into<Source>) -> Self {
        let message = format!("this is no URL of such a database; one looks like `{example}`");
        Self::new(SetupErrorKind::Url, message).because(source)
    }

    pub(crate) fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    const fn new(kind: SetupErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            source: None,
        }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for SetupError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
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
