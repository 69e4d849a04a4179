//! The names of a store's tables: checked once, so that every statement may hold them.

use std::fmt;

use crate::store::SetupError;

/// The checked name of a table, with or without a schema. It prints quoted, as a statement needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    quote: char,
    schema: Option<Box<str>>,
    name: Box<str>,
}

impl Table {
    /// PostgreSQL cuts a name of more than 63 bytes off without a word, and this is the longest that is made of one.
    const LONGEST: usize = 63 - "_principals_sweep".len();

    /// Checks a name: `sessions` or `app.sessions`.
    pub(crate) fn parse(text: &str) -> Result<Self, SetupError> {
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, text),
        };
        if !is_identifier(name) || schema.is_some_and(|schema| !is_identifier(schema)) {
            return Err(SetupError::name(text, Self::LONGEST));
        }
        Ok(Self {
            quote: '"',
            schema: schema.map(Into::into),
            name: name.into(),
        })
    }

    /// Prints in other quotes than SQL's.
    #[cfg(feature = "mysql")]
    pub(crate) fn quoted_with(self, quote: char) -> Self {
        Self { quote, ..self }
    }

    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name without its schema.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The table that keeps the number of the layout.
    pub(crate) fn of_layout(&self) -> Self {
        self.with_suffix("_schema")
    }

    /// The table that keeps the entries of the index of principals.
    pub(crate) fn of_logins(&self) -> Self {
        self.with_suffix("_logins")
    }

    /// The table that keeps what is remembered of principals.
    pub(crate) fn of_principals(&self) -> Self {
        self.with_suffix("_principals")
    }

    /// Returns the table that an engine's message is about, as far as it names one.
    pub(crate) fn named_in(&self, message: &str) -> Self {
        let mut others = [self.of_logins(), self.of_principals()].into_iter();
        let named = others.find(|other| message.contains(&*other.name));
        named.unwrap_or_else(|| self.clone())
    }

    /// The index that gives the entries of a principal in their order.
    pub(crate) fn of_order(&self) -> Self {
        self.with_suffix("_order")
    }

    /// The index that the sweeper reads.
    pub(crate) fn of_sweep(&self) -> Self {
        self.with_suffix("_sweep")
    }

    /// The name without its schema, quoted.
    pub(crate) fn quoted_name(&self) -> String {
        format!("{0}{1}{0}", self.quote, self.name)
    }

    pub(crate) fn with_suffix(&self, suffix: &str) -> Self {
        Self {
            quote: self.quote,
            schema: self.schema.clone(),
            name: format!("{}{suffix}", self.name).into(),
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self {
            quote: '"',
            schema: None,
            name: "tenure_sessions".into(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{0}{schema}{0}.", self.quote)?;
        }
        write!(f, "{0}{1}{0}", self.quote, self.name)
    }
}

fn is_identifier(text: &str) -> bool {
    let is_short = text.len() <= Table::LONGEST;
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let goes_on_well = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_short && begins_well && goes_on_well
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letters_digits_and_underscores_after_an_optional_schema() {
        for (text, quoted) in [
            ("sessions", "\"sessions\""),
            ("_s1", "\"_s1\""),
            ("App.Sessions", "\"App\".\"Sessions\""),
            ("user", "\"user\""),
        ] {
            assert_eq!(Table::parse(text).unwrap().to_string(), quoted);
        }
        let longest = Table::parse(&"a".repeat(Table::LONGEST)).unwrap();
        assert_eq!(longest.of_principals().of_sweep().name.len(), 63);
    }

    #[test]
    fn the_table_that_a_message_is_about_is_told_from_the_others() {
        let table = Table::parse("app.sessions").unwrap();
        for (message, named) in [
            ("no such table: sessions", table.clone()),
            ("no such table: app.sessions_logins", table.of_logins()),
            ("'app.sessions_principals' is gone", table.of_principals()),
            ("", table.clone()),
        ] {
            assert_eq!(table.named_in(message), named);
        }
    }

    #[test]
    fn any_other_name_is_refused_with_what_a_name_is() {
        let too_long = "a".repeat(Table::LONGEST + 1);
        for text in [
            "", ".", "a.", ".a", "a.b.c", "1a", "a b", "a;b", "a\"b", "a'", "ä", "a-b", "a\0",
            &too_long,
        ] {
            let message = Table::parse(text).unwrap_err().to_string();
            assert!(
                message.contains("letters, digits and `_`"),
                "{text}: {message}"
            );
        }
    }
}
