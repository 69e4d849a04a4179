//! Who listens at the desk: streams of events that end with their session, or with the shop.

use std::convert::Infallible;

use axum::{
    extract::State,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream};
use maud::html;
use tenure::{Ended, ErrorKind, Handle, LiveSession, Session};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use crate::{help::TALK, problem::Problem};

/// Tells those who listen that something was said, or that the shop closes.
#[derive(Clone)]
pub(crate) struct Desk {
    said: broadcast::Sender<Handle>,
    is_closing: watch::Sender<bool>,
}

impl Desk {
    pub(crate) fn open() -> Self {
        Self {
            said: broadcast::Sender::new(100),
            is_closing: watch::Sender::new(false),
        }
    }

    pub(crate) fn tell(&self, session: Option<Handle>) {
        // Nobody may be listening.
        let _ = session.map(|session| self.said.send(session));
    }

    /// Ends all streams, for which the shop would wait.
    pub(crate) fn close(&self) {
        self.is_closing.send_replace(true);
    }
}

/// Sends what is said to somebody who is signed in, for as long as he is. A proxy must not gather it.
pub(crate) async fn events(
    State(desk): State<Desk>,
    session: Session,
) -> Result<impl IntoResponse, Problem> {
    let events = match session.require_principal::<String>() {
        Ok(_) => {
            let listener = Listener::new(&desk, session.detach()?);
            stream::unfold(Some(listener), Listener::next).left_stream()
        }
        Err(error) if error.kind() == ErrorKind::NotSignedIn => {
            stream::iter([over()]).right_stream()
        }
        Err(error) => return Err(error.into()),
    };
    let events = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::default());
    Ok(([("x-accel-buffering", "no")], events))
}

struct Listener {
    live: LiveSession,
    said: broadcast::Receiver<Handle>,
    is_closing: watch::Receiver<bool>,
    has_begun: bool,
}

enum News {
    Said,
    Ended(Ended),
    Closing,
}

impl Listener {
    fn new(desk: &Desk, live: LiveSession) -> Self {
        Self {
            live,
            said: desk.said.subscribe(),
            is_closing: desk.is_closing.subscribe(),
            has_begun: false,
        }
    }

    /// All that was said, at once and when there is more. A browser whose stream just ends connects again, with the id
    /// that it has by then.
    async fn next(listener: Option<Self>) -> Option<(Event, Option<Self>)> {
        let mut listener = listener?;
        let news = match listener.has_begun {
            true => listener.news().await,
            false => News::Said,
        };
        listener.has_begun = true;
        match news {
            News::Said => {
                let session = listener.live.reload().await.ok()?;
                let talk = session.get(TALK).ok()?.unwrap_or_default();
                let list = html! { ol { (talk.lines()) } };
                Some((Event::default().data(list.into_string()), Some(listener)))
            }
            News::Ended(Ended::PrivilegeChanged) | News::Closing => None,
            News::Ended(_) => Some((over(), None)),
        }
    }

    async fn news(&mut self) -> News {
        loop {
            tokio::select! {
                biased; // who is signed out hears nothing more
                ended = self.live.ended() => return News::Ended(ended),
                _ = self.is_closing.wait_for(|is_closing| *is_closing) => return News::Closing,
                said = self.said.recv() => match said {
                    Ok(session) if session != self.live.handle() => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return News::Said,
                    Err(RecvError::Closed) => return News::Closing,
                },
            }
        }
    }
}

fn over() -> Event {
    Event::default().event("over").data("signed out")
}
