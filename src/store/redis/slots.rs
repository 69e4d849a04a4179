//! Which node of a cluster has which slot.

use std::sync::Arc;

use ::redis::Value;
use memchr::memchr;

use super::address::Address;

/// The nodes by the last slot of each range, in order.
pub(super) struct Slots<N>(Vec<Range<N>>);

struct Range<N> {
    first: u16,
    last: u16,
    node: Arc<N>,
}

impl<N> Slots<N> {
    /// Reads what a node answers to `CLUSTER SLOTS`; a node that does not name itself is where it was asked.
    pub(super) fn read(
        answer: &Value,
        asked: &Address,
        mut node: impl FnMut(Address) -> Arc<N>,
    ) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut read = Vec::with_capacity(ranges.len());
        for range in ranges {
            let (first, last, address) = primary(range, asked)?;
            let node = node(address);
            read.push(Range { first, last, node });
        }
        read.sort_by_key(|range| range.first);
        Some(Self(read))
    }

    /// Returns the node of a slot.
    pub(super) fn of(&self, slot: u16) -> Option<&Arc<N>> {
        let place = self.0.partition_point(|range| range.last < slot);
        let range = self.0.get(place)?;
        (range.first <= slot).then_some(&range.node)
    }

    /// Returns the nodes that have slots, some of them several times.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Arc<N>> {
        self.0.iter().map(|range| &range.node)
    }

    /// Returns the first and the last slot of each range, and its node.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u16, u16, &Arc<N>)> {
        let ranges = self.0.iter();
        ranges.map(|range| (range.first, range.last, &range.node))
    }
}

/// Reads a range: its slots, then its nodes, of which the first is the primary.
fn primary(range: &Value, asked: &Address) -> Option<(u16, u16, Address)> {
    let Value::Array(parts) = range else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(primary),
        ..,
    ] = &parts[..]
    else {
        return None;
    };
    let [host, Value::Int(port), ..] = &primary[..] else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => str::from_utf8(host).ok()?,
        _ => "",
    };
    let address = at(host, u16::try_from(*port).ok()?, asked);
    Some((
        u16::try_from(*first).ok()?,
        u16::try_from(*last).ok()?,
        address,
    ))
}

/// Reads where a key is said to be: `3999 host:port`.
pub(super) fn redirection(details: &str, asked: &Address) -> Option<Address> {
    let (_, place) = details.split_once(' ')?;
    let (host, port) = place.rsplit_once(':')?;
    Some(at(host, port.parse().ok()?, asked))
}

/// Puts an address together; without a host it is that of the node that was asked.
fn at(host: &str, port: u16, asked: &Address) -> Address {
    match (host, asked) {
        ("" | "?", Address::Tcp(host, _)) => Address::Tcp(host.clone(), port),
        _ => Address::Tcp(host.to_owned(), port),
    }
}

/// Returns the slot of a key: CRC-16 of it, as XMODEM reckons it.
pub(super) fn slot(key: &[u8]) -> u16 {
    let crc = tag(key).iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    });
    crc % 16_384
}

/// Returns the part of a key that chooses the slot: what is in its first braces, unless that is nothing, or all of it.
fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr(b'{', key) else {
        return key;
    };
    let inner = &key[open + 1..];
    match memchr(b'}', inner) {
        None | Some(0) => key,
        Some(close) => &inner[..close],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Address {
        Address::Tcp("asked".to_owned(), 1)
    }

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let node = Value::Array(vec![
            host,
            Value::Int(port),
            Value::BulkString(b"id".to_vec()),
        ]);
        Value::Array(vec![Value::Int(first), Value::Int(last), node])
    }

    fn named(host: &str) -> Value {
        Value::BulkString(host.as_bytes().to_vec())
    }

    #[test]
    fn a_slot_is_what_the_servers_say_it_is() {
        for (key, expected) in [("123456789", 12_739), ("foo", 12_182), ("", 0)] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn what_is_in_the_first_braces_chooses_the_slot_if_it_is_something() {
        for (key, expected) in [
            ("@{foo}bar{x}", "foo"),
            ("@{{foo}}", "{foo"),
            ("@{}{foo}", "@{}{foo}"),
            ("@}{foo", "@}{foo"),
            ("@{foo", "@{foo"),
            ("@foo}", "@foo}"),
        ] {
            assert_eq!(str::from_utf8(tag(key.as_bytes())), Ok(expected), "{key}");
        }
        assert_eq!(slot(b"@{foo}1"), 12_182);
    }

    #[test]
    fn each_slot_has_the_node_of_its_range_and_a_gap_has_none() {
        let answer = Value::Array(vec![
            range(8_000, 16_383, named("b"), 2),
            range(0, 5_000, named("a"), 1),
            range(5_001, 6_000, Value::Nil, 3),
        ]);
        let slots = Slots::read(&answer, &asked(), Arc::new).unwrap();
        for (slot, expected) in [
            (0, Some(tcp("a", 1))),
            (5_000, Some(tcp("a", 1))),
            (5_001, Some(tcp("asked", 3))),
            (6_001, None),
            (7_999, None),
            (8_000, Some(tcp("b", 2))),
            (16_383, Some(tcp("b", 2))),
        ] {
            assert_eq!(
                slots.of(slot).map(|node| (**node).clone()),
                expected,
                "{slot}"
            );
        }
        assert_eq!(slots.nodes().count(), 3);
    }

    #[test]
    fn what_is_no_list_of_ranges_is_not_read() {
        for answer in [Value::Nil, Value::Array(vec![Value::Int(1)])] {
            assert!(Slots::read(&answer, &asked(), Arc::new).is_none());
        }
        assert!(range(0, 70_000, named("a"), 1) != Value::Nil);
        let too_far = Value::Array(vec![range(0, 70_000, named("a"), 1)]);
        assert!(Slots::read(&too_far, &asked(), Arc::new).is_none());
    }

    #[test]
    fn a_redirection_names_a_node_or_another_port_of_the_one_that_was_asked() {
        for (details, expected) in [
            ("3999 127.0.0.1:6381", Some(tcp("127.0.0.1", 6381))),
            ("3999 ::1:6381", Some(tcp("::1", 6381))),
            ("3999 :6381", Some(tcp("asked", 6381))),
            ("3999 host:port", None),
            ("3999", None),
        ] {
            assert_eq!(redirection(details, &asked()), expected, "{details}");
        }
    }
}
