//! The verbs as the server carries them out: a script each, but for a deletion, which is a command, and a load, which is
//! two: a script would cost the server more than both.
//!
//! A script is carried out whole, with no other command in between, and touches the one key it is given. Its clock is
//! the server's, and so is the expiry's. Where a script writes twice, the second write cannot fail.

use std::{sync::LazyLock, time::Duration};

use super::{
    resp::Command,
    stored::{beginning, header},
};
use crate::store::{Record, Version};

/// A command, and the script that it names.
#[derive(Clone)]
pub(super) struct Request {
    command: Command,
    script: Option<Named>,
    is_timed: bool,
}

/// A script, and where its arguments begin in the command that names it.
#[derive(Clone, Copy)]
struct Named(&'static Script, usize);

impl Request {
    /// Puts a record under a free key: answers the time, or the first bytes of what is there.
    pub(super) fn create(key: &[u8], record: &Record, expires_in: Duration) -> Self {
        Self::of(&CREATE, key, record)
            .with(&beginning(record.version()))
            .with_record(record)
            .expiring(expires_in)
    }

    /// Answers what is there and the time, or nothing.
    pub(super) fn load(key: &[u8]) -> Self {
        Self {
            is_timed: true,
            ..Self::plain("GET", key)
        }
    }

    /// Replaces a record of the expected version: answers a number if it did, else as a load.
    pub(super) fn update(
        key: &[u8],
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Self {
        Self::of(&UPDATE, key, record)
            .with(&beginning(expected))
            .with(&beginning(record.version()))
            .with_record(record)
            .expiring(expires_in)
    }

    /// Moves the expiry and the stamp of a record of the expected version: answers a number if it did, else the first
    /// bytes of what is there, or nothing.
    pub(super) fn touch(key: &[u8], expected: Version, expires_in: Duration) -> Self {
        Self::begin(&TOUCH, key, 0)
            .with(&beginning(expected))
            .expiring(expires_in)
    }

    /// Removes whatever is there: answers how much that was.
    pub(super) fn delete(key: &[u8]) -> Self {
        Self::plain("DEL", key)
    }

    /// Removes whatever is there, and writes even if that is nothing: whoever waits for replicas waits for what was
    /// written over this connection, and the deletion may have been sent before, over another.
    pub(super) fn delete_for_certain(key: &[u8]) -> Self {
        Self::begin(&DELETE, key, 0)
    }

    /// Returns the command, naming its script.
    pub(super) const fn command(&self) -> &Command {
        &self.command
    }

    /// Tells whether the time is asked for in the same trip, for the answer to name it.
    pub(super) const fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// Returns the request with the script's text instead, for a server that does not know the name, or no longer.
    pub(super) fn with_text(&self) -> Option<Self> {
        let Named(script, arguments) = self.script?;
        let command = Command::with_room("EVAL", script.text.len() + self.command.len());
        let command = command.arg(&script.text).before(&self.command, arguments);
        Some(Self {
            command,
            script: None,
            is_timed: self.is_timed,
        })
    }

    fn of(script: &'static Script, key: &[u8], record: &Record) -> Self {
        Self::begin(script, key, record.header().len() + record.values().len())
    }

    /// Begins with a command that needs no script.
    pub(super) fn plain(name: &str, key: &[u8]) -> Self {
        Self {
            command: Command::new(name).arg(key),
            script: None,
            is_timed: false,
        }
    }

    /// Begins with a script, and room for so many bytes more.
    pub(super) fn begin(script: &'static Script, key: &[u8], room: usize) -> Self {
        let command = Command::with_room("EVALSHA", ROOM + room).arg(&script.name);
        let named = Named(script, command.len());
        Self {
            command: command.arg("1").arg(key),
            script: Some(named),
            is_timed: false,
        }
    }

    pub(super) fn with(mut self, bytes: &[u8]) -> Self {
        self.command = self.command.arg(bytes);
        self
    }

    /// Adds what stands behind the stamps.
    fn with_record(mut self, record: &Record) -> Self {
        let (len, header) = header(record);
        self.command = self.command.arg_of(&[&len, header, record.values()]);
        self
    }

    fn expiring(mut self, expires_in: Duration) -> Self {
        self.command = self.command.number(millis(expires_in));
        self
    }
}

/// A time to live in whole milliseconds: never none, and never so many that the server's sums overflow.
fn millis(duration: Duration) -> i64 {
    const LONGEST: i64 = i64::MAX / 4;
    let millis = i64::try_from(duration.as_millis()).unwrap_or(LONGEST);
    millis.clamp(1, LONGEST)
}

/// The text of a script, and the name that the server gives it.
pub(super) struct Script {
    text: String,
    name: String,
}

impl Script {
    pub(super) fn new(lines: &str) -> Self {
        let text = lines
            .replace("$NOW", NOW)
            .replace("$IS_EXPECTED", IS_EXPECTED);
        let name = ::redis::Script::new(&text).get_hash().to_owned();
        Self { text, name }
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "$NOW
local stamp = struct.pack('>I8', now)
if redis.call('SET', KEYS[1], ARGV[1] .. stamp .. stamp .. ARGV[2], 'NX', 'PX', ARGV[3]) then
    return now
end
return redis.call('GETRANGE', KEYS[1], 0, 28)",
    )
});

static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local count = redis.call('DEL', KEYS[1])
if count == 0 then
    redis.pcall('SET', KEYS[1], '', 'PX', 1)
    redis.call('DEL', KEYS[1])
end
return count",
    )
});

/// If it was carried out before, it writes all the same, for whoever waits for replicas.
static UPDATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local found = redis.call('GETRANGE', KEYS[1], 0, 28)
$NOW
if $IS_EXPECTED then
    local stamps = string.sub(found, 10, 17) .. struct.pack('>I8', now)
    redis.call('SET', KEYS[1], ARGV[2] .. stamps .. ARGV[3], 'PX', ARGV[4])
    return 1
end
if string.sub(found, 1, 9) == ARGV[2] then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local kept = redis.call('GET', KEYS[1])
return kept and {kept, now}",
    )
});

static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local found = redis.call('GETRANGE', KEYS[1], 0, 28)
if $IS_EXPECTED then
    $NOW
    redis.call('SETRANGE', KEYS[1], 17, struct.pack('>I8', now))
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 1
end
return redis.call('EXISTS', KEYS[1]) == 1 and found",
    )
});

/// The server's clock in milliseconds. There is a fraction, which falls away where the number is packed or answered; who
/// gives it to a command rounds it.
const NOW: &str = "local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000";

/// Whether what was found begins as a record of the expected version does.
const IS_EXPECTED: &str = "#found == 29 and string.sub(found, 1, 9) == ARGV[1]";

/// For the arguments of an update beside the key and the record.
const ROOM: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::{resp, stored::PREFIX};

    fn arguments(command: &Command) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        command.write(&mut bytes);
        let (command, _) = resp::read(&bytes).unwrap().unwrap();
        ::redis::from_redis_value(command).unwrap()
    }

    #[test]
    fn the_text_is_sent_with_the_same_arguments_as_the_name() {
        let record = Record::new(Version::from_u64(2), [1], [2]);
        let request = Request::update(b"key", Version::from_u64(1), &record, Duration::ZERO);
        let text = request.with_text().unwrap();
        let (named, whole) = (arguments(request.command()), arguments(text.command()));
        assert_eq!(named[0], b"EVALSHA");
        assert_eq!(
            (&whole[0][..], &whole[1][..]),
            (&b"EVAL"[..], UPDATE.text.as_bytes())
        );
        assert_eq!(named[2..], whole[2..]);
        assert_eq!(named.len(), 8);
        assert!(Request::delete(b"key").with_text().is_none());
    }

    #[test]
    fn the_scripts_know_how_long_the_prefix_is() {
        assert_eq!(PREFIX, 29);
        for script in [&CREATE, &UPDATE, &TOUCH] {
            assert!(script.text.contains("KEYS[1], 0, 28"));
            assert!(!script.text.contains('$'), "{}", script.text);
        }
    }

    #[test]
    fn a_time_to_live_is_never_zero_and_never_overflows() {
        for (duration, expected) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(400), 400),
            (Duration::MAX, i64::MAX / 4),
        ] {
            assert_eq!(millis(duration), expected, "{duration:?}");
        }
    }
}
