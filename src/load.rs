//! From an id to a session: what the store says, judged.

use std::{cmp::Reverse, future::ready, pin::pin, sync::Arc, time::Duration};

use crate::{
    change::{Draft, Live, Opener, Origin},
    context::{Boxed, Context, before, sleep, within},
    error::{Error, ErrorKind},
    guard::Unreadable,
    id::{Handle, Token},
    observe::{EndReason, Event, EventKind, RejectReason},
    record::Key,
    renewal::Renewal,
    revocation,
    store::{Answer, Later, Loaded, StoreError, StoreErrorKind},
};

/// What a request's ids turned out to be.
#[derive(Debug)]
pub(crate) struct Found {
    /// The session of an id that is live. It is large and goes from hand to hand, so it is boxed as soon as there is one.
    pub(crate) draft: Option<Box<Draft>>,
    pub(crate) origin: Origin,
    /// The id that is live.
    pub(crate) token: Option<Token>,
    /// A record that is not trusted, and that only the id that came could have opened.
    pub(crate) remains: Option<Handle>,
    then: Option<Then>,
}

/// What the store is told once an id was judged.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Somebody has a copy of the session's id, so it ends.
    End(Handle),
    /// The last-seen stamp has become stale, and the session is given this life.
    Touch(Duration),
}

/// A load that is done, or one that waits for the store.
pub(crate) enum Loading {
    Done(Result<Found, Error>),
    Waiting(Boxed<Result<Found, Error>>),
}

/// Looks ids up. A store that answers at once costs no allocation.
pub(crate) fn load(context: &Arc<Context>, first: Token, others: Vec<Token>) -> Loading {
    let answer = match context.store.load(&first.handle()).split() {
        Ok(answer) if others.is_empty() => return conclude_at_once(context, first, answer),
        Ok(answer) => Box::pin(ready(answer)),
        Err(later) => later,
    };
    let context = context.clone();
    Loading::Waiting(match others.is_empty() {
        true => look_up(context, first, answer),
        false => look_up_all(context, first, answer, others),
    })
}

fn conclude_at_once(
    context: &Arc<Context>,
    token: Token,
    answer: Result<Option<Loaded>, StoreError>,
) -> Loading {
    let mut found = match judge(context, &token, answer) {
        Ok(verdict) => Found::of(context, token, verdict),
        Err(error) => return Loading::Done(Err(error)),
    };
    match tell(context, &found).map(Answer::split) {
        None => Loading::Done(Ok(found)),
        Some(Ok(answer)) => {
            found.told(context, answer);
            Loading::Done(Ok(found))
        }
        Some(Err(later)) => {
            let context = context.clone();
            Loading::Waiting(Box::pin(async move {
                found.told(&context, within(context.load_timeout, later).await);
                Ok(found)
            }))
        }
    }
}

/// Waits for the answer on one id. It is no `async fn`, whose future would keep twice what it is given.
fn look_up(
    context: Arc<Context>,
    token: Token,
    answer: Later<Option<Loaded>>,
) -> Boxed<Result<Found, Error>> {
    Box::pin(async move {
        let mut timer = pin!(sleep(context.load_timeout));
        let answer = before(timer.as_mut(), answer).await;
        let verdict = judge(&context, &token, answer)?;
        let mut found = Found::of(&context, token, verdict);
        if let Some(answer) = tell(&context, &found) {
            found.told(&context, before(timer, answer).await);
        }
        Ok(found)
    })
}

/// Looks several ids up in the time that there is for one.
fn look_up_all(
    context: Arc<Context>,
    first: Token,
    answer: Later<Option<Loaded>>,
    others: Vec<Token>,
) -> Boxed<Result<Found, Error>> {
    Box::pin(async move {
        let mut timer = pin!(sleep(context.load_timeout));
        let answer = before(timer.as_mut(), answer).await;
        let verdict = judge(&context, &first, answer)?;
        let mut verdicts = vec![(first, verdict)];
        for token in others {
            let answer = before(timer.as_mut(), context.store.load(&token.handle())).await;
            let verdict = judge(&context, &token, answer)?;
            verdicts.push((token, verdict));
        }
        let mut found = Found::of_all(&context, verdicts);
        if let Some(answer) = tell(&context, &found) {
            found.told(&context, before(timer, answer).await);
        }
        Ok(found)
    })
}

/// What one id turned out to be.
#[derive(Debug)]
enum Verdict {
    Expired,
    Live(Box<Draft>, Option<Then>),
    Reused,
    Superseded,
    Unknown,
    /// It is of this id, or would be.
    Untrusted(bool),
    WrongSecret,
}

/// Judges what the store says of an id.
fn judge(
    context: &Context,
    token: &Token,
    answer: Result<Option<Loaded>, StoreError>,
) -> Result<Verdict, Error> {
    let handle = token.handle();
    let Some(loaded) = answer.map_err(|error| failed(context, handle, error))? else {
        return Ok(Verdict::Unknown);
    };
    let header = match context.read(handle, &loaded) {
        Ok(header) => header,
        Err(Unreadable::Untrusted(_)) => {
            let is_own = context.guard.would_open(token, &loaded.record);
            return Ok(Verdict::Untrusted(is_own));
        }
        Err(undecodable) => {
            let error = Error::new(ErrorKind::UndecodableRecord);
            return Err(report(context, handle, error.with_source(undecodable)));
        }
    };
    let (secret, now) = (context.guard.hash_as(&header, token), loaded.now);
    let lifetime = header.lifetime.unwrap_or(context.lifetime);
    let stamps = header.stamps(loaded.created, loaded.last_seen);
    Ok(if !lifetime.is_live(stamps, now) {
        Verdict::Expired
    } else {
        let key = header.key(&secret, now, context.grace());
        match Opener::with(secret, key) {
            Some(opener) => {
                let renewal = context.renewal.as_ref();
                let upkeep = header.upkeep((&secret, key), loaded.created, now, renewal);
                let touch = lifetime.touch(stamps, now).map(Then::Touch);
                match context.open(&header, &loaded.record, (&secret, token)) {
                    Ok(opened) => {
                        let since = context.stopwatch();
                        let live = Live::of(handle, loaded, opener, opened, since);
                        Verdict::Live(Box::new(Draft::live(live, upkeep)), touch)
                    }
                    Err(_) => Verdict::Untrusted(true),
                }
            }
            None => Verdict::of_closed(key),
        }
    })
}

impl Found {
    pub(crate) const fn nothing(origin: Origin) -> Self {
        Self {
            draft: None,
            origin,
            token: None,
            remains: None,
            then: None,
        }
    }

    fn of(context: &Context, token: Token, verdict: Verdict) -> Self {
        verdict.observe(context, token.handle());
        match verdict {
            Verdict::Live(draft, then) => Self {
                draft: Some(draft),
                origin: Origin::Live,
                token: Some(token),
                remains: None,
                then,
            },
            Verdict::Reused => Self {
                then: context
                    .renewal
                    .filter(Renewal::ends_on_reuse)
                    .map(|_| Then::End(token.handle())),
                ..Self::nothing(Origin::Unknown)
            },
            Verdict::Superseded => Self::nothing(Origin::Superseded),
            Verdict::Untrusted(true) => Self {
                remains: Some(token.handle()),
                ..Self::nothing(Origin::Unknown)
            },
            Verdict::Expired
            | Verdict::Unknown
            | Verdict::Untrusted(false)
            | Verdict::WrongSecret => Self::nothing(Origin::Unknown),
        }
    }

    /// Decides between several ids: their place in the request says nothing, exactly one live one counts.
    fn of_all(context: &Context, verdicts: Vec<(Token, Verdict)>) -> Self {
        let several = verdicts.len() > 1;
        let found = verdicts
            .into_iter()
            .map(|(token, verdict)| Self::of(context, token, verdict));
        let (mut live, others): (Vec<_>, Vec<_>) = found.partition(|found| found.token.is_some());
        // A session may have two ids while one is renewed; the browser goes on with the later.
        live.sort_by_key(|found| (found.handle(), found.opener()));
        live.dedup_by_key(|found| found.handle());
        match (live.pop(), live.is_empty()) {
            (Some(found), true) => return found,
            _ if several => {
                context.observe(Event::new(EventKind::Rejected(RejectReason::Ambiguous)));
            }
            _ => {}
        }
        if !live.is_empty() {
            return Self::nothing(Origin::Unknown);
        }
        // Of several sessions whose copies came, or that are not trusted, the others end when theirs come again.
        let nothing = match others.iter().any(Self::is_superseded) {
            true => Self::nothing(Origin::Superseded),
            false => Self {
                remains: others.iter().find_map(|found| found.remains),
                ..Self::nothing(Origin::Unknown)
            },
        };
        Self {
            then: others.iter().find_map(|found| found.then),
            ..nothing
        }
    }

    fn is_superseded(&self) -> bool {
        self.origin == Origin::Superseded
    }

    fn handle(&self) -> Option<Handle> {
        self.live().map(|live| live.handle)
    }

    /// Returns what opened the session, the latest first.
    fn opener(&self) -> Option<Reverse<Key>> {
        self.live()?.opener.came_as.map(Reverse)
    }

    fn live(&self) -> Option<&Live> {
        self.draft.as_ref()?.current()
    }

    /// Takes the answer in: a touch that found another version, or nothing, is another request's business.
    fn told(&mut self, context: &Arc<Context>, answer: Result<bool, StoreError>) {
        if let Some(Then::End(handle)) = self.then {
            context.watchers.gone(handle);
        }
        match (answer, self.then) {
            (Ok(true), Some(Then::End(handle))) => {
                let kind = EventKind::Destroyed(EndReason::Reused);
                context.observe(Event::new(kind).of(handle));
            }
            (Ok(true), _) => self.draft.iter_mut().for_each(|draft| draft.touched()),
            (Ok(false), _) => {}
            (Err(_), Some(Then::End(handle))) => {
                revocation::keep_ending(context, handle, None, EndReason::Reused);
            }
            (Err(error), _) => {
                context.observe(Event::new(EventKind::StoreFailed).because(&error));
            }
        }
    }
}

impl Verdict {
    const fn of_closed(key: Key) -> Self {
        match key {
            Key::Retired => Self::Superseded,
            Key::Reused => Self::Reused,
            _ => Self::WrongSecret,
        }
    }

    fn observe(&self, context: &Context, handle: Handle) {
        let kind = match self {
            Self::Live(..) | Self::Untrusted(_) => return,
            Self::Expired => EventKind::Expired,
            Self::Reused => EventKind::Rejected(RejectReason::Reused),
            Self::Superseded => EventKind::Superseded,
            Self::Unknown => EventKind::Rejected(RejectReason::Unknown),
            Self::WrongSecret => EventKind::Rejected(RejectReason::WrongSecret),
        };
        context.observe(Event::new(kind).of(handle));
    }
}

/// Tells the store what is to be done at once.
fn tell(context: &Context, found: &Found) -> Option<Answer<bool>> {
    match found.then? {
        Then::End(handle) => Some(context.store.delete(&handle)),
        Then::Touch(expires_in) => {
            let live = found.live()?;
            let version = live.record.version();
            Some(context.store.touch(&live.handle, version, expires_in))
        }
    }
}

pub(crate) fn failed(context: &Context, handle: Handle, error: StoreError) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::Corrupt => ErrorKind::UndecodableRecord,
        StoreErrorKind::Full | StoreErrorKind::Unavailable | StoreErrorKind::Unknown => {
            ErrorKind::Store
        }
    };
    report(context, handle, Error::new(kind).with_source(error))
}

fn report(context: &Context, handle: Handle, error: Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::UndecodableRecord => EventKind::Undecodable,
        _ => EventKind::StoreFailed,
    };
    context.observe(Event::new(kind).of(handle).because(&error));
    error
}

#[cfg(feature = "keyring")]
#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request, Response, header};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::{
        Event, Keyring, ServerKey, SessionLayer, SessionSlot,
        guard::Next,
        id::Random,
        record::Version,
        store::{MemoryStore, SessionStore, Updated},
        sync::Mutex,
        testing::signed_in,
    };

    type Kinds = Arc<Mutex<Vec<EventKind>>>;

    fn site() -> (MemoryStore, SessionLayer, Kinds) {
        let (store, kinds) = (MemoryStore::new(), Kinds::default());
        let seen = kinds.clone();
        let layer = SessionLayer::builder(store.clone())
            .with_keyring(Keyring::new(ServerKey::for_test(1)))
            .with_sealed_values()
            .with_observer(move |event: &Event<'_>| seen.lock().push(event.kind()))
            .build();
        (store, layer.unwrap(), kinds)
    }

    fn token(cookie: &HeaderValue) -> Token {
        let (_, id) = cookie.to_str().unwrap().split_once('=').unwrap();
        Token::parse(id.as_bytes()).unwrap()
    }

    /// Does what somebody can do who has the server's keys and no cookie: authenticates a header to which the values do
    /// not belong.
    async fn spoil(store: &MemoryStore, context: &Context, token: &Token) {
        let (handle, guard) = (token.handle(), &context.guard);
        let loaded = store.load(&handle).await.unwrap().unwrap();
        let mut header = guard.read(handle, &loaded.record, loaded.now).unwrap();
        let secret = guard.hash_as(&header, token);
        let opened = guard.open(handle, &header, &loaded.record, (&secret, token));
        let opened = opened.unwrap().unwrap();
        header.seal.as_mut().unwrap().counter += 1;
        let next = Next {
            handle,
            version: Version::from_u64(7),
            old: &loaded.record,
            opened: Some(&opened),
            header: Ok(header),
            rotated: None,
            renewed: None,
            values: &opened.values,
        };
        let (record, _) = guard.succeed(next, Random::System).unwrap();
        let hour = Duration::from_secs(3_600);
        let version = loaded.record.version();
        let written = store.update(&handle, version, &record, hour).await;
        assert_eq!(written.unwrap(), Updated::Done);
    }

    /// Sends a request that looks at the session, and signs out if it is to.
    async fn send(layer: &SessionLayer, cookie: &HeaderValue, signs_out: bool) -> Response<String> {
        let service = service_fn(move |request: Request<()>| async move {
            let slot = SessionSlot::<crate::Main>::from_extensions(request.extensions()).unwrap();
            let session = slot.session().await.unwrap();
            assert_eq!(session.principal(), None);
            assert!(session.keys().unwrap().is_empty());
            if signs_out {
                session.logout().unwrap();
            }
            Ok::<_, std::convert::Infallible>(Response::new(String::new()))
        });
        let mut request = Request::new(());
        request.headers_mut().insert(header::COOKIE, cookie.clone());
        layer.layer(service).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn what_does_not_open_is_no_session_and_an_event_and_a_logout_ends_it() {
        let (store, layer, kinds) = site();
        let cookie = signed_in(&layer, "ada").await;
        spoil(&store, layer.context(), &token(&cookie)).await;
        kinds.lock().clear();
        let response = send(&layer, &cookie, false).await;
        assert!(response.status().is_success() && !response.headers().contains_key("set-cookie"));
        assert_eq!(*kinds.lock(), [EventKind::Rejected(RejectReason::Forged)]);
        assert_eq!(store.len(), 1);
        let response = send(&layer, &cookie, true).await;
        let told = response.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(response.status().is_success() && told.contains("Max-Age=0"));
        assert!(store.is_empty());
        assert!(
            kinds
                .lock()
                .contains(&EventKind::Destroyed(EndReason::Logout))
        );
    }
}
