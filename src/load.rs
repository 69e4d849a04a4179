//! From an id to a session: what the store says, judged.

use std::{sync::Arc, time::Duration};

use crate::{
    change::{Live, Origin},
    clock::Stopwatch,
    context::{Boxed, Context, within},
    error::{Error, ErrorKind},
    id::{Handle, Token},
    observe::{Event, EventKind, RejectReason},
    record::Header,
    store::{Answer, Loaded, StoreError, StoreErrorKind},
};

/// What a request's ids turned out to be.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) live: Option<Live>,
    pub(crate) origin: Origin,
    /// The id that is live.
    pub(crate) token: Option<Token>,
    touch: Option<Duration>,
}

/// A load that is done, or one that waits for the store.
pub(crate) enum Loading {
    Done(Result<Found, Error>),
    Waiting(Boxed<Result<Found, Error>>),
}

/// Looks ids up. A store that answers at once costs no allocation.
pub(crate) fn load(context: &Arc<Context>, first: Token, others: Vec<Token>) -> Loading {
    match context.store.load(&first.handle()).split() {
        Ok(answer) if others.is_empty() => conclude_at_once(context, first, answer),
        Ok(answer) => Loading::Waiting(Box::pin(look_up(
            context.clone(),
            first,
            Answer::ready(answer),
            others,
        ))),
        Err(later) => Loading::Waiting(Box::pin(look_up(
            context.clone(),
            first,
            Answer::boxed(later),
            others,
        ))),
    }
}

fn conclude_at_once(
    context: &Arc<Context>,
    token: Token,
    answer: Result<Option<Loaded>, StoreError>,
) -> Loading {
    let found = match judge(context, &token, answer) {
        Ok(verdict) => Found::of(context, token, verdict),
        Err(error) => return Loading::Done(Err(error)),
    };
    match touch(context, &found).map(Answer::split) {
        None => Loading::Done(Ok(found)),
        Some(Ok(touched)) => Loading::Done(Ok(found.touched(context, touched))),
        Some(Err(later)) => {
            let context = context.clone();
            Loading::Waiting(Box::pin(async move {
                let touched = within(context.load_timeout, later).await;
                Ok(found.touched(&context, touched))
            }))
        }
    }
}

/// Looks all ids up in the time that there is for one.
async fn look_up(
    context: Arc<Context>,
    first: Token,
    answer: Answer<Option<Loaded>>,
    others: Vec<Token>,
) -> Result<Found, Error> {
    let started = Stopwatch::start();
    let left = || context.load_timeout.saturating_sub(started.elapsed());
    let answer = within(left(), answer).await;
    let verdict = judge(&context, &first, answer)?;
    let mut verdicts = vec![(first, verdict)];
    for token in others {
        let answer = within(left(), context.store.load(&token.handle())).await;
        let verdict = judge(&context, &token, answer)?;
        verdicts.push((token, verdict));
    }
    let found = Found::of_all(&context, verdicts);
    match touch(&context, &found) {
        None => Ok(found),
        Some(touched) => {
            let touched = within(left(), touched).await;
            Ok(found.touched(&context, touched))
        }
    }
}

/// What one id turned out to be.
#[derive(Debug)]
enum Verdict {
    Expired,
    /// With the life that its stamp is to be given, if that has become stale.
    Live(Live, Option<Duration>),
    Superseded,
    Unknown,
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
    let header = Header::decode(loaded.record.header()).map_err(|undecodable| {
        let error = Error::new(ErrorKind::UndecodableRecord);
        report(context, handle, error.with_source(undecodable))
    })?;
    let (secret, now) = (context.hasher.hash(token), loaded.now);
    let lifetime = header.lifetime.unwrap_or(context.lifetime);
    let stamps = header.stamps(loaded.created, loaded.last_seen);
    Ok(if !lifetime.is_live(stamps, now) {
        Verdict::Expired
    } else if header.secret.matches(&secret) {
        let touch = lifetime.touch(stamps, now);
        Verdict::Live(Live::of(handle, loaded, context.stopwatch()), touch)
    } else if header.has_retired(&secret, now) {
        Verdict::Superseded
    } else {
        Verdict::WrongSecret
    })
}

impl Found {
    pub(crate) const fn nothing(origin: Origin) -> Self {
        Self {
            live: None,
            origin,
            token: None,
            touch: None,
        }
    }

    fn of(context: &Context, token: Token, verdict: Verdict) -> Self {
        verdict.observe(context, token.handle());
        match verdict {
            Verdict::Live(live, touch) => Self {
                live: Some(live),
                origin: Origin::Live,
                token: Some(token),
                touch,
            },
            Verdict::Superseded => Self::nothing(Origin::Superseded),
            Verdict::Expired | Verdict::Unknown | Verdict::WrongSecret => {
                Self::nothing(Origin::Unknown)
            }
        }
    }

    /// Decides between several ids: their place in the request says nothing, exactly one live one counts.
    fn of_all(context: &Context, verdicts: Vec<(Token, Verdict)>) -> Self {
        let several = verdicts.len() > 1;
        let found = verdicts
            .into_iter()
            .map(|(token, verdict)| Self::of(context, token, verdict));
        let (mut live, others): (Vec<_>, Vec<_>) = found.partition(|found| found.token.is_some());
        match (live.pop(), live.is_empty()) {
            (Some(found), true) => return found,
            _ if several => {
                context.observe(Event::new(EventKind::Rejected(RejectReason::Ambiguous)));
            }
            _ => {}
        }
        let superseded = live.is_empty()
            && others
                .iter()
                .any(|found| found.origin == Origin::Superseded);
        Self::nothing(if superseded {
            Origin::Superseded
        } else {
            Origin::Unknown
        })
    }

    /// Takes the answer to a touch in: one that found another version, or nothing, is another request's business.
    fn touched(mut self, context: &Context, answer: Result<bool, StoreError>) -> Self {
        match answer {
            Ok(true) => self.live.iter_mut().for_each(Live::touched),
            Ok(false) => {}
            Err(error) => context.observe(Event::new(EventKind::StoreFailed).because(&error)),
        }
        self
    }
}

impl Verdict {
    fn observe(&self, context: &Context, handle: Handle) {
        let kind = match self {
            Self::Live(..) => return,
            Self::Expired => EventKind::Expired,
            Self::Superseded => EventKind::Superseded,
            Self::Unknown => EventKind::Rejected(RejectReason::Unknown),
            Self::WrongSecret => EventKind::Rejected(RejectReason::WrongSecret),
        };
        context.observe(Event::new(kind).of(handle));
    }
}

/// Renews the last-seen stamp if it has become stale.
fn touch(context: &Context, found: &Found) -> Option<Answer<bool>> {
    let (live, expires_in) = found.live.as_ref().zip(found.touch)?;
    let version = live.record.version();
    Some(context.store.touch(&live.handle, version, expires_in))
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
