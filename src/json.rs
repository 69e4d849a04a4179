//! The codec of single values: JSON of at most 32 levels.

use std::{any::type_name, error, fmt};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Error, ErrorKind},
    key::Undecodable,
};

/// Encodes a value, or says what is wrong with it.
pub(crate) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_vec(value)
        .map_err(|error| Error::of_key(ErrorKind::Unserializable, key).with_source(error))?;
    match depth(&json) <= MAX_DEPTH {
        true => Ok(json),
        false => Err(Error::of_key(ErrorKind::TooLarge, key)),
    }
}

/// Decodes a value that is there.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| {
        Error::of_key(ErrorKind::UndecodableValue, key).with_source(Misfit::new::<T>(&error))
    })
}

/// Why a value does not decode. What serde says about it may quote the value, which belongs into nobody's log.
#[derive(Debug)]
struct Misfit {
    expected: &'static str,
    line: usize,
    column: usize,
}

impl Misfit {
    fn new<T>(error: &serde_json::Error) -> Self {
        Self {
            expected: type_name::<T>(),
            line: error.line(),
            column: error.column(),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            expected,
            line,
            column,
        } = self;
        write!(f, "not a `{expected}` at line {line} column {column}")
    }
}

impl error::Error for Misfit {}

/// Decodes a value that may be missing, or count as such.
pub(crate) fn decode_or_missing<T: DeserializeOwned>(
    key: &str,
    undecodable: Undecodable,
    json: Option<&[u8]>,
) -> Result<Option<T>, Error> {
    match (json.map(|json| decode(key, json)), undecodable) {
        (None, _) | (Some(Err(_)), Undecodable::Reset) => Ok(None),
        (Some(decoded), _) => decoded.map(Some),
    }
}

/// Returns the check that a value decodes, for keys where one that does not is an error.
pub(crate) fn check<T: DeserializeOwned>(
    undecodable: Undecodable,
) -> fn(&str, &[u8]) -> Result<(), Error> {
    match undecodable {
        Undecodable::Fail => |key, json| decode::<T>(key, json).map(drop),
        Undecodable::Reset => |_, _| Ok(()),
    }
}

/// Counts the levels of arrays and objects.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

/// How deep a value may nest, so that no value that was stored can exhaust the stack of who reads it.
const MAX_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn nested(levels: usize) -> serde_json::Value {
        (1..levels).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]))
    }

    #[test]
    fn a_value_of_32_levels_is_encoded_and_one_of_33_is_not() {
        assert!(encode("k", &nested(32)).is_ok());
        assert_eq!(
            encode("k", &nested(33)).unwrap_err().kind(),
            ErrorKind::TooLarge
        );
    }

    #[test]
    fn brackets_in_strings_are_no_levels() {
        for (json, levels) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[1,{"b":2}]}"#, 3),
            (r#""[[[[""#, 0),
            (r#"["\"[[", "\\"]"#, 1),
            (r#"[[],[],[[]]]"#, 3),
        ] {
            assert_eq!(depth(json.as_bytes()), levels, "{json}");
        }
    }

    #[test]
    fn what_does_not_serialize_is_an_error_of_its_key() {
        let map = BTreeMap::from([((1, 2), 3)]);
        let error = encode("pairs", &map).unwrap_err();
        assert_eq!(
            (error.kind(), error.key()),
            (ErrorKind::Unserializable, Some("pairs"))
        );
    }

    #[test]
    fn a_value_of_another_type_is_an_error_or_missing_as_the_key_says() {
        let read = |undecodable, json: Option<&[u8]>| {
            decode_or_missing::<u32>("k", undecodable, json).map_err(|error| error.kind())
        };
        assert_eq!(read(Undecodable::Fail, Some(b"1")), Ok(Some(1)));
        assert_eq!(read(Undecodable::Fail, None), Ok(None));
        assert_eq!(
            read(Undecodable::Fail, Some(b"true")),
            Err(ErrorKind::UndecodableValue)
        );
        assert_eq!(read(Undecodable::Reset, Some(b"true")), Ok(None));
        assert_eq!(read(Undecodable::Reset, Some(b"1")), Ok(Some(1)));
    }
}
