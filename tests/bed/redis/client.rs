//! A connection for what a test asks a server beside the store.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A connection that waits for each answer.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects to a server of this machine.
    pub fn connect(port: u16) -> io::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a command, its words between spaces.
    pub fn ask(&mut self, command: &str) -> io::Result<Reply> {
        let words: Vec<&str> = command.split(' ').collect();
        self.send(&words)
    }

    /// Sends a command of any words.
    pub fn send(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(text.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.trim_end();
        let (kind, rest) = line
            .split_at_checked(1)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        Ok(match kind {
            "+" => Reply::Text(rest.to_owned()),
            "-" => return Err(io::Error::other(rest.to_owned())),
            ":" => Reply::Number(number()?),
            "$" => match usize::try_from(number()?) {
                Ok(length) => Reply::Text(self.text(length)?),
                Err(_) => Reply::Nothing,
            },
            "*" => {
                let count = usize::try_from(number()?).unwrap_or(0);
                let parts: io::Result<_> = (0..count).map(|_| self.reply()).collect();
                Reply::List(parts?)
            }
            _ => return Err(io::Error::other(format!("no reply: {line}"))),
        })
    }

    fn text(&mut self, length: usize) -> io::Result<String> {
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Connects to a server that is there.
pub fn connected(port: u16) -> Client {
    Client::connect(port).unwrap_or_else(|error| panic!("{port}: {error}"))
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    List(Vec<Self>),
    Nothing,
    Number(i64),
    Text(String),
}

impl Reply {
    /// Returns the number that this is.
    pub fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().unwrap(),
            Self::List(_) | Self::Nothing => panic!("no number: {self:?}"),
        }
    }

    /// Returns the parts of a list.
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::List(parts) => parts,
            Self::Nothing | Self::Number(_) | Self::Text(_) => panic!("no list: {self:?}"),
        }
    }

    /// Returns what follows `name:` on a line of its own, or in a list of names and values.
    pub fn field(&self, name: &str) -> Option<String> {
        match self {
            Self::Text(text) => text.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key == name).then(|| value.to_owned())
            }),
            Self::List(parts) => parts.chunks(2).find_map(|pair| match pair {
                [key, value] if key.to_string() == name => Some(value.to_string()),
                _ => None,
            }),
            Self::Nothing | Self::Number(_) => None,
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(parts) => parts.iter().try_for_each(|part| write!(f, "{part} ")),
            Self::Nothing => Ok(()),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// As long as a server of this machine may be busy with something else.
const PATIENCE: Duration = Duration::from_secs(10);
