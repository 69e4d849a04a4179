//! How a layer with a keyring keeps the values of its sessions: sealed or not.

use zeroize::Zeroizing;

use super::{DataKey, Distrust, First, Next, Opened, Unmade, keyed::Keyed, sealed::Bound};
use crate::{
    id::{Handle, Random, SecretHash, Token},
    record::{Header, Record, Seal, Values, Wrap, WrappedKey},
};

impl Keyed {
    /// Makes the first record of a session.
    pub(super) fn create(
        &self,
        mut first: First<'_>,
        random: Random,
    ) -> Result<(Record, Option<Opened>), Unmade> {
        let (handle, header) = (first.token.handle(), &mut first.header);
        let (stored, opened) = match self.seals {
            true => self.seal_anew(header, first.token, first.values, random)?,
            false => (first.values.clone(), None),
        };
        let record = self.record(handle, first.version, &first.header, &stored)?;
        Ok((record, opened))
    }

    /// Makes the record that follows another.
    pub(super) fn succeed(
        &self,
        next: Next<'_>,
        random: Random,
    ) -> Result<(Record, Option<Opened>), Unmade> {
        if !self.still_knows(next.old) {
            return Err(Unmade::KeyDropped);
        }
        let (Ok(mut header) | Err(mut header)) = next.header;
        let values = next.values;
        let (stored, opened) = match (next.rotated, next.opened) {
            (Some(token), _) if self.seals => self.seal_anew(&mut header, token, values, random)?,
            (None, Some(opened)) => {
                if let Some((secret, token)) = next.renewed {
                    self.wrap(&mut header, secret, token, &opened.key)?;
                }
                match *values == opened.values {
                    // Whatever else is written, the values stay as they are, byte for byte.
                    true => (next.old.shared_values(), Some(opened.clone())),
                    false => self.seal(&mut header, next.handle, &opened.key, values, random)?,
                }
            }
            (Some(_), _) | (None, None) => {
                header.seal = None;
                (values.clone(), None)
            }
        };
        let record = self.record(next.handle, next.version, &header, &stored)?;
        Ok((record, opened))
    }

    /// Seals values with a key that is drawn for them, and wrapped under the secret that the header has by now.
    fn seal_anew(
        &self,
        header: &mut Header<'_>,
        token: &Token,
        values: &Values,
        random: Random,
    ) -> Result<(Values, Option<Opened>), Unmade> {
        let (key, secret) = (DataKey::draw(random)?, header.secret);
        self.wrap(header, &secret, token, &key)?;
        self.seal(header, token.handle(), &key, values, random)
    }

    fn seal(
        &self,
        header: &mut Header<'_>,
        handle: Handle,
        key: &DataKey,
        values: &Values,
        random: Random,
    ) -> Result<(Values, Option<Opened>), Unmade> {
        let seal = Seal {
            key: self.keyring.ring().active().tag(),
            counter: header.seal.map_or(0, |seal| seal.counter).wrapping_add(1),
        };
        let bound = self.bound_to_values(handle, &seal);
        let sealed = key.seal(&values.stored(), &bound, random)?;
        header.seal = Some(seal);
        let opened = Opened {
            values: values.clone(),
            key: key.clone(),
        };
        Ok((Values::from_stored(sealed), Some(opened)))
    }

    /// Adds a key to a header, wrapped under a secret that was drawn just now.
    fn wrap(
        &self,
        header: &mut Header<'_>,
        secret: &SecretHash,
        token: &Token,
        key: &DataKey,
    ) -> Result<(), Unmade> {
        let pad = self.pad(secret, token).ok_or(Unmade::KeyDropped)?;
        header.add_wrap(Wrap::new(secret, key.wrap(&pad)));
        Ok(())
    }

    /// Opens the values of a record for the id that it belongs to.
    pub(super) fn open(
        &self,
        handle: Handle,
        header: &Header<'_>,
        record: &Record,
        (secret, token): (&SecretHash, &Token),
    ) -> Result<Option<Opened>, Distrust> {
        if header.seal.is_none() {
            return Ok(None);
        }
        let wrap = header.wrap_of(secret).ok_or(Distrust::Forged)?;
        let pad = self.pad(secret, token).ok_or(Distrust::UnknownKey)?;
        let key = DataKey::unwrap(wrap.key(), &pad);
        self.reopen(handle, header, record, Some(&key))
    }

    /// Opens the values of a record with the key that opened them before.
    pub(super) fn reopen(
        &self,
        handle: Handle,
        header: &Header<'_>,
        record: &Record,
        key: Option<&DataKey>,
    ) -> Result<Option<Opened>, Distrust> {
        let Some(seal) = &header.seal else {
            return Ok(None);
        };
        let key = key.ok_or(Distrust::Forged)?;
        let bound = self.bound_to_values(handle, seal);
        let values = key.open(record.values(), &bound).ok_or(Distrust::Forged)?;
        Ok(Some(Opened {
            values: Values::from_stored(values),
            key: key.clone(),
        }))
    }

    /// Returns what hides the key of a session's values from all but those who have the id and the key that hashes it.
    fn pad(&self, secret: &SecretHash, token: &Token) -> Option<Zeroizing<WrappedKey>> {
        let ring = self.keyring.ring();
        ring.find(secret.key()?).map(|key| key.pad(token))
    }

    /// Returns what values are bound to: whose, under which handle, by which key, the how manieth, and that they are data.
    fn bound_to_values(&self, handle: Handle, seal: &Seal) -> Bound {
        let mut bound = [0; size_of::<Bound>()];
        bound[..32].copy_from_slice(&self.layer);
        bound[32..48].copy_from_slice(handle.as_bytes());
        bound[48..52].copy_from_slice(&seal.key);
        bound[52..60].copy_from_slice(&seal.counter.to_be_bytes());
        bound[60..].copy_from_slice(b"data");
        bound
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        clock::Timestamp,
        guard::Guard,
        keyring::{Keyring, ServerKey},
        record::Version,
    };

    const HANDLE: Handle = Handle::from_bytes([0; 16]);
    const NOW: Timestamp = Timestamp::from_millis(1_795_737_600_000);

    fn guard(name: &str, key: u8) -> Guard {
        let keyring = Keyring::new(ServerKey::for_test(key));
        Guard::with_keyring(name, keyring, true)
    }

    fn own() -> Guard {
        guard("id", 1)
    }

    /// An id of the handle of zeros.
    fn token(fill: u8) -> Token {
        let mut text = [b'A'; Token::CHARS];
        text[22..].fill(fill);
        Token::parse(&text).unwrap()
    }

    fn values(json: &str) -> Values {
        let values = Values::empty().with("a", Some(json.as_bytes()));
        values.unwrap().unwrap()
    }

    fn created(guard: &Guard, token: &Token) -> (Record, Opened) {
        let first = First {
            token,
            version: Version::from_u64(1),
            header: Header::new(guard.hash(token), None),
            values: &values("1"),
        };
        let (record, opened) = guard.create(first, Random::System).unwrap();
        (record, opened.unwrap())
    }

    fn next<'a>(old: &'a Record, opened: &'a Opened, values: &'a Values) -> Next<'a> {
        Next {
            handle: HANDLE,
            version: Version::from_u64(2),
            old,
            opened: Some(opened),
            header: Err(Header::decode(old.header()).unwrap()),
            rotated: None,
            renewed: None,
            values,
        }
    }

    /// Opens a record for an id, as a request does.
    fn open(guard: &Guard, record: &Record, token: &Token) -> Result<Option<Values>, Distrust> {
        let header = guard
            .read(HANDLE, record, NOW)
            .map_err(|_| Distrust::Forged)?;
        let secret = guard.hash_as(&header, token);
        let opened = guard.open(HANDLE, &header, record, (&secret, token))?;
        Ok(opened.map(|opened| opened.values))
    }

    fn seal_of(record: &Record) -> Option<Seal> {
        Header::decode(record.header()).unwrap().seal
    }

    #[test]
    fn values_open_with_the_id_and_the_server_key_and_with_neither_alone() {
        let (record, _) = created(&own(), &token(b'A'));
        assert_eq!(open(&own(), &record, &token(b'A')), Ok(Some(values("1"))));
        assert!(open(&own(), &record, &token(b'B')).is_err(), "another id");
        assert!(
            open(&guard("id", 2), &record, &token(b'A')).is_err(),
            "another key"
        );
        assert!(
            open(&guard("id2", 1), &record, &token(b'A')).is_err(),
            "another layer"
        );
        let stored = record.values();
        assert!(!stored.windows(2).any(|part| part == b"a\0"));
    }

    #[test]
    fn a_value_is_sealed_anew_with_the_next_counter_and_other_writes_leave_it_as_it_is() {
        let (first, opened) = created(&own(), &token(b'A'));
        let same = next(&first, &opened, &opened.values);
        let (same, _) = own().succeed(same, Random::System).unwrap();
        assert_eq!(same.values(), first.values());
        assert_eq!(seal_of(&same), seal_of(&first));
        let changed = values("2");
        let written = next(&first, &opened, &changed);
        let (written, _) = own().succeed(written, Random::System).unwrap();
        assert_eq!(seal_of(&first).unwrap().counter, 1);
        assert_eq!(seal_of(&written).unwrap().counter, 2);
        assert_eq!(open(&own(), &written, &token(b'A')), Ok(Some(values("2"))));
    }

    /// Only a holder of the keys can write the last counter; the session's next write must not panic for it.
    #[test]
    fn after_the_last_counter_comes_the_first() {
        let (first, opened) = created(&own(), &token(b'A'));
        let changed = values("2");
        let mut written = next(&first, &opened, &changed);
        let (Ok(header) | Err(header)) = &mut written.header;
        header.seal.as_mut().unwrap().counter = u64::MAX;
        let (written, _) = own().succeed(written, Random::System).unwrap();
        assert_eq!(seal_of(&written).unwrap().counter, 0);
        assert_eq!(open(&own(), &written, &token(b'A')), Ok(Some(values("2"))));
    }

    #[test]
    fn a_renewal_wraps_the_same_key_and_both_ids_open_the_values() {
        let (first, opened) = created(&own(), &token(b'A'));
        let (later, guard) = (token(b'B'), own());
        let hash = guard.hash(&later);
        let mut header = Header::decode(first.header()).unwrap();
        header.renew(hash, NOW);
        let renewed = Next {
            header: Ok(header),
            renewed: Some((&hash, &later)),
            ..next(&first, &opened, &opened.values)
        };
        let (renewed, _) = guard.succeed(renewed, Random::System).unwrap();
        assert_eq!(renewed.values(), first.values());
        for token in [&token(b'A'), &later] {
            assert_eq!(open(&guard, &renewed, token), Ok(Some(values("1"))));
        }
        let mut header = Header::decode(renewed.header()).unwrap();
        header.confirm(hash, NOW);
        let confirmed = Next {
            header: Ok(header),
            ..next(&renewed, &opened, &opened.values)
        };
        let (confirmed, _) = guard.succeed(confirmed, Random::System).unwrap();
        for token in [&token(b'A'), &later] {
            assert_eq!(open(&guard, &confirmed, token), Ok(Some(values("1"))));
        }
    }

    #[test]
    fn an_id_whose_grace_is_over_has_the_values_key_no_longer_and_is_remembered() {
        let (first, opened) = created(&own(), &token(b'A'));
        let (later, guard) = (token(b'B'), own());
        let (old, new) = (guard.hash(&token(b'A')), guard.hash(&later));
        let (at_once, grace) = (Duration::ZERO, Duration::from_secs(60));
        for (after, is_wrapped) in [(at_once, true), (grace / 2, true), (grace, false)] {
            let mut header = Header::decode(first.header()).unwrap();
            header.renew(new, NOW);
            header.confirm(new, NOW);
            header.close(NOW + after, grace);
            let confirmed = Next {
                header: Ok(header),
                renewed: Some((&new, &later)),
                ..next(&first, &opened, &opened.values)
            };
            let (confirmed, _) = guard.succeed(confirmed, Random::System).unwrap();
            let header = guard.read(HANDLE, &confirmed, NOW).unwrap();
            assert_eq!(header.wrap_of(&old).is_some(), is_wrapped, "{after:?}");
            assert!(header.knows(&old) && header.wrap_of(&new).is_some());
        }
    }

    #[test]
    fn a_privilege_change_draws_another_key_and_the_old_id_has_no_part_in_it() {
        let (first, opened) = created(&own(), &token(b'A'));
        let (later, guard) = (token(b'B'), own());
        let mut header = Header::decode(first.header()).unwrap();
        header.rotate(guard.hash(&later), NOW);
        let rotated = Next {
            header: Ok(header),
            rotated: Some(&later),
            ..next(&first, &opened, &opened.values)
        };
        let (rotated, _) = guard.succeed(rotated, Random::System).unwrap();
        assert_eq!(open(&guard, &rotated, &later), Ok(Some(values("1"))));
        let header = guard.read(HANDLE, &rotated, NOW).unwrap();
        assert!(header.wrap_of(&guard.hash(&token(b'A'))).is_none());
        let with_the_old_key = guard.reopen(HANDLE, &header, &rotated, Some(&opened.key));
        assert_eq!(with_the_old_key.unwrap_err(), Distrust::Forged);
    }

    /// A request takes its time, and between two of its steps all keys are other ones.
    #[test]
    fn nothing_is_made_of_what_a_key_has_made_that_was_dropped_since() {
        let keyring = Keyring::new(ServerKey::for_test(1));
        let guard = Guard::with_keyring("id", keyring.clone(), false);
        let (id, one) = (token(b'A'), values("1"));
        let first = || First {
            token: &id,
            version: Version::from_u64(1),
            header: Header::new(own().hash(&id), None),
            values: &one,
        };
        let (record, _) = guard.create(first(), Random::System).unwrap();
        keyring.replace(Keyring::new(ServerKey::for_test(2)));
        let created = guard.create(first(), Random::System);
        assert!(matches!(created, Err(Unmade::KeyDropped)));
        let later = token(b'B');
        let mut header = Header::decode(record.header()).unwrap();
        header.rotate(guard.hash(&later), NOW);
        let next = Next {
            handle: HANDLE,
            version: Version::from_u64(2),
            old: &record,
            opened: None,
            header: Ok(header),
            rotated: Some(&later),
            renewed: None,
            values: &values("2"),
        };
        let rotated = guard.succeed(next, Random::System);
        assert!(matches!(rotated, Err(Unmade::KeyDropped)));
    }

    #[test]
    fn a_layer_that_seals_no_more_opens_what_was_sealed_until_the_next_privilege_change() {
        let (first, opened) = created(&own(), &token(b'A'));
        let keyring = Keyring::new(ServerKey::for_test(1));
        let (later, plain) = (token(b'B'), Guard::with_keyring("id", keyring, false));
        assert_eq!(open(&plain, &first, &token(b'A')), Ok(Some(values("1"))));
        let mut header = Header::decode(first.header()).unwrap();
        header.rotate(plain.hash(&later), NOW);
        let rotated = Next {
            header: Ok(header),
            rotated: Some(&later),
            ..next(&first, &opened, &opened.values)
        };
        let (rotated, none) = plain.succeed(rotated, Random::System).unwrap();
        assert!(none.is_none() && seal_of(&rotated).is_none());
        assert_eq!(rotated.shared_values(), values("1"));
    }

    #[test]
    fn the_mac_of_a_sealed_record_covers_format_nonce_and_tag_and_the_tag_covers_the_rest() {
        let (guard, id) = (own(), token(b'A'));
        let (good, _) = created(&guard, &id);
        for at in 0..good.values().len() {
            let mut values = good.values().to_vec();
            values[at] ^= 1;
            let bad = Record::new(good.version(), good.header(), values);
            assert_eq!(guard.read(HANDLE, &bad, NOW).is_err(), at < 29, "byte {at}");
            assert_eq!(open(&guard, &bad, &id), Err(Distrust::Forged), "byte {at}");
        }
    }

    /// Whoever has the server's keys can make MACs, but he cannot move what is sealed.
    #[test]
    fn sealed_values_are_bound_to_handle_layer_key_and_counter() {
        let guard = own();
        let (first, opened) = created(&guard, &token(b'A'));
        let changed = values("2");
        let written = next(&first, &opened, &changed);
        let (written, _) = guard.succeed(written, Random::System).unwrap();
        let seal = seal_of(&written).unwrap();
        let header = |seal| {
            let mut header = Header::decode(written.header()).unwrap();
            header.seal = Some(seal);
            header
        };
        let reopen = |guard: &Guard, handle, seal, record| {
            let opened = guard.reopen(handle, &header(seal), record, Some(&opened.key));
            opened.map(|_| ())
        };
        let forged = Err(Distrust::Forged);
        let other = Handle::from_bytes([1; 16]);
        let (earlier, renamed) = (
            Seal { counter: 1, ..seal },
            Seal {
                key: [9; 4],
                ..seal
            },
        );
        assert_eq!(reopen(&guard, HANDLE, seal, &written), Ok(()));
        assert_eq!(reopen(&guard, HANDLE, seal, &first), forged, "old values");
        assert_eq!(reopen(&guard, HANDLE, earlier, &written), forged);
        assert_eq!(reopen(&guard, HANDLE, renamed, &written), forged);
        assert_eq!(reopen(&guard, other, seal, &written), forged);
        assert_eq!(
            reopen(&self::guard("id2", 1), HANDLE, seal, &written),
            forged
        );
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_header_of_a_sealed_record_is_stable() {
        let (record, _) = created(&own(), &token(b'A'));
        let header = record.header();
        assert_eq!(header.len(), 1 + 39 + 11 + 15 + 43 + 39);
        assert_eq!(header[51..54], [13, 0, 12]);
        assert_eq!(header[54..58], ServerKey::for_test(1).derived().tag());
        assert_eq!(header[58..66], 1_u64.to_be_bytes());
        assert_eq!(header[66..69], [14, 0, 40]);
        assert_eq!(header[69..77], own().hash(&token(b'A')).as_bytes()[..8]);
    }

    /// What is stored is kept for ever: these bytes must never change.
    #[test]
    fn what_hides_a_key_and_what_values_are_bound_to_are_stable() {
        let guard = guard("__Host-Http-id", 7);
        let keyed = guard.keyed.as_ref().unwrap();
        let secret = guard.hash(&token(b'A'));
        let pad = keyed.pad(&secret, &token(b'A')).unwrap();
        let start = |bytes: &[u8]| u64::from_be_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(start(&*pad), 0xa4fc_834d_b961_baaf);
        let key = ServerKey::for_test(7).derived().tag();
        let bound = keyed.bound_to_values(HANDLE, &Seal { key, counter: 3 });
        assert_eq!(start(&bound), 0xc8e3_4283_1268_cc0f);
        let rest = [&[0; 16], &key[..], &[0, 0, 0, 0, 0, 0, 0, 3], b"data"].concat();
        assert_eq!(bound[32..], rest);
    }
}
