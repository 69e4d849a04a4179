//! The stream of events, which ends with its session.

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::stream::{self, Stream};
use tenure::{Ended, Error, LiveSession, Principal, Session};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::Room;

/// Sends what is said to somebody who is signed in, for as long as he is.
pub(crate) async fn events(
    State(room): State<Room>,
    Principal(_): Principal<String>,
    session: Session,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, Error> {
    let live = session.detach()?;
    let said = room.0.subscribe();
    let events = stream::unfold(Some((live, said)), async |open| {
        let (live, mut said) = open?;
        Some(match next(&live, &mut said).await {
            Ok(words) => (Ok(Event::default().data(words)), Some((live, said))),
            Err(ended) => (
                Ok(Event::default().event("ended").data(reason(ended))),
                None,
            ),
        })
    });
    // Without a word now and then a proxy would take the stream for dead.
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Waits for the next words, or for the end of the session.
async fn next(live: &LiveSession, said: &mut Receiver<String>) -> Result<String, Ended> {
    loop {
        tokio::select! {
            biased; // who is signed out hears nothing more
            ended = live.ended() => return Err(ended),
            words = said.recv() => match words {
                Ok(words) => return Ok(words),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(live.ended().await),
            },
        }
    }
}

const fn reason(ended: Ended) -> &'static str {
    match ended {
        Ended::Expired => "expired",
        // The browser has another id by now, and connects again with it.
        Ended::PrivilegeChanged => "changed",
        _ => "gone",
    }
}
