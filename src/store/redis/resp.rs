//! The protocol's second version (RESP2): commands as they are written, and answers as they are read.

use std::io;

use ::redis::{Value, parse_redis_value};
use memchr::memchr;

/// A command as it is sent, but for the line that counts its arguments.
#[derive(Clone)]
pub(super) struct Command {
    arguments: usize,
    bytes: Vec<u8>,
}

impl Command {
    pub(super) fn new(name: &str) -> Self {
        Self::with_room(name, 0)
    }

    /// Begins a command, with room for so many bytes more.
    pub(super) fn with_room(name: &str, room: usize) -> Self {
        let bytes = Vec::with_capacity(ROOM + room);
        let command = Self {
            arguments: 0,
            bytes,
        };
        command.arg(name)
    }

    pub(super) fn arg(self, argument: impl AsRef<[u8]>) -> Self {
        self.arg_of(&[argument.as_ref()])
    }

    /// Adds an argument that is given in parts.
    pub(super) fn arg_of(mut self, parts: &[&[u8]]) -> Self {
        self.arguments += 1;
        let length = parts.iter().map(|part| part.len()).sum();
        line(b'$', length, &mut self.bytes);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(END);
        self
    }

    pub(super) fn number(self, number: impl itoa::Integer) -> Self {
        self.arg(itoa::Buffer::new().format(number))
    }

    /// Returns where the next argument begins.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Puts another command before the arguments that begin somewhere.
    pub(super) fn before(self, rest: &Self, begin: usize) -> Self {
        let mut whole = self;
        whole.arguments = rest.arguments;
        whole.bytes.extend_from_slice(&rest.bytes[begin..]);
        whole
    }

    /// Appends the command as the server reads it.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        line(b'*', self.arguments, to);
        to.extend_from_slice(&self.bytes);
    }
}

fn line(kind: u8, number: usize, to: &mut Vec<u8>) {
    to.push(kind);
    to.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    to.extend_from_slice(END);
}

/// Reads the first answer and tells how many bytes it has, once all of them have come.
///
/// # Errors
///
/// If this is no answer.
pub(super) fn read(bytes: &[u8]) -> io::Result<Option<(Value, usize)>> {
    let Some(length) = length(bytes, DEEPEST)? else {
        return Ok(None);
    };
    Ok(Some((value(&mut &bytes[..length])?, length)))
}

/// Tells how many bytes the first answer has, once all of them have come.
fn length(bytes: &[u8], depth: usize) -> io::Result<Option<usize>> {
    let Some((head, line)) = head(bytes)? else {
        return Ok(None);
    };
    match head {
        Head::Line | Head::Nil | Head::Number(_) => Ok(Some(line)),
        Head::Bytes(count) => Ok(line
            .checked_add(count)
            .and_then(|all| all.checked_add(END.len()))
            .filter(|all| *all <= bytes.len())),
        Head::Answers(_) if depth == 0 => Err(no_answer("it is too deep")),
        Head::Answers(count) => {
            let mut all = line;
            for _ in 0..count {
                match length(&bytes[all..], depth - 1)? {
                    None => return Ok(None),
                    Some(length) => all += length,
                }
            }
            Ok(Some(all))
        }
    }
}

/// Takes an answer that has come as a whole.
fn value(bytes: &mut &[u8]) -> io::Result<Value> {
    let (head, line) = head(bytes)?.ok_or_else(|| no_answer("it has no end"))?;
    let (first, rest) = bytes.split_at(line);
    *bytes = rest;
    Ok(match head {
        Head::Line => parse_redis_value(first).map_err(io::Error::other)?,
        Head::Nil => Value::Nil,
        Head::Number(number) => Value::Int(number),
        Head::Bytes(count) => {
            let (found, rest) = bytes.split_at(count);
            *bytes = rest
                .strip_prefix(END)
                .ok_or_else(|| no_answer("it has another length"))?;
            Value::BulkString(found.to_vec())
        }
        Head::Answers(count) => {
            let answers = (0..count).map(|_| value(bytes));
            Value::Array(answers.collect::<Result<_, _>>()?)
        }
    })
}

/// What the first line of an answer says.
enum Head {
    /// It is a word or an error, and there is no more.
    Line,
    Nil,
    Number(i64),
    /// So many bytes follow, and the end of a line.
    Bytes(usize),
    /// So many answers follow.
    Answers(usize),
}

/// Reads the first line, once it has come, and tells how many bytes it has.
fn head(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let Some(last) = memchr(b'\n', bytes) else {
        return Ok(None);
    };
    let line = bytes[..last].strip_suffix(b"\r");
    let (kind, text) = line
        .and_then(<[u8]>::split_first)
        .ok_or_else(|| no_answer("a line is empty"))?;
    // Less than none is nil.
    let count = |number: i64| match number < 0 {
        true => None,
        false => Some(usize::try_from(number).unwrap_or(usize::MAX)),
    };
    let head = match kind {
        b'+' | b'-' => Head::Line,
        b':' => Head::Number(number(text)?),
        b'$' => count(number(text)?).map_or(Head::Nil, Head::Bytes),
        b'*' => count(number(text)?).map_or(Head::Nil, Head::Answers),
        _ => return Err(no_answer("it begins with no sign of RESP2")),
    };
    Ok(Some((head, last + 1)))
}

fn number(text: &[u8]) -> io::Result<i64> {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| no_answer("a number is none"))
}

pub(super) fn no_answer(why: &str) -> io::Error {
    let text = format!("the server has sent what is no answer: {why}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

const END: &[u8] = b"\r\n";
/// For a name and a key.
const ROOM: usize = 160;
/// How deep answers may stand in each other: those that are asked for here are three deep.
const DEEPEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    const ANSWERS: &[u8] = b"+OK\r\n-ERR no such thing\r\n:-7\r\n$4\r\na\r\nb\r\n$-1\r\n*-1\r\n*2\r\n*1\r\n$0\r\n\r\n:3\r\n*0\r\n";

    fn answers() -> Vec<Value> {
        let error = parse_redis_value(b"-ERR no such thing\r\n").unwrap();
        vec![
            Value::Okay,
            error,
            Value::Int(-7),
            text("a\r\nb"),
            Value::Nil,
            Value::Nil,
            Value::Array(vec![Value::Array(vec![text("")]), Value::Int(3)]),
            Value::Array(Vec::new()),
        ]
    }

    fn all(mut bytes: &[u8]) -> Vec<Value> {
        let mut values = Vec::new();
        while let Some((value, length)) = read(bytes).unwrap() {
            values.push(value);
            bytes = &bytes[length..];
        }
        values
    }

    #[test]
    fn answers_are_read_one_after_the_other() {
        assert_eq!(all(ANSWERS), answers());
    }

    #[test]
    fn an_answer_is_read_when_all_of_it_has_come_and_not_before() {
        for cut in 0..ANSWERS.len() {
            let read = all(&ANSWERS[..cut]);
            assert_eq!(read[..], answers()[..read.len()], "{cut}");
            assert!(read.len() < answers().len(), "{cut}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let deep = "*1\r\n".repeat(DEEPEST + 1);
        for bytes in [
            "\r\n",
            "\n",
            "a\r\n",
            "$\r\n",
            "$x\r\n",
            ":1x\r\n",
            "*99999999999999999999\r\n",
            "$1\r\nab\r",
            "$1\r\nabc\r\n",
            "_\r\n",
            "%1\r\n",
            &deep,
        ] {
            assert!(read(bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused_and_never_a_panic(
            bytes in proptest::collection::vec(proptest::sample::select(b"$*:+-019\r\na".to_vec()), 0..64),
        ) {
            if let Ok(Some((_, length))) = read(&bytes) {
                proptest::prop_assert!(length <= bytes.len());
            }
        }
    }

    #[test]
    fn a_count_that_nothing_follows_reserves_nothing() {
        assert!(read(b"*9223372036854775807\r\n:1\r\n").unwrap().is_none());
        assert!(read(b"$9223372036854775807\r\n").unwrap().is_none());
    }

    #[test]
    fn a_command_is_an_array_of_its_arguments() {
        let mut bytes = Vec::new();
        let command = Command::new("SET").arg([0, 13, 10]).number(-12);
        command.write(&mut bytes);
        assert_eq!(bytes, b"*3\r\n$3\r\nSET\r\n$3\r\n\x00\r\n\r\n$3\r\n-12\r\n");
    }

    #[test]
    fn another_command_may_stand_before_the_same_arguments() {
        let named = Command::new("EVALSHA").arg("name");
        let begin = named.len();
        let named = named.arg("1").arg("key");
        let (mut whole, mut expected) = (Vec::new(), Vec::new());
        Command::new("EVAL")
            .arg("text")
            .before(&named, begin)
            .write(&mut whole);
        Command::new("EVAL")
            .arg("text")
            .arg("1")
            .arg("key")
            .write(&mut expected);
        assert_eq!(whole, expected);
    }
}
