//! What can be wrong with a store before it is used, and what helps.

use std::{error, fmt};

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
    /// This is no name for a table, or no prefix for keys.
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

    #[cfg(feature = "redis")]
    pub(super) fn prefix(prefix: &str, longest: usize) -> Self {
        let message = format!(
            "`{}` is no prefix for keys; one has letters, digits and `_ - . : /`, at least one and at most {longest}",
            prefix.escape_debug()
        );
        Self::new(SetupErrorKind::Name, message)
    }

    pub(super) fn read_only(mend: &str) -> Self {
        let message = format!("the database takes no writes; {mend}");
        Self::new(SetupErrorKind::ReadOnly, message)
    }

    pub(super) fn too_old(engine: &str, found: &str, needed: &str) -> Self {
        let message = format!("{engine} {found} is too old; {needed} or later is needed");
        Self::new(SetupErrorKind::TooOld, message)
    }

    pub(super) fn unreachable(mend: &str, source: impl Into<Source>) -> Self {
        let message = format!("the database does not answer, or refuses; {mend}");
        Self::new(SetupErrorKind::Unreachable, message).because(source)
    }

    pub(super) fn url(example: &str, source: impl Into<Source>) -> Self {
        let message = format!("this is no URL of such a database; one looks like `{example}`");
        Self::new(SetupErrorKind::Url, message).because(source)
    }

    pub(super) fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(super) const fn new(kind: SetupErrorKind, message: String) -> Self {
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
