//! With a keyring: what somebody gains who reads the store, writes to it, or has keys that were dropped.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, StatusCode};
use tenure::{
    Ended, Event, Handle, Keyring, Lifetime, LiveSession, Renewal, ServerKey, Session,
    SessionLayer, SessionLayerBuilder, Sessions, Timestamp,
    store::{Created, Loaded, MemoryStore, Record, SessionStore, Updated, Version},
};
use tokio::sync::oneshot;

use crate::support::{Answered, Browser, Gate, Recorder, Site, Told, handler, told};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn key() -> ServerKey {
    ServerKey::generate().unwrap()
}

/// Gives a layer a keyring of its own.
pub(crate) fn keyed(builder: SessionLayerBuilder) -> SessionLayerBuilder {
    builder.with_keyring(Keyring::new(key()))
}

/// A site with a keyring, and the names of its events.
pub(crate) struct Keyed {
    pub(crate) site: Site,
    pub(crate) keyring: Keyring,
    events: Arc<Mutex<Vec<&'static str>>>,
}

impl Keyed {
    fn new() -> Self {
        Self::with(Keyring::new(key()))
    }

    fn with(keyring: Keyring) -> Self {
        Self::with_settings(keyring, |builder| builder)
    }

    pub(crate) fn with_settings(
        keyring: Keyring,
        settings: impl FnOnce(SessionLayerBuilder) -> SessionLayerBuilder,
    ) -> Self {
        let events = Arc::<Mutex<Vec<_>>>::default();
        let (seen, ring) = (events.clone(), keyring.clone());
        let site = Site::with(|builder| {
            settings(builder.with_keyring(ring)).with_observer(move |event: &Event<'_>| {
                seen.lock().unwrap().push(event.kind().name());
            })
        });
        Self {
            site,
            keyring,
            events,
        }
    }

    pub(crate) fn store(&self) -> &MemoryStore {
        &self.site.store.inner
    }

    /// Returns the lists of a layer that has the same store and keys, and sees its index.
    pub(crate) fn sessions(&self) -> Sessions {
        let builder = SessionLayer::builder(self.store().clone());
        let layer = builder.with_keyring(self.keyring.clone()).build();
        layer.unwrap().sessions()
    }

    pub(crate) fn happened(&self) -> String {
        std::mem::take(&mut *self.events.lock().unwrap()).join(" ")
    }

    pub(crate) async fn load(&self, handle: Handle) -> Option<Loaded> {
        self.store().load(&handle).await.unwrap()
    }

    /// Does what somebody does who writes to the database: puts another record into a row.
    pub(crate) async fn write(&self, handle: Handle, record: &Record) {
        let known = self.load(handle).await.unwrap().record.version();
        let written = self.store().update(&handle, known, record, HOUR).await;
        assert_eq!(written.unwrap(), Updated::Done);
    }

    /// Changes a row.
    pub(crate) async fn alter(
        &self,
        handle: Handle,
        alter: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>),
    ) {
        let record = self.load(handle).await.unwrap().record;
        let (mut header, mut values) = (record.header().to_vec(), record.values().to_vec());
        alter(&mut header, &mut values);
        let altered = Record::new(record.version(), header, values);
        assert_ne!(altered, record);
        self.write(handle, &altered).await;
    }
}

pub(crate) async fn handle(browser: &Browser) -> Handle {
    let (sender, receiver) = oneshot::channel();
    let ask = async move |session: Session| {
        sender.send(session.handle()).unwrap();
        Ok(StatusCode::OK)
    };
    browser.send(Request::new(String::new()), ask).await;
    receiver.await.unwrap().expect("there is a record")
}

pub(crate) async fn write(session: Session) -> Answered {
    session.insert("a", 2)?;
    Ok(StatusCode::OK)
}

pub(crate) async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

pub(crate) async fn login(session: Session) -> Answered {
    session.login("ada")?;
    Ok(StatusCode::OK)
}

pub(crate) async fn detach(browser: &Browser) -> LiveSession {
    let (sender, receiver) = oneshot::channel();
    let detach = async move |session: Session| {
        sender.send(session.detach()?).unwrap();
        Ok(StatusCode::OK)
    };
    browser.send(Request::new(String::new()), detach).await;
    receiver.await.unwrap()
}

/// Replaces each place where a text stands in bytes by another one of its length.
pub(crate) fn replace(bytes: &mut [u8], text: &[u8], other: &[u8]) {
    assert_eq!(text.len(), other.len());
    for at in 0..=bytes.len() - text.len() {
        if bytes[at..].starts_with(text) {
            bytes[at..][..text.len()].copy_from_slice(other);
        }
    }
}

/// Asks for the session, and says how that was answered and what was seen.
pub(crate) async fn look(browser: &Browser) -> (StatusCode, Option<u32>, Option<String>) {
    let (sender, receiver) = oneshot::channel();
    let look = async move |session: Session| {
        let principal = session.principal().map(|principal| principal.to_string());
        sender.send((session.get("a")?, principal)).unwrap();
        Ok(StatusCode::OK)
    };
    let response = browser.send(Request::new(String::new()), look).await;
    assert_eq!(told(&response), Told::Nothing);
    let (value, principal) = receiver.await.unwrap_or_default();
    (response.status(), value, principal)
}

pub(crate) const NO_SESSION: (StatusCode, Option<u32>, Option<String>) =
    (StatusCode::OK, None, None);

#[tokio::test]
async fn a_session_that_somebody_plants_in_the_store_opens_nothing() {
    let site = Keyed::new();
    // Whoever knows how records are made makes one of his own, in the same store and for the same cookie.
    let unkeyed = SessionLayer::new(site.store().clone());
    let planted = tenure::testing::signed_in(&unkeyed, "admin").await;
    let mut thief = site.site.browser();
    thief.cookie = Some(planted.to_str().unwrap().to_owned());
    assert_eq!(look(&thief).await, NO_SESSION);
    assert!(site.happened().contains("session_unauthenticated"));

    let elsewhere = SessionLayer::builder(site.store().clone()).with_keyring(Keyring::new(key()));
    let planted = tenure::testing::signed_in(&elsewhere.build().unwrap(), "admin").await;
    thief.cookie = Some(planted.to_str().unwrap().to_owned());
    assert_eq!(look(&thief).await, NO_SESSION);
    assert!(site.happened().contains("session_key_unknown"));
}

#[tokio::test]
async fn a_row_that_is_copied_to_another_handle_opens_nothing() {
    let site = Keyed::new();
    let (own, victim) = (site.site.visitor().await, site.site.member("ada").await);
    let (own_handle, victims) = (handle(&own).await, handle(&victim).await);
    let record = site.load(own_handle).await.unwrap().record;
    site.write(victims, &record).await;
    let mut thief = own.clone();
    let (name, id) = thief.cookie.as_deref().unwrap().split_once('=').unwrap();
    let victims_id = victim.cookie.as_deref().unwrap().split_once('=').unwrap().1;
    thief.cookie = Some(format!("{name}={}{}", &victims_id[..21], &id[21..]));
    for browser in [&thief, &victim] {
        assert_eq!(look(browser).await, NO_SESSION);
    }
    assert_eq!(look(&own).await.1, Some(1));
}

#[tokio::test]
async fn a_principal_that_somebody_writes_into_a_row_signs_nobody_in() {
    let site = Keyed::new();
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    site.alter(handle, |header, _| replace(header, b"ada", b"eve"))
        .await;
    site.happened();
    assert_eq!(look(&browser).await, NO_SESSION);
    assert_eq!(site.happened(), "session_forged");
}

#[tokio::test]
async fn whatever_byte_of_a_row_is_changed_there_is_no_session_one_answer_and_an_event() {
    let site = Keyed::new();
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    let good = site.load(handle).await.unwrap().record;
    let (header, values) = (good.header().len(), good.values().len());
    for at in 0..header + values {
        site.alter(handle, |header_of, values_of| match at < header {
            true => header_of[at] ^= 1,
            false => values_of[at - header] ^= 1,
        })
        .await;
        site.happened();
        assert_eq!(look(&browser).await, NO_SESSION, "byte {at}");
        let event = site.happened();
        let known = [
            "session_forged",
            "session_key_unknown",
            "session_unauthenticated",
        ];
        assert!(
            event.is_empty() || known.contains(&event.as_str()),
            "{event}"
        );
        site.write(handle, &good).await;
    }
    site.write(
        handle,
        &Record::new(Version::from_u64(1), good.header(), good.values()),
    )
    .await;
    assert_eq!(look(&browser).await, NO_SESSION);
    site.write(handle, &good).await;
    assert_eq!(look(&browser).await.2.as_deref(), Some("ada"));
}

/// It is as it was when it was written, and nothing else remembers more: so the guide on keys says.
#[tokio::test]
async fn an_old_row_that_is_put_back_whole_is_the_old_session_again() {
    let site = Keyed::new();
    let mut browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    let old = site.load(handle).await.unwrap().record;
    browser.visit(write).await;
    assert_eq!(look(&browser).await.1, Some(2));
    site.write(handle, &old).await;
    assert_eq!(look(&browser).await.1, Some(1));
}

#[tokio::test]
async fn a_logout_ends_a_session_that_somebody_has_changed() {
    let site = Keyed::new();
    let mut browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    site.alter(handle, |header, _| replace(header, b"ada", b"eve"))
        .await;
    let mut stranger = browser.clone();
    let id = stranger.cookie.take().unwrap();
    stranger.cookie = Some(format!("{}{}", &id[..id.len() - 20], "A".repeat(20)));
    let response = stranger.visit(logout).await;
    assert_eq!(told(&response), Told::Removal);
    assert!(site.load(handle).await.is_some(), "it was not his");
    // A browser may have a second cookie of the name, of another path or partition.
    let unknown = format!("{}{}", &id[..id.len() - 64], "A".repeat(64));
    browser.cookie = Some(format!("{unknown}; {id}"));
    let response = browser.visit(logout).await;
    assert_eq!(told(&response), Told::Removal);
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        site.load(handle).await.is_none(),
        "it cannot be put back by changing it again"
    );
}

#[tokio::test]
async fn a_login_in_the_place_of_a_session_that_somebody_has_changed_is_a_new_one() {
    let site = Keyed::new();
    let mut browser = site.site.visitor().await;
    let handle = handle(&browser).await;
    site.alter(handle, |_, values| replace(values, b"1", b"7"))
        .await;
    let response = browser.visit(login).await;
    assert_eq!(told(&response), Told::Id);
    assert_eq!(
        look(&browser).await,
        (StatusCode::OK, None, Some("ada".to_owned()))
    );
}

#[tokio::test]
async fn a_request_whose_session_is_changed_by_somebody_meanwhile_is_refused() {
    let site = Keyed::new();
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    let gate = Gate::new();
    let (writer, waiting) = (browser.clone(), gate.clone());
    let late = tokio::spawn(async move {
        let late = async move |session: Session| {
            waiting.pass().await;
            session.insert("b", 1)?;
            Ok(StatusCode::OK)
        };
        writer.send(Request::new(String::new()), late).await
    });
    gate.reached().await;
    let old = site.load(handle).await.unwrap().record;
    let mut planted = old.header().to_vec();
    replace(&mut planted, b"ada", b"eve");
    let planted = Record::new(Version::from_u64(7), planted, old.values());
    site.write(handle, &planted).await;
    gate.open();
    assert_eq!(late.await.unwrap().status(), StatusCode::CONFLICT);
    assert_eq!(site.load(handle).await.unwrap().record, planted);
}

#[tokio::test]
async fn a_new_active_key_logs_nobody_out_and_a_dropped_one_ends_its_sessions() {
    let (old, new) = (key(), key());
    let site = Keyed::with(Keyring::new(old.clone()));
    let mut before = site.site.member("ada").await;
    let both = Keyring::new(new.clone()).with_next(old).unwrap();
    site.keyring.replace(both);
    assert_eq!(look(&before).await.2.as_deref(), Some("ada"));
    before.visit(write).await;
    assert_eq!(
        look(&before).await.1,
        Some(2),
        "it was written with the new key"
    );
    let mut moved = site.site.visitor().await;
    moved.visit(login).await;

    site.keyring.replace(Keyring::new(new));
    site.happened();
    assert_eq!(
        look(&before).await,
        NO_SESSION,
        "its secret was hashed with the old one"
    );
    assert_eq!(site.happened(), "session_key_unknown");
    assert_eq!(look(&moved).await.2.as_deref(), Some("ada"));
}

#[tokio::test]
async fn nothing_is_lost_or_refused_while_keys_are_swapped_that_every_ring_knows() {
    let (first, second) = (key(), key());
    let rings = [(&first, &second), (&second, &first)].map(|(active, other)| {
        let ring = Keyring::new(active.clone());
        ring.with_next(other.clone()).unwrap()
    });
    let clock = tenure::Clock::manual();
    let mut store = Recorder::new(MemoryStore::new().with_clock(clock.clone()));
    store.yields = true;
    let keyring = Keyring::new(first.clone());
    let builder = SessionLayer::builder(store).with_keyring(keyring.clone());
    let layer = builder
        .with_sealed_values()
        .with_renewal(Renewal::every(MINUTE))
        .build()
        .unwrap();
    let mut browser = Browser {
        layer,
        cookie: None,
    };
    browser.visit(count).await;
    for round in 0..30_usize {
        let sent: Vec<_> = (0..8)
            .map(|_| {
                let mut tab = browser.clone();
                tokio::spawn(async move {
                    let response = tab.visit(count).await;
                    (response.status(), told(&response), tab)
                })
            })
            .collect();
        for ring in rings.iter().cycle().skip(round).take(8) {
            tokio::task::yield_now().await;
            keyring.replace(ring.clone());
        }
        for sent in sent {
            let (status, told, tab) = sent.await.unwrap();
            assert_eq!(status, StatusCode::OK, "round {round}");
            if told == Told::Id {
                browser = tab;
            }
        }
        clock.advance(MINUTE);
        if round % 5 == 4 {
            browser.visit(login).await;
        }
    }
    assert_eq!(browser.read("count").await, Some(1 + 30 * 8));
}

async fn count(session: Session) -> Answered {
    session.update("count", |count: &mut u32| *count += 1)?;
    Ok(StatusCode::OK)
}

/// Whoever has a leaked key must not carry what he has made with it over to the next by a request that takes its time.
#[tokio::test]
async fn a_request_whose_key_is_dropped_meanwhile_does_not_bring_its_session_under_another() {
    let changes = || {
        let cycle = async |session: Session| session.cycle_id().map(|()| StatusCode::OK);
        [
            ("a write", handler(write)),
            ("a login", handler(login)),
            ("a new id", handler(cycle)),
        ]
    };
    for seals in [false, true] {
        for (case, change) in changes() {
            let site = Keyed::with_settings(Keyring::new(key()), |builder| match seals {
                true => builder.with_sealed_values(),
                false => builder,
            });
            let mut browser = site.site.visitor().await;
            let gate = Gate::new();
            let (mut late, waiting) = (browser.clone(), gate.clone());
            let late = tokio::spawn(async move {
                let response = late
                    .visit(async move |session: Session| {
                        waiting.pass().await;
                        change(session).await
                    })
                    .await;
                (response.status(), late)
            });
            gate.reached().await;
            site.keyring.replace(Keyring::new(key()));
            gate.open();
            let status;
            (status, browser) = late.await.unwrap();
            assert_eq!(status, StatusCode::CONFLICT, "{case}");
            assert_eq!(look(&browser).await, NO_SESSION, "{case}");
        }
    }
}

#[tokio::test]
async fn a_session_moves_to_the_active_key_with_its_next_id() {
    let (old, new) = (key(), key());
    let site = Keyed::with(Keyring::new(old.clone()));
    let mut browser = site.site.visitor().await;
    site.keyring
        .replace(Keyring::new(new.clone()).with_next(old).unwrap());
    browser.visit(login).await;
    site.keyring.replace(Keyring::new(new));
    assert_eq!(look(&browser).await.2.as_deref(), Some("ada"));
}

#[tokio::test]
async fn the_id_that_a_login_replaced_is_known_as_such_though_another_key_is_active_by_now() {
    let (old, new) = (key(), key());
    let site = Keyed::with(Keyring::new(old.clone()));
    let before = site.site.visitor().await;
    site.keyring
        .replace(Keyring::new(new).with_next(old).unwrap());
    let mut after = before.clone();
    after.visit(login).await;
    let late = before.clone().visit(write).await;
    assert_eq!(
        (late.status(), told(&late)),
        (StatusCode::CONFLICT, Told::Nothing)
    );
    assert_eq!(look(&after).await.2.as_deref(), Some("ada"));
}

#[tokio::test]
async fn sessions_from_before_the_keyring_go_on_until_the_time_that_was_set() {
    let clock = tenure::Clock::manual();
    let store = MemoryStore::new().with_clock(clock.clone());
    let unkeyed = SessionLayer::new(store.clone());
    let [written, unwritten] = [
        tenure::testing::signed_in(&unkeyed, "ada").await,
        tenure::testing::signed_in(&unkeyed, "ada").await,
    ];
    let keyring = Keyring::new(key()).with_unkeyed_until(clock.now() + HOUR);
    let lifetime = Lifetime::new().with_idle(3 * HOUR);
    let builder = SessionLayer::builder(store).with_keyring(keyring);
    let layer = builder.with_lifetime(lifetime).build().unwrap();
    let mut browsers = [written, unwritten].map(|cookie| Browser {
        layer: layer.clone(),
        cookie: Some(cookie.to_str().unwrap().to_owned()),
    });
    browsers[0].visit(write).await;
    assert_eq!(look(&browsers[0]).await.2.as_deref(), Some("ada"));
    clock.advance(HOUR);
    assert_eq!(
        look(&browsers[0]).await.2.as_deref(),
        Some("ada"),
        "it was authenticated"
    );
    assert_eq!(look(&browsers[1]).await, NO_SESSION);
}

/// Before the date somebody can plant a session of his own, but not change one that has a MAC already: the id of its browser
/// is not to open what he has made of it.
#[tokio::test]
async fn a_session_with_a_mac_is_not_changed_by_taking_it_away_before_the_date() {
    let far = Timestamp::from_millis(u64::MAX);
    let site = Keyed::with(Keyring::new(key()).with_unkeyed_until(far));
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    let good = site.load(handle).await.unwrap().record;
    let (secret, rest) = good.header()[1..good.header().len() - MAC_LEN].split_at(3 + 36);
    for beside in [RETIRED, SUCCESSOR, PREVIOUS] {
        let mut planted = [&[1, 1, 0, 32][..], &[7; 32], rest].concat();
        planted.extend([beside, 0, 8 + 36]);
        planted.extend(site.site.clock.now().as_millis().to_be_bytes());
        planted.extend(&secret[3..]);
        replace(&mut planted, b"ada", b"eve");
        site.write(
            handle,
            &Record::new(Version::from_u64(7), planted, good.values()),
        )
        .await;
        site.happened();
        assert_eq!(look(&browser).await, NO_SESSION, "as {beside}");
        assert_eq!(site.happened(), "session_forged", "as {beside}");
    }
}

/// The fields of secrets beside the current one.
const RETIRED: u8 = 6;
const SUCCESSOR: u8 = 9;
const PREVIOUS: u8 = 10;

/// Tag, length, the key's name and the MAC.
const MAC_LEN: usize = 3 + 4 + 32;

/// The stamps `created` and `last seen` are the engine's, and not authenticated; what this time-out counts from is.
#[tokio::test]
async fn who_moves_the_engines_stamps_does_not_prolong_the_absolute_time_of_who_is_signed_in() {
    let site = Keyed::new();
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    for _ in 0..36 {
        assert_eq!(look(&browser).await.1, Some(1));
        let record = site.load(handle).await.unwrap().record;
        site.store().delete(&handle).await.unwrap();
        let anew = site.store().create(&handle, &record, 24 * HOUR).await;
        assert!(matches!(anew, Ok(Created::Done(_))));
        site.site.clock.advance(20 * MINUTE);
    }
    let row = site.load(handle).await.unwrap();
    assert!(
        row.now.since(row.created) < HOUR,
        "twelve hours have gone by"
    );
    assert_eq!(look(&browser).await, NO_SESSION);
}

#[tokio::test]
async fn a_touch_changes_no_byte_and_the_session_is_trusted_after_it() {
    let site = Keyed::new();
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    let before = site.load(handle).await.unwrap();
    site.site.store.calls();
    site.site.clock.advance(10 * MINUTE);
    assert_eq!(look(&browser).await.1, Some(1));
    assert_eq!(site.site.store.calls(), "load touch");
    let after = site.load(handle).await.unwrap();
    assert_eq!(before.record, after.record);
    assert!(before.last_seen < after.last_seen);
    site.site.clock.advance(25 * MINUTE);
    assert_eq!(look(&browser).await.1, Some(1));
}

#[tokio::test]
async fn what_somebody_has_changed_is_not_listed_and_is_ended_with_the_rest() {
    let site = Keyed::new();
    let sessions = site.sessions();
    let builder = SessionLayer::builder(site.store().clone());
    let layer = builder.with_keyring(site.keyring.clone()).build().unwrap();
    for _ in 0..2 {
        tenure::testing::signed_in(&layer, "ada").await;
    }
    let listed = sessions.list("ada").await.unwrap();
    let forged = listed[0].handle();
    site.alter(forged, |header, _| replace(header, b"ada", b"eve"))
        .await;
    assert_eq!(sessions.list("ada").await.unwrap(), listed[1..]);
    assert_eq!(sessions.list("eve").await.unwrap(), []);
    assert!(!sessions.revoke("eve", forged).await.unwrap());
    assert_eq!(sessions.revoke_all("ada").await.unwrap(), 1);
    assert!(
        site.store().is_empty(),
        "what was changed has not fallen out of the index"
    );
}

#[tokio::test]
async fn a_live_session_ends_when_somebody_changes_it_or_its_key_is_dropped() {
    let site = Keyed::new();
    let (browser, other) = (site.site.member("ada").await, site.site.member("ada").await);
    let (changed, dropped) = (detach(&browser).await, detach(&other).await);
    let handle = handle(&browser).await;
    site.alter(handle, |_, values| replace(values, b"1", b"7"))
        .await;
    assert_eq!(
        changed.reload().await.unwrap_err().kind(),
        tenure::ErrorKind::Gone
    );
    assert_eq!(changed.ended().await, Ended::Gone);
    dropped.reload().await.unwrap();
    site.keyring.replace(Keyring::new(key()));
    assert!(dropped.reload().await.is_err());
    assert_eq!(dropped.ended().await, Ended::Gone);
}

#[tokio::test]
async fn what_is_written_without_a_browser_is_trusted_by_it() {
    let site = Keyed::new();
    let browser = site.site.member("ada").await;
    let live = detach(&browser).await;
    let session = live.reload().await.unwrap();
    session.update("a", |a: &mut u32| *a += 5).unwrap();
    session.set_label("phone").unwrap();
    session.commit().await.unwrap();
    assert_eq!(look(&browser).await.1, Some(6));
    assert_eq!(look(&browser).await.2.as_deref(), Some("ada"));
}

#[tokio::test]
async fn a_copy_of_the_store_has_neither_the_id_nor_a_hash_that_can_be_checked_without_the_key() {
    use sha2::{Digest as _, Sha256};
    let site = Keyed::new();
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    let record = site.load(handle).await.unwrap().record;
    let id = browser
        .cookie
        .as_deref()
        .unwrap()
        .split_once('=')
        .unwrap()
        .1;
    assert!(
        !record
            .header()
            .windows(20)
            .any(|part| id.as_bytes().windows(20).any(|own| own == part))
    );
    let mut context = b"\x09tenure/v1\x0e__Host-Http-id".to_vec();
    context.resize(64, 0);
    let hash = Sha256::new_with_prefix(context)
        .chain_update(decoded(id))
        .finalize();
    assert!(
        !record
            .header()
            .windows(32)
            .any(|part| part == hash.as_slice())
    );
}

/// Reads base64url.
fn decoded(id: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |char| ALPHABET.find(char).unwrap() as u32;
    let groups = id.as_bytes().chunks(4).flat_map(|group| {
        let bits = group
            .iter()
            .fold(0, |bits, char| bits << 6 | digit(char::from(*char)));
        bits.to_be_bytes()[1..].to_vec()
    });
    groups.collect()
}
