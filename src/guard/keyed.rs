//! Records that are authenticated with a keyring.

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Distrust, Unmade, Unreadable, sealed};
use crate::{
    clock::Timestamp,
    id::{Handle, IdHasher, KeyTag, SecretHash, Token, id_context},
    keyring::{Derived, Keyring, Ring},
    record::{Authenticated, Header, Record, Values, Version},
};

/// The keyring of a layer, and whose records are made with it.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) keyring: Keyring,
    id_context: Vec<u8>,
    /// The hash of that: who the layer is, in so many bytes whatever its cookie's name.
    pub(super) layer: [u8; 32],
    /// Values are sealed when a secret is drawn.
    pub(super) seals: bool,
}

impl Keyed {
    pub(super) fn new(cookie_name: &str, keyring: Keyring, seals: bool) -> Self {
        let id_context = id_context(cookie_name);
        Self {
            keyring,
            layer: Sha256::digest(&id_context).into(),
            id_context,
            seals,
        }
    }

    pub(super) fn hash(&self, token: &Token) -> SecretHash {
        self.hash_with(self.keyring.ring().active(), token)
    }

    /// Hashes a secret with the key that a record's own secrets were hashed with.
    pub(super) fn hash_as(
        &self,
        header: &Header<'_>,
        token: &Token,
        unkeyed: &IdHasher,
    ) -> SecretHash {
        let ring = self.keyring.ring();
        let hash = |key: Option<KeyTag>| match key {
            None => Some(unkeyed.hash(token)),
            Some(tag) => Some(self.hash_with(ring.find(tag)?, token)),
        };
        let current = hash(header.secret.key());
        let is_current = |hash: &SecretHash| header.secret.matches(hash);
        let found = current.filter(is_current).or_else(|| {
            let mut others = header.other_keys().into_iter().filter_map(hash);
            others.find(|hash| header.knows(hash))
        });
        found.unwrap_or_else(|| self.hash_with(ring.active(), token))
    }

    fn hash_with(&self, key: &Derived, token: &Token) -> SecretHash {
        let message = Zeroizing::new(token.message());
        let mut mac = key.secret(&self.id_context);
        mac.update(&*message);
        SecretHash::from_bytes(mac.finalize().into_bytes().into()).keyed(Some(key.tag()))
    }

    pub(super) fn read<'a>(
        &self,
        handle: Handle,
        record: &'a Record,
        now: Timestamp,
    ) -> Result<Header<'a>, Unreadable> {
        let ring = self.keyring.ring();
        let authenticated = Authenticated::of(record.header());
        match &authenticated {
            Some(authenticated) => self.verify(&ring, handle, record, authenticated)?,
            None if ring.accepts_unkeyed(now) => {}
            None => return Err(Distrust::Unauthenticated.into()),
        }
        let header = Header::decode(record.header())?;
        if authenticated.is_none() && has_traces_of_a_key(&header) {
            // What a keyring has written had a MAC: somebody has taken it away.
            return Err(Distrust::Forged.into());
        }
        match opens(&ring, &header) {
            true => Ok(header),
            false => Err(Distrust::UnknownKey.into()),
        }
    }

    fn verify(
        &self,
        ring: &Ring,
        handle: Handle,
        record: &Record,
        authenticated: &Authenticated<'_>,
    ) -> Result<(), Distrust> {
        let key = ring.find(authenticated.key).ok_or(Distrust::UnknownKey)?;
        let mac = self.mac(
            key,
            handle,
            record.version(),
            authenticated.header,
            record.values(),
        );
        mac.verify_slice(authenticated.mac)
            .map_err(|_| Distrust::Forged)
    }

    /// Makes a record, unless the key of its ids has just been dropped.
    pub(super) fn record(
        &self,
        handle: Handle,
        version: Version,
        header: &Header<'_>,
        values: &Values,
    ) -> Result<Record, Unmade> {
        let ring = self.keyring.ring();
        if !opens(&ring, header) {
            return Err(Unmade::KeyDropped);
        }
        let (key, mut header) = (ring.active(), header.encode());
        let mac = self.mac(key, handle, version, &header, &values.stored());
        Authenticated::write(&mut header, key.tag(), &mac.finalize().into_bytes().into());
        Ok(Record::of(version, header.into(), values))
    }

    /// Tells whether the keys of a record that was read before are still there: what they have made is not brought under
    /// another one.
    pub(super) fn still_knows(&self, record: &Record) -> bool {
        let ring = self.keyring.ring();
        let key = Authenticated::of(record.header()).map(|authenticated| authenticated.key);
        let has_mac = key.is_none_or(|key| ring.find(key).is_some());
        has_mac && Header::decode(record.header()).is_ok_and(|header| opens(&ring, &header))
    }

    /// Authenticates all that a record says, whose it is, and under which handle it stands. What has no length of its own
    /// comes after its length, or last.
    fn mac(
        &self,
        key: &Derived,
        handle: Handle,
        version: Version,
        header: &[u8],
        values: &[u8],
    ) -> Hmac<Sha256> {
        // Sealed values have a tag, which who has not their key cannot keep while he changes them.
        let values = sealed::head(values).unwrap_or(values);
        let mut mac = key.record(&self.id_context);
        mac.update(handle.as_bytes());
        mac.update(&version.as_u64().to_be_bytes());
        mac.update(&(header.len() as u64).to_be_bytes());
        mac.update(header);
        mac.update(values);
        mac
    }
}

/// Tells whether there is a key of one of the ids that a session goes on with.
fn opens(ring: &Ring, header: &Header<'_>) -> bool {
    let is_known = |key: Option<KeyTag>| key.is_none_or(|key| ring.find(key).is_some());
    is_known(header.secret.key()) || header.successor_keys().into_iter().any(is_known)
}

/// Tells whether a keyring has written a part of it.
fn has_traces_of_a_key(header: &Header<'_>) -> bool {
    let mut others = header.other_keys().into_iter();
    header.is_authenticated
        || header.seal.is_some()
        || header.secret.key().is_some()
        || others.any(|key| key.is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{guard::Guard, keyring::ServerKey};

    const HANDLE: Handle = Handle::from_bytes([5; 16]);
    const NOW: Timestamp = Timestamp::from_millis(1_795_737_600_000);
    const NAME: &str = "__Host-Http-id";

    fn ring(active: u8, previous: &[u8]) -> Keyring {
        let ring = Keyring::new(ServerKey::for_test(active));
        let mut previous = previous.iter().copied().map(ServerKey::for_test);
        previous
            .try_fold(ring, |ring, key| ring.with_next(key))
            .unwrap()
    }

    fn guard(keyring: Keyring) -> Guard {
        Guard::with_keyring(NAME, keyring, false)
    }

    /// Makes a record of a header and no values.
    fn with_header(guard: &Guard, header: &Header<'_>) -> Record {
        let (keyed, version) = (guard.keyed.as_ref().unwrap(), Version::from_u64(9));
        let made = keyed.record(HANDLE, version, header, &Values::empty());
        made.unwrap()
    }

    fn token() -> Token {
        Token::parse(&[b'A'; Token::CHARS]).unwrap()
    }

    fn record(guard: &Guard) -> Record {
        let header = Header::new(guard.hash(&token()), None);
        let values = Values::empty().with("a", Some(b"1")).unwrap().unwrap();
        match &guard.keyed {
            Some(keyed) => {
                let made = keyed.record(HANDLE, Version::from_u64(9), &header, &values);
                made.unwrap()
            }
            None => Record::of(Version::from_u64(9), header.encode().into(), &values),
        }
    }

    /// Says what becomes of a record.
    fn read(guard: &Guard, handle: Handle, record: &Record) -> Result<(), Distrust> {
        match guard.read(handle, record, NOW) {
            Ok(_) => Ok(()),
            Err(Unreadable::Untrusted(distrust)) => Err(distrust),
            Err(undecodable) => panic!("{undecodable}"),
        }
    }

    #[test]
    fn a_record_is_read_by_who_has_its_key_and_by_nobody_else() {
        let record = record(&guard(ring(1, &[])));
        for (case, guard, expected) in [
            ("the same", guard(ring(1, &[])), Ok(())),
            ("a later ring", guard(ring(2, &[1])), Ok(())),
            (
                "a ring without it",
                guard(ring(2, &[3])),
                Err(Distrust::UnknownKey),
            ),
            ("no ring", Guard::new(NAME), Err(Distrust::UnknownKey)),
            (
                "another application",
                Guard::with_keyring("id", ring(1, &[]), false),
                Err(Distrust::Forged),
            ),
        ] {
            assert_eq!(read(&guard, HANDLE, &record), expected, "{case}");
        }
    }

    #[test]
    fn whatever_is_changed_in_a_record_is_noticed() {
        let guard = guard(ring(1, &[2]));
        let good = record(&guard);
        let (version, header, values) = (good.version(), good.header(), good.values());
        for at in 0..header.len() {
            for bit in 0..8 {
                let mut bad = header.to_vec();
                bad[at] ^= 1 << bit;
                let bad = Record::new(version, bad, values);
                assert!(read(&guard, HANDLE, &bad).is_err(), "header, byte {at}");
            }
        }
        for at in 0..values.len() {
            let mut bad = values.to_vec();
            bad[at] ^= 1;
            let bad = Record::new(version, header, bad);
            assert_eq!(read(&guard, HANDLE, &bad), Err(Distrust::Forged), "{at}");
        }
        for len in 0..header.len() {
            let bad = Record::new(version, &header[..len], values);
            assert!(read(&guard, HANDLE, &bad).is_err(), "cut at {len}");
        }
        for (case, handle, bad) in [
            (
                "another version",
                HANDLE,
                Record::new(Version::from_u64(8), header, values),
            ),
            (
                "under another handle",
                Handle::from_bytes([6; 16]),
                good.clone(),
            ),
            (
                "a part moved into the values",
                HANDLE,
                Record::new(version, header, [&header[30..], values].concat()),
            ),
        ] {
            assert_eq!(read(&guard, handle, &bad), Err(Distrust::Forged), "{case}");
        }
    }

    #[test]
    fn a_hash_and_a_mac_of_one_key_are_nothing_under_the_name_of_another() {
        let guard = guard(ring(1, &[2]));
        let good = record(&guard);
        let other = ServerKey::for_test(2).derived().tag();
        let own = ServerKey::for_test(1).derived().tag();
        let at = good.header().windows(4).rposition(|part| part == own);
        let mut renamed = good.header().to_vec();
        renamed[at.unwrap()..][..4].copy_from_slice(&other);
        let bad = Record::new(good.version(), renamed, good.values());
        assert_eq!(read(&guard, HANDLE, &bad), Err(Distrust::Forged));
    }

    #[test]
    fn a_record_without_a_mac_is_accepted_until_the_time_that_was_set_and_only_with_an_unkeyed_hash()
     {
        let plain = record(&Guard::new(NAME));
        let before =
            guard(ring(1, &[]).with_unkeyed_until(NOW + std::time::Duration::from_millis(1)));
        let after = guard(ring(1, &[]).with_unkeyed_until(NOW));
        assert_eq!(read(&before, HANDLE, &plain), Ok(()));
        let header = before.read(HANDLE, &plain, NOW).unwrap();
        assert!(header.secret.matches(&before.hash_as(&header, &token())));
        assert_eq!(read(&after, HANDLE, &plain), Err(Distrust::Unauthenticated));

        let keyed = record(&before);
        let stripped = &keyed.header()[..keyed.header().len() - 39];
        let stripped = Record::new(keyed.version(), stripped, keyed.values());
        assert_eq!(read(&before, HANDLE, &stripped), Err(Distrust::Forged));
    }

    #[test]
    fn a_session_whose_secrets_were_hashed_with_a_dropped_key_is_dead_though_its_mac_is_of_another()
    {
        let old = guard(ring(1, &[]));
        let header = Header::new(old.hash(&token()), None);
        let both = guard(ring(2, &[1]));
        let record = with_header(&both, &header);
        assert_eq!(read(&both, HANDLE, &record), Ok(()));
        let dropped = guard(ring(2, &[]));
        assert_eq!(read(&dropped, HANDLE, &record), Err(Distrust::UnknownKey));
        let mut renewed = header;
        renewed.renew(dropped.hash(&token()), NOW);
        let record = with_header(&both, &renewed);
        assert_eq!(
            read(&dropped, HANDLE, &record),
            Ok(()),
            "its browser may hold the next"
        );
    }

    #[test]
    fn an_id_is_hashed_with_the_key_of_the_secret_that_it_is() {
        let (old, new) = (guard(ring(1, &[])), guard(ring(2, &[1])));
        let [first, second, third] =
            [b'A', b'B', b'C'].map(|fill| Token::parse(&[fill; 64]).unwrap());
        let mut header = Header::new(old.hash(&first), None);
        header.renew(new.hash(&second), NOW);
        for token in [&first, &second] {
            assert!(header.knows(&new.hash_as(&header, token)));
        }
        assert!(!header.knows(&new.hash_as(&header, &third)));
        assert!(!header.knows(&guard(ring(2, &[])).hash_as(&header, &first)));
    }

    /// The stored form is kept for ever: these bytes must never change.
    #[test]
    fn the_keyed_hash_and_the_mac_are_stable() {
        let guard = guard(ring(7, &[]));
        let hash = guard.hash(&token());
        assert_eq!(hash.key(), Some([0x5c, 0x4c, 0xc6, 0x4e]));
        let start = |bytes: &[u8]| u64::from_be_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(start(hash.as_bytes()), 0xd3ad_149b_5341_ad29);
        let record = record(&guard);
        let header = record.header();
        assert_eq!(header.len(), 1 + 39 + 11 + 39);
        assert_eq!(header[..4], [1, 1, 0, 36]);
        assert_eq!(header[51..58], [12, 0, 36, 0x5c, 0x4c, 0xc6, 0x4e]);
        assert_eq!(start(&header[58..]), 0x68bd_4362_d2e8_96f0);
    }

    proptest! {
        #[test]
        fn no_record_makes_the_guard_panic_or_is_taken_for_one_of_its_own(
            header in proptest::collection::vec(any::<u8>(), 0..200),
            values in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let guard = guard(ring(1, &[2]));
            let any = Record::new(Version::from_u64(9), header, values);
            prop_assert!(read(&guard, HANDLE, &any).is_err());
        }
    }
}
