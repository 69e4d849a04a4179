//! Statements with their parameters: the verbs, as they are asked.

use sqlx::{
    Arguments as _, AssertSqlSafe, Error, Execute, MySql, SqlSafeStr as _, SqlStr,
    error::BoxDynError,
    mysql::{MySqlArguments, MySqlStatement},
};

use self::Parameter::{Bytes, List, Number};
use super::statements::Statements;
use crate::{
    id::Handle,
    store::{
        Record, StoreError, Version,
        sql::{Text, Ttl, signed},
    },
};

/// A statement that only needs a connection.
///
/// sqlx's own query is 112 bytes, which the driver's futures hold several times: with this one they fit into what an allocator
/// has at hand.
#[derive(Debug)]
pub(super) struct Ready {
    text: Text,
    arguments: Option<Box<MySqlArguments>>,
}

impl Execute<'_, MySql> for Ready {
    fn sql(self) -> SqlStr {
        AssertSqlSafe(self.text).into_sql_str()
    }

    fn statement(&self) -> Option<&MySqlStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<MySqlArguments>, BoxDynError> {
        Ok(self.arguments.take().map(|arguments| *arguments))
    }

    fn persistent(&self) -> bool {
        true
    }
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parameter<'a> {
    Bytes(Option<&'a [u8]>),
    Number(i64),
    /// What [`list`](super::statements::list) writes.
    List(&'a str),
}

impl Parameter<'_> {
    /// How many bytes it is sent in, at most.
    const fn len(self) -> usize {
        match self {
            Bytes(Some(bytes)) => bytes.len() + LENGTH,
            List(list) => list.len() + LENGTH,
            Bytes(None) => 0,
            Number(_) => 8,
        }
    }

    fn add_to(self, arguments: &mut MySqlArguments) -> Result<(), BoxDynError> {
        match self {
            Bytes(bytes) => arguments.add(bytes),
            Number(number) => arguments.add(number),
            List(list) => arguments.add(list),
        }
    }
}

/// Makes a query of a text, with its parameters as they stand in it.
pub(super) fn query<'a>(
    text: &Text,
    parameters: impl Iterator<Item = Parameter<'a>> + Clone,
) -> Result<Ready, Error> {
    let mut arguments = Box::<MySqlArguments>::default();
    let len = parameters.clone().map(Parameter::len).sum();
    arguments.reserve(parameters.clone().count(), len);
    for parameter in parameters {
        parameter.add_to(&mut arguments).map_err(Error::Encode)?;
    }
    Ok(Ready {
        text: text.clone(),
        arguments: Some(arguments),
    })
}

impl Statements {
    pub(super) fn create(
        &self,
        handle: Handle,
        record: &Record,
        ttl: Ttl,
    ) -> Result<Ready, StoreError> {
        self.create.with(&[
            Bytes(Some(handle.as_bytes())),
            Number(signed(record.version())),
            Bytes(Some(record.header())),
            Bytes(Some(record.values())),
            Bytes(record.principal().map(str::as_bytes)),
            Number(ttl.expires_in),
            Number(ttl.slack),
        ])
    }

    pub(super) fn load(&self, handle: Handle) -> Result<Ready, StoreError> {
        self.load.with(&[Bytes(Some(handle.as_bytes()))])
    }

    /// Loads one or a few. There are not as many statements as numbers of handles: some are asked for twice.
    pub(super) fn load_some(&self, handles: &[Handle]) -> Result<Ready, StoreError> {
        let count = handles.len().next_power_of_two();
        let handles = handles.iter().cycle().take(count);
        let parameters = handles.map(|handle| Bytes(Some(handle.as_bytes())));
        let text = &self.load_some[count.ilog2() as usize];
        query(text, parameters).map_err(StoreError::unavailable)
    }

    pub(super) fn update(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
        ttl: Ttl,
    ) -> Result<Ready, StoreError> {
        self.update.with(&[
            Bytes(Some(handle.as_bytes())),
            Number(signed(expected)),
            Number(signed(record.version())),
            Bytes(Some(record.header())),
            Bytes(Some(record.values())),
            Bytes(record.principal().map(str::as_bytes)),
            Number(ttl.expires_in),
            Number(ttl.slack),
        ])
    }

    pub(super) fn touch(
        &self,
        handle: Handle,
        expected: Version,
        ttl: Ttl,
    ) -> Result<Ready, StoreError> {
        self.touch.with(&[
            Bytes(Some(handle.as_bytes())),
            Number(signed(expected)),
            Number(ttl.expires_in),
            Number(ttl.slack),
        ])
    }

    pub(super) fn delete(&self, handle: Handle) -> Result<Ready, StoreError> {
        self.delete.with(&[Bytes(Some(handle.as_bytes()))])
    }
}

/// The most bytes that a length is sent in.
const LENGTH: usize = 9;
