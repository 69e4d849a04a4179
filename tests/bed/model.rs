//! Random sequences of requests that overlap at will, are dropped, and whose answers get lost, beside a model that knows
//! what must be true.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::StatusCode;
use proptest::prelude::*;
use tenure::{
    Clock, Error, Lifetime, Renewal, Session, SessionLayer, SessionLayerBuilder,
    store::SessionStore,
};
use tokio::sync::oneshot;

use super::{
    lossy::{Lossy, Lost},
    visitor::{Gate, Told, Waiting, begin, send, told},
};

/// A store of an engine, as the model asks for it.
pub trait Subject {
    fn store(&self) -> Arc<dyn SessionStore>;

    /// Returns how many records there are, with those that have expired.
    fn count(&self) -> impl Future<Output = usize>;

    /// Returns the store's clock, if it can be moved; the model leaves time out if not.
    fn clock(&self) -> Option<Clock> {
        None
    }

    /// Adds settings of the layer that must not change what is true.
    fn settings(&self, builder: SessionLayerBuilder) -> SessionLayerBuilder {
        builder
    }
}

/// Carries out steps and compares what comes of them with what must be true.
pub async fn check(subject: &impl Subject, steps: Vec<Step>) {
    let site = Site::new(subject);
    let before = subject.count().await;
    let mut world = World {
        renewed_after: site.clock.as_ref().map_or(0, |_| RENEWED_AFTER),
        ..World::default()
    };
    for step in steps {
        world.go(&site, step).await;
    }
    while !world.in_flight.is_empty() {
        world.finish(&site, 0, Lost::Nothing).await;
    }
    world.check_all(&site).await;
    let alive = world.records.iter().filter(|known| known.alive).count();
    assert_eq!(
        subject.count().await - before,
        alive,
        "nothing is left behind and nothing came back"
    );
}

/// Returns any sequence of steps.
pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..most)
}

/// Returns sequences in which somebody comes with the first id again and again, hardly ever with one that he is sent.
pub fn steps_of_a_thief(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let begin = |deed, back| Step::Begin { deed, back };
    let finish = Step::Finish {
        which: 0,
        lost: Lost::Nothing,
    };
    let ask = prop_oneof![
        30 => Just(vec![begin(Deed::Read(0), usize::MAX), finish]),
        20 => (60_u64..150).prop_map(|seconds| vec![Step::Wait(seconds)]),
        1 => (0_usize..9).prop_map(move |back| vec![begin(Deed::Read(0), back), finish]),
    ];
    let first = vec![begin(Deed::Insert(0, 1), 0), finish];
    proptest::collection::vec(ask, 1..most)
        .prop_map(move |asked| [vec![first.clone()], asked].concat().concat())
}

/// Returns settings for an engine, where a case takes its time; `PROPTEST_CASES` sets another number.
pub fn bounded() -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig {
            cases: 40,
            ..config
        },
    }
}

/// A layer on a store whose answers get lost on demand.
struct Site {
    store: Lossy,
    clock: Option<Clock>,
    layer: SessionLayer,
}

impl Site {
    fn new(subject: &impl Subject) -> Self {
        let store = Lossy::new(subject.store());
        let clock = subject.clock();
        let renewal = Renewal::every(Duration::from_secs(match clock {
            Some(_) => RENEWED_AFTER,
            None => 0,
        }));
        // No sequence is long enough for a session to expire.
        let lifetime = Lifetime::new().with_idle(Duration::from_secs(4 * 3_600));
        let layer = SessionLayer::builder(store.clone())
            .with_renewal(renewal)
            .with_lifetime(lifetime);
        let layer = subject.settings(layer);
        Self {
            layer: layer.build().unwrap(),
            clock,
            store,
        }
    }
}

/// What a request does between its load and its commit.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Claim(u8),
    Clear,
    Cycle,
    GetThenInsert(u8, u32),
    Increment(u8),
    Insert(u8, u32),
    Login(u8),
    Logout,
    Read(u8),
    Remove(u8),
    Take(u8),
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A tab sends a request with the cookie that the browser has, or had so many changes before, at most its first.
    Begin { deed: Deed, back: usize },
    /// The client of a request goes away.
    Drop(usize),
    /// A request is let through to its commit; the store's answer may get lost on the way.
    Finish { which: usize, lost: Lost },
    /// Time goes on, by so many seconds.
    Wait(u64),
}

type Values = BTreeMap<u8, u32>;

/// What must be true of a record.
#[derive(Clone, Debug)]
struct Known {
    secrets: Secrets,
    values: Values,
    principal: Option<u8>,
    alive: bool,
    /// How often it was written.
    writes: usize,
}

/// The cookies of a record, each with when it became what it is.
#[derive(Clone, Debug)]
struct Secrets {
    /// How old an id is renewed.
    after: u64,
    current: (String, u64),
    successors: Vec<(String, u64)>,
    previous: Vec<(String, u64)>,
    retired: Vec<(String, u64)>,
}

/// What a cookie is to a live record.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Current,
    Previous,
    Successor,
}

impl Secrets {
    fn new(cookie: String, now: u64, after: u64) -> Self {
        Self {
            after,
            current: (cookie, now),
            successors: Vec::new(),
            previous: Vec::new(),
            retired: Vec::new(),
        }
    }

    fn key(&self, cookie: &str, now: u64) -> Option<Key> {
        if self.current.0 == cookie {
            return Some(Key::Current);
        }
        if self.successors.iter().any(|(known, _)| known == cookie) {
            return Some(Key::Successor);
        }
        let in_grace = |(known, at): &(String, u64)| known == cookie && now < at + GRACE;
        self.previous.iter().any(in_grace).then_some(Key::Previous)
    }

    /// Tells whether a cookie that opened the record when it came may write to it now.
    fn opened(&self, cookie: &str, now: u64) -> bool {
        let is_previous = self.previous.iter().any(|(known, _)| known == cookie);
        is_previous || self.key(cookie, now).is_some()
    }

    fn is_retired(&self, cookie: &str, now: u64) -> bool {
        let lately = |(retired, at): &(String, u64)| retired == cookie && now < at + 60;
        self.retired.iter().any(lately)
    }

    /// Says whether a request with a cookie confirms it, and whether it brings another.
    fn upkeep(&self, cookie: &str, now: u64) -> (bool, bool) {
        match self.key(cookie, now) {
            Some(Key::Current) => {
                let sent = self.successors.last();
                let wait = match self.successors.len() < 3 {
                    true => 60,
                    false => self.after.max(60),
                };
                let waits = sent.is_some_and(|(_, at)| now < at + wait);
                (false, now >= self.current.1 + self.after && !waits)
            }
            Some(Key::Successor) => {
                let known = self.successors.iter().find(|(known, _)| known == cookie);
                (true, now >= known.unwrap().1 + self.after)
            }
            Some(Key::Previous) | None => (false, false),
        }
    }

    fn confirm(&mut self, shown: &str, now: u64) {
        let Some(place) = self.successors.iter().position(|(known, _)| known == shown) else {
            return;
        };
        let next = self.successors.remove(place);
        let replaced = std::mem::replace(&mut self.current, next).0;
        let others = self.successors.drain(..).map(|(other, _)| other);
        self.previous
            .extend(others.chain([replaced]).map(|cookie| (cookie, now)));
        self.forget_previous();
    }

    fn renew(&mut self, cookie: String, now: u64) {
        if self.successors.len() == 6 {
            self.previous.extend(self.successors.pop());
            self.forget_previous();
        }
        self.successors.push((cookie, now));
    }

    fn forget_previous(&mut self) {
        while self.previous.len() > 7 {
            self.previous.remove(1);
        }
    }

    fn rotate(&mut self, cookie: String, now: u64) {
        self.retired.retain(|(_, at)| now < at + 60);
        let replaced = std::mem::replace(&mut self.current, (cookie, now)).0;
        let lately = self.previous.drain(..).filter(|(_, at)| now < at + 60);
        let opening = lately
            .chain(self.successors.drain(..))
            .map(|(cookie, _)| cookie);
        self.retired
            .extend(opening.chain([replaced]).map(|cookie| (cookie, now)));
        keep_newest(&mut self.retired, 4);
    }
}

fn keep_newest(list: &mut Vec<(String, u64)>, most: usize) {
    list.drain(..list.len().saturating_sub(most));
}

/// A request that has loaded and waits at its gate.
struct InFlight {
    request: Waiting,
    deed: Deed,
    came: Came,
}

/// What the model knows a request to have come with.
#[derive(Clone, Debug)]
enum Came {
    Live {
        record: usize,
        values: Values,
        principal: Option<u8>,
        cookie: String,
        writes: usize,
        /// What the session needed when it was loaded.
        upkeep: (bool, bool),
    },
    Superseded,
    WithNothing,
}

#[derive(Default)]
struct World {
    records: Vec<Known>,
    /// The cookies that the browser has had, newest last.
    cookies: Vec<String>,
    in_flight: Vec<InFlight>,
    seconds: u64,
    renewed_after: u64,
}

/// In seconds; as old is an id that gets a successor, where time moves.
const RENEWED_AFTER: u64 = 90;
const GRACE: u64 = 30;

fn step() -> impl Strategy<Value = Step> {
    let lost =
        prop_oneof![4 => Just(Lost::Nothing), 1 => Just(Lost::Answer), 1 => Just(Lost::Question)];
    prop_oneof![
        6 => (deed(), back()).prop_map(|(deed, back)| Step::Begin { deed, back }),
        6 => (any::<usize>(), lost).prop_map(|(which, lost)| Step::Finish { which, lost }),
        1 => any::<usize>().prop_map(Step::Drop),
        2 => (0_u64..40).prop_map(Step::Wait),
        1 => (60_u64..120).prop_map(Step::Wait),
    ]
}

fn back() -> impl Strategy<Value = usize> {
    prop_oneof![8 => Just(0_usize), 2 => Just(1), 1 => Just(usize::MAX)]
}

fn deed() -> impl Strategy<Value = Deed> {
    let key = 0_u8..3;
    prop_oneof![
        1 => key.clone().prop_map(Deed::Claim),
        1 => Just(Deed::Clear),
        1 => Just(Deed::Cycle),
        1 => (key.clone(), 0_u32..4).prop_map(|(key, value)| Deed::GetThenInsert(key, value)),
        4 => key.clone().prop_map(Deed::Increment),
        2 => (key.clone(), 0_u32..4).prop_map(|(key, value)| Deed::Insert(key, value)),
        1 => (0_u8..2).prop_map(Deed::Login),
        1 => Just(Deed::Logout),
        1 => key.clone().prop_map(Deed::Read),
        1 => key.clone().prop_map(Deed::Remove),
        1 => key.prop_map(Deed::Take),
    ]
}

const NAMES: [&str; 3] = ["zero", "one", "two"];

async fn carry_out(session: Session, deed: Deed, gate: Gate) -> Result<(), Error> {
    let name = |key: u8| NAMES[usize::from(key)];
    // Whatever depends on what was loaded is looked at before the gate.
    let before = match deed {
        Deed::GetThenInsert(key, _) => session.get::<u32>(name(key))?,
        _ => None,
    };
    gate.pass().await;
    match deed {
        Deed::Claim(key) => drop(session.claim::<u32>(name(key)).await?),
        Deed::Clear => session.clear()?,
        Deed::Cycle => session.cycle_id()?,
        Deed::GetThenInsert(key, value) => {
            session.insert(name(key), before.unwrap_or(0) + value)?;
        }
        Deed::Increment(key) => session.update(name(key), |value: &mut u32| *value += 1)?,
        Deed::Insert(key, value) => session.insert(name(key), value)?,
        Deed::Login(principal) => session.login(u32::from(principal))?,
        Deed::Logout => session.logout()?,
        Deed::Read(key) => drop(session.get::<u32>(name(key))?),
        Deed::Remove(key) => session.remove(name(key))?,
        Deed::Take(key) => drop(session.take::<u32>(name(key))?),
    }
    Ok(())
}

impl World {
    async fn go(&mut self, site: &Site, step: Step) {
        match step {
            Step::Begin { deed, back } => self.begin(site, deed, back).await,
            Step::Drop(which) if !self.in_flight.is_empty() => {
                let left = self.in_flight.remove(which % self.in_flight.len());
                left.request.leave().await;
            }
            Step::Finish { which, lost } if !self.in_flight.is_empty() => {
                let which = which % self.in_flight.len();
                self.finish(site, which, lost).await;
            }
            Step::Wait(seconds) => {
                if let Some(clock) = &site.clock {
                    clock.advance(Duration::from_secs(seconds));
                    self.seconds += seconds;
                }
            }
            Step::Drop(_) | Step::Finish { .. } => {}
        }
    }

    async fn begin(&mut self, site: &Site, deed: Deed, back: usize) {
        let newest = self.cookies.len().checked_sub(1);
        let cookie = newest.map(|newest| self.cookies[newest.saturating_sub(back)].clone());
        let handler = move |session, gate| carry_out(session, deed, gate);
        let request = begin(&site.layer, cookie.as_deref(), handler).await;
        let came = cookie.map_or(Came::WithNothing, |cookie| self.recognise(cookie));
        self.in_flight.push(InFlight {
            request,
            deed,
            came,
        });
    }

    fn recognise(&self, cookie: String) -> Came {
        for (record, known) in self
            .records
            .iter()
            .enumerate()
            .filter(|(_, known)| known.alive)
        {
            if known.secrets.key(&cookie, self.seconds).is_some() {
                return Came::Live {
                    record,
                    values: known.values.clone(),
                    principal: known.principal,
                    upkeep: known.secrets.upkeep(&cookie, self.seconds),
                    cookie,
                    writes: known.writes,
                };
            }
            if known.secrets.is_retired(&cookie, self.seconds) {
                return Came::Superseded;
            }
        }
        Came::WithNothing
    }

    async fn finish(&mut self, site: &Site, which: usize, lost: Lost) {
        let InFlight {
            request,
            deed,
            came,
        } = self.in_flight.remove(which);
        // A fault that no verb meets would hit a later request, so it is set where a verb is sure to come.
        let verb = Self::verb_of(&came, deed).filter(|_| lost != Lost::Nothing);
        if let Some(verb) = verb {
            site.store.lose(verb, lost);
        }
        let response = request.go().await;
        let told = match told(&response) {
            Told::Id(cookie) => Some(cookie),
            Told::Nothing | Told::Removal => None,
        };
        let lost = verb.map_or(Lost::Nothing, |_| lost);
        let expected = self.expect(&came, deed, told.clone(), lost);
        assert_eq!(
            response.status(),
            expected,
            "{deed:?} of a request that came with {came:?}"
        );
        self.cookies.extend(told);
    }

    /// Names a verb that a request is sure to send.
    fn verb_of(came: &Came, deed: Deed) -> Option<&'static str> {
        match (came, deed) {
            (Came::Live { .. }, Deed::Logout) => Some("delete"),
            (Came::Live { .. }, Deed::Cycle) => Some("update"),
            (Came::Live { values, .. }, deed) if applied(deed, values, values) != *values => {
                Some("update")
            }
            (Came::Live { upkeep, .. }, _) if *upkeep != (false, false) => Some("update"),
            _ => None,
        }
    }

    /// Says what a request must be answered, and does to the model what it does.
    fn expect(&mut self, came: &Came, deed: Deed, told: Option<String>, lost: Lost) -> StatusCode {
        match came {
            Came::Superseded => self.expect_superseded(deed, told),
            Came::WithNothing => self.expect_without_record(deed, told),
            Came::Live {
                record,
                values,
                principal,
                cookie,
                writes,
                upkeep,
            } => match (deed, principal) {
                (Deed::Login(new), Some(old)) if new != *old => {
                    self.records[*record].alive = false;
                    self.add_record(told, Values::new(), Some(new))
                }
                _ => {
                    let visit = Visit {
                        record: *record,
                        loaded: values,
                        cookie,
                        writes: *writes,
                        upkeep: *upkeep,
                    };
                    self.expect_live(&visit, deed, told, lost)
                }
            },
        }
    }

    fn expect_superseded(&mut self, deed: Deed, told: Option<String>) -> StatusCode {
        match deed {
            Deed::Login(principal) => self.add_record(told, Values::new(), Some(principal)),
            Deed::Read(_) => StatusCode::OK,
            _ => StatusCode::CONFLICT,
        }
    }

    fn expect_without_record(&mut self, deed: Deed, told: Option<String>) -> StatusCode {
        let values = applied(deed, &Values::new(), &Values::new());
        match deed {
            Deed::Login(principal) => self.add_record(told, values, Some(principal)),
            _ if !values.is_empty() => self.add_record(told, values, None),
            _ => {
                assert_eq!(told, None);
                StatusCode::OK
            }
        }
    }

    fn expect_live(
        &mut self,
        visit: &Visit<'_>,
        deed: Deed,
        told: Option<String>,
        lost: Lost,
    ) -> StatusCode {
        let seconds = self.seconds;
        let known = &mut self.records[visit.record];
        let rotates = matches!(deed, Deed::Cycle | Deed::Login(_));
        if let Deed::Logout = deed {
            known.alive = false;
            return StatusCode::OK;
        }
        let is_first = known.alive && known.writes == visit.writes;
        if !rotates && applied(deed, visit.loaded, visit.loaded) == *visit.loaded {
            known.maintain(visit, is_first, told, seconds);
            return StatusCode::OK;
        }
        if known.alive && !is_first && lost != Lost::Nothing {
            // The answer was lost, and what is found is another's: nobody knows, so nothing is made again.
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let is_closed = !is_first && !known.secrets.opened(visit.cookie, seconds);
        if !known.alive || is_closed {
            return StatusCode::CONFLICT;
        }
        if let Deed::GetThenInsert(key, _) = deed
            && known.values.get(&key) != visit.loaded.get(&key)
        {
            return StatusCode::CONFLICT;
        }
        let values = applied(deed, visit.loaded, &known.values);
        let is_written = rotates || values != known.values;
        known.values = values;
        if let Deed::Login(principal) = deed {
            known.principal = Some(principal);
        }
        if rotates {
            if is_first && visit.upkeep.0 {
                known.secrets.confirm(visit.cookie, seconds);
            }
            let cookie = told.expect("a rotation brings a cookie");
            known.secrets.rotate(cookie, seconds);
            known.writes += 1;
        } else if let Deed::Claim(_) = deed {
            // It was committed by itself, and what the session needs comes after it.
            known.writes += usize::from(is_written);
            known.maintain(visit, true, told, seconds);
        } else if is_first && visit.upkeep != (false, false) {
            known.maintain(visit, true, told, seconds);
        } else {
            known.writes += usize::from(is_written);
            assert_eq!(told, None, "nothing is renewed in a replay");
        }
        StatusCode::OK
    }

    fn add_record(
        &mut self,
        told: Option<String>,
        values: Values,
        principal: Option<u8>,
    ) -> StatusCode {
        self.records.push(Known {
            secrets: Secrets::new(
                told.expect("a new session brings a cookie"),
                self.seconds,
                self.renewed_after,
            ),
            values,
            principal,
            alive: true,
            writes: 0,
        });
        StatusCode::OK
    }

    /// Compares every record with the store: by its live cookie it is what the model says, by any other it is nothing.
    async fn check_all(&self, site: &Site) {
        for known in &self.records {
            let expected = match known.alive {
                true => known.values.clone(),
                false => Values::new(),
            };
            let secrets = &known.secrets;
            for (cookie, at) in &secrets.previous {
                let expected = match self.seconds < at + GRACE {
                    true => expected.clone(),
                    false => Values::new(),
                };
                assert_eq!(read_all(site, cookie).await, expected, "{known:?}");
            }
            for (retired, _) in &secrets.retired {
                let seen = read_all(site, retired).await;
                assert_eq!(seen, Values::new(), "a retired id opens nothing");
            }
            // To read with these changes what the others are.
            for (cookie, _) in secrets.successors.iter().chain([&secrets.current]) {
                assert_eq!(read_all(site, cookie).await, expected, "{known:?}");
            }
        }
    }
}

/// A request of a live session: what it came with and what it saw.
struct Visit<'a> {
    record: usize,
    loaded: &'a Values,
    cookie: &'a str,
    writes: usize,
    upkeep: (bool, bool),
}

impl Known {
    /// Does what the session needs, if nobody came between and it is still needed.
    fn maintain(&mut self, visit: &Visit<'_>, may: bool, told: Option<String>, now: u64) {
        let needs = self.secrets.upkeep(visit.cookie, now);
        let confirm = may && visit.upkeep.0 && needs.0;
        let renew = may && visit.upkeep.1 && needs.1;
        assert_eq!(told.is_some(), renew, "{self:?} after {}", visit.cookie);
        if confirm {
            self.secrets.confirm(visit.cookie, now);
        }
        if let Some(cookie) = told {
            self.secrets.renew(cookie, now);
        }
        self.writes += usize::from(confirm || renew);
    }
}

/// What a deed of a request that loaded `loaded` makes of values that are `current` by then.
fn applied(deed: Deed, loaded: &Values, current: &Values) -> Values {
    let mut values = current.clone();
    match deed {
        Deed::Claim(key) | Deed::Remove(key) => drop(values.remove(&key)),
        Deed::Clear => values.clear(),
        Deed::GetThenInsert(key, value) => {
            values.insert(key, loaded.get(&key).copied().unwrap_or(0) + value);
        }
        Deed::Increment(key) => *values.entry(key).or_default() += 1,
        Deed::Insert(key, value) => {
            values.insert(key, value);
        }
        Deed::Take(key) if values.get(&key) == loaded.get(&key) => drop(values.remove(&key)),
        Deed::Cycle | Deed::Login(_) | Deed::Logout | Deed::Read(_) | Deed::Take(_) => {}
    }
    values
}

async fn read_all(site: &Site, cookie: &str) -> Values {
    let (sender, receiver) = oneshot::channel();
    let read = async |session: Session| {
        let mut values = Values::new();
        for (key, name) in (0..).zip(NAMES) {
            values.extend(session.get::<u32>(name)?.map(|value| (key, value)));
        }
        sender.send(values).unwrap();
        Ok(())
    };
    let response = send(&site.layer, Some(cookie), read).await;
    assert_eq!(response.status(), StatusCode::OK);
    receiver.await.unwrap()
}
