//! Many different ids from one place, none of which opens anything.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::{clock::Stopwatch, sync::Mutex};

/// Where a request comes from, as the application knows it.
///
/// See [`with_peer`](crate::SessionLayerBuilder::with_peer). Of an IPv6 address the first 64 bits count, for whoever has one
/// has all that begin like it.
///
/// ```
/// use std::net::IpAddr;
/// use tenure::PeerKey;
///
/// let key = |address: &str| PeerKey::from(address.parse::<IpAddr>().unwrap());
/// assert_eq!(key("192.0.2.7").to_string(), "192.0.2.7");
/// assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
/// assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
/// assert_eq!(PeerKey::from(42).to_string(), "42"); // the number of an API client, say
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerKey(Key);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Number(u64),
}

impl From<IpAddr> for PeerKey {
    fn from(address: IpAddr) -> Self {
        Self(Key::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        }))
    }
}

impl From<u64> for PeerKey {
    fn from(number: u64) -> Self {
        Self(Key::Number(number))
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Key::Address(address) => address.fmt(f),
            Key::Number(number) => number.fmt(f),
        }
    }
}

/// Counts ids that have opened nothing, for each peer.
#[derive(Default)]
pub(super) struct Guesses {
    /// Its key is this process's own, so nobody can choose ids that count as one.
    hash: RandomState,
    minute: Mutex<Minute>,
}

/// What was seen in the last minute.
#[derive(Default)]
struct Minute {
    since: Option<Stopwatch>,
    peers: HashMap<PeerKey, Different>,
}

/// An estimate of how many different ids there were: each sets a bit.
#[derive(Clone, Copy, Default)]
struct Different(u128);

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noticed {
    /// There are more peers than are remembered.
    Crowd,
    Guessing,
}

impl Guesses {
    /// Counts an id that has opened nothing; each peer is told of once in a minute, and a crowd as well.
    pub(super) fn count(&self, peer: PeerKey, id: &[u8], now: Stopwatch) -> Option<Noticed> {
        let bit = 1 << (self.hash.hash_one(id) % 128);
        let mut minute = self.minute.lock();
        minute.begin_if_over(now);
        let known = minute.peers.len();
        if known > MOST_PEERS && !minute.peers.contains_key(&peer) {
            return None;
        }
        let different = minute.peers.entry(peer).or_default();
        let is_new = different.add(bit);
        let is_guessing = is_new && different.0.count_ones() == GUESSES;
        // The last one that has room is told of as the crowd's.
        let is_crowd = known == MOST_PEERS && minute.peers.len() > known;
        match (is_guessing, is_crowd) {
            (true, _) => Some(Noticed::Guessing),
            (false, true) => Some(Noticed::Crowd),
            (false, false) => None,
        }
    }
}

impl Minute {
    fn begin_if_over(&mut self, now: Stopwatch) {
        let is_over = |since| now.since(since) >= MINUTE;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.peers.clear();
        }
    }
}

impl Different {
    /// Sets a bit, and tells whether it was not set before.
    const fn add(&mut self, bit: u128) -> bool {
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// So many bits of 128 are set by 37 ids, give or take a few. Behind one address there may be many browsers, but few
/// come back with another's dead id in one minute.
const GUESSES: u32 = 32;
/// A quarter of a megabyte, whoever sends what.
const MOST_PEERS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(
        guesses: &Guesses,
        peer: u64,
        ids: std::ops::Range<u32>,
        now: Stopwatch,
    ) -> Vec<Noticed> {
        ids.filter_map(|id| guesses.count(peer.into(), &id.to_be_bytes(), now))
            .collect()
    }

    #[test]
    fn many_different_ids_of_one_peer_are_told_once_in_a_minute() {
        let (guesses, start) = (Guesses::default(), Stopwatch::start());
        assert_eq!(guess(&guesses, 1, 0..200, start), [Noticed::Guessing]);
        assert_eq!(guess(&guesses, 2, 0..20, start), []);
        let late = start.later(MINUTE);
        assert_eq!(
            guess(&guesses, 2, 20..40, late),
            [],
            "they are not added up"
        );
        assert_eq!(guess(&guesses, 1, 0..200, late), [Noticed::Guessing]);
    }

    #[test]
    fn one_id_that_comes_again_and_again_is_no_guess() {
        let (guesses, start) = (Guesses::default(), Stopwatch::start());
        for _ in 0..1_000 {
            assert_eq!(guess(&guesses, 1, 0..3, start), []);
        }
    }

    #[test]
    fn more_peers_than_are_remembered_are_told_once_and_take_no_more_room() {
        let (guesses, start) = (Guesses::default(), Stopwatch::start());
        let crowd = (0..2 * MOST_PEERS as u64).flat_map(|peer| guess(&guesses, peer, 0..1, start));
        assert_eq!(crowd.collect::<Vec<_>>(), [Noticed::Crowd]);
        assert_eq!(guesses.minute.lock().peers.len(), MOST_PEERS + 1);
        let known = guess(&guesses, 7, 0..200, start);
        assert_eq!(known, [Noticed::Guessing], "who is known is watched on");
    }
}
