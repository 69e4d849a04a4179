//! The verbs of the index as the server carries them out.
//!
//! What is known of a principal is one sorted set, so that it is in one slot and moves with it:
//!
//! | member | score |
//! |---|---|
//! | an entry: the handle's 16 bytes, then the 8 of the login's version | its place, from 1 |
//! | a stamp, 32 bytes, one at most | less than zero: minus the millisecond from which on it is forgotten |
//!
//! So a stamp comes first, and entries in the order in which they were entered. A key has a time to live only while it
//! holds a stamp and nothing else.
//!
//! A key that a script has emptied is gone, and what is not there belongs to another node while its slot moves. So no script
//! goes on with a key that it has emptied: it would be refused, half done.

use std::sync::LazyLock;

use super::super::script::{Request, Script};
use crate::{
    id::Handle,
    principal::CredentialStamp,
    store::{Entry, Version},
};

impl Request {
    /// Enters: answers some of what is before the entry, or nothing if another stamp is remembered.
    pub(super) fn enter(
        key: &[u8],
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Self {
        let request = Self::begin(&ENTER, key, 0)
            .with(&written(entry))
            .with(most.to_string().as_bytes());
        match stamp {
            Some(stamp) => request.with(stamp.as_bytes()),
            None => request,
        }
    }

    /// Answers what is there, a stamp included.
    pub(super) fn entries(key: &[u8]) -> Self {
        Self::plain("ZRANGE", key).with(b"0").with(b"-1")
    }

    /// Removes entries: answers a number.
    pub(super) fn leave(key: &[u8], entries: &[Entry]) -> Self {
        let left: Vec<u8> = entries.iter().copied().flat_map(written).collect();
        Self::begin(&LEAVE, key, left.len()).with(&left)
    }

    /// Remembers a stamp: answers the entries.
    pub(super) fn restamp(key: &[u8], stamp: &CredentialStamp) -> Self {
        Self::begin(&RESTAMP, key, 0).with(stamp.as_bytes())
    }
}

/// How many bytes an entry has.
pub(super) const ENTRY: usize = Handle::LEN + 8;

fn written(entry: Entry) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    bytes[..Handle::LEN].copy_from_slice(entry.handle.as_bytes());
    bytes[Handle::LEN..].copy_from_slice(&entry.login.as_u64().to_be_bytes());
    bytes
}

/// Reads an entry; what has another length is none.
pub(super) fn read(bytes: &[u8]) -> Option<Entry> {
    let bytes: &[u8; ENTRY] = bytes.try_into().ok()?;
    let (handle, login) = bytes.split_first_chunk()?;
    let login = u64::from_be_bytes(login.try_into().ok()?);
    Some(Entry::new(
        Handle::from_bytes(*handle),
        Version::from_u64(login),
    ))
}

/// Something else than entries is answered as it is, and left alone.
fn script(lines: &str) -> Script {
    Script::new(&lines.replace("$KEPT", KEPT))
}

/// An entry that is there is moved and put back all the same, for whoever waits for replicas.
///
/// Of many entries those are answered that begin at a place which the handle, a random number, decides: whoever looks for
/// those that are outdated comes by all of them.
static ENTER: LazyLock<Script> = LazyLock::new(|| {
    script(
        "local first = redis.call('ZRANGE', KEYS[1], 0, 0)
local stamp = first[1] and #first[1] == 32 and first[1]
if stamp and ARGV[3] and stamp ~= ARGV[3] then
    $NOW
    if -redis.call('ZSCORE', KEYS[1], stamp) > now then return false end
end
local stamps = stamp and 1 or 0
local place = redis.call('ZSCORE', KEYS[1], ARGV[1])
local before = (redis.call('ZRANK', KEYS[1], ARGV[1]) or redis.call('ZCARD', KEYS[1])) - stamps
local count, from, kept = math.min(before, tonumber(ARGV[2])), stamps, {}
if count < before then
    local one, two, three = string.byte(ARGV[1], 1, 3)
    from = stamps + ((one * 256 + two) * 256 + three) % (before - count + 1)
end
if count > 0 then kept = redis.call('ZRANGE', KEYS[1], from, from + count - 1) end
for _, entry in ipairs(kept) do
    if #entry ~= 24 then return kept end
end
if place then
    redis.call('ZADD', KEYS[1], place + 1, ARGV[1])
else
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
    place = before > 0 and last[2] + 1 or 1
end
redis.call('ZADD', KEYS[1], place, ARGV[1])
redis.call('PERSIST', KEYS[1])
return kept",
    )
});

static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    script(
        "for _, place in ipairs({0, -1}) do
    local one = redis.call('ZRANGE', KEYS[1], place, place)
    if one[1] and #one[1] ~= 24 and #one[1] ~= 32 then return one end
end
local left = redis.call('ZCARD', KEYS[1])
for at = 1, #ARGV[1], 24 do
    if left == 0 then return 1 end
    left = left - redis.call('ZREM', KEYS[1], string.sub(ARGV[1], at, at + 23))
end
local last = left == 1 and redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if last and #last[1] == 32 then
    $NOW
    redis.call('PEXPIRE', KEYS[1], math.ceil(-last[2] - now))
end
return 1",
    )
});

/// A stamp that is there is moved and put back all the same, for whoever waits for replicas; another one goes when the new
/// one is there.
static RESTAMP: LazyLock<Script> = LazyLock::new(|| {
    script(
        "$KEPT
$NOW
if stamp == ARGV[1] then redis.call('ZADD', KEYS[1], -1, stamp) end
redis.call('ZADD', KEYS[1], -math.floor(now) - 86400000, ARGV[1])
if stamp and stamp ~= ARGV[1] then redis.call('ZREM', KEYS[1], stamp) end
if #kept == 0 then redis.call('PEXPIRE', KEYS[1], 86400000) end
return kept",
    )
});

/// All that is kept, without the stamp.
const KEPT: &str = "local kept = redis.call('ZRANGE', KEYS[1], 0, -1)
local stamp = kept[1] and #kept[1] == 32 and table.remove(kept, 1)
for _, entry in ipairs(kept) do
    if #entry ~= 24 then return kept end
end";

#[cfg(test)]
mod tests {
    use super::*;

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_stored_form_of_an_entry_is_stable() {
        let version = Version::from_u64(0x0102_0304_0506_0708);
        let entry = Entry::new(Handle::from_bytes([7; 16]), version);
        let bytes = written(entry);
        assert_eq!(bytes, *b"\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x01\x02\x03\x04\x05\x06\x07\x08");
        assert_eq!(read(&bytes), Some(entry));
    }

    #[test]
    fn what_has_another_length_is_no_entry() {
        for len in [0, 16, ENTRY - 1, ENTRY + 1, CredentialStamp::LEN] {
            assert_eq!(read(&vec![1; len]), None, "{len}");
        }
    }

    #[test]
    fn the_scripts_know_how_long_entries_and_stamps_are() {
        assert_eq!((ENTRY, CredentialStamp::LEN), (24, 32));
        for script in [&ENTER, &LEAVE, &RESTAMP] {
            let text = script.text();
            assert!(text.contains("~= 24") && text.contains("== 32"));
            assert!(!text.contains('$'), "{text}");
        }
    }
}
