//! Whoever guesses ids is told of, and nobody else.

use std::sync::{Arc, Mutex};

use http::{Request, header};
use tenure::{Event, EventKind, PeerKey, Session};

use crate::support::{Answered, Site, send};

/// What was told of guessing, and the site that tells it: the peer is what a proxy has written.
struct Watch {
    site: Site,
    told: Arc<Mutex<Vec<Option<PeerKey>>>>,
}

impl Watch {
    fn new() -> Self {
        let told: Arc<Mutex<Vec<_>>> = Arc::default();
        let seen = told.clone();
        let site = Site::with(|builder| {
            let peer = |headers: &http::HeaderMap, _: &http::Extensions| {
                let number: u64 = headers.get("x-peer")?.to_str().ok()?.parse().ok()?;
                Some(PeerKey::from(number))
            };
            builder
                .with_peer(peer)
                .with_observer(move |event: &Event<'_>| {
                    if event.kind() == EventKind::Guessing {
                        seen.lock().unwrap().push(event.peer());
                    }
                })
        });
        Self { site, told }
    }

    async fn bring(&self, peer: Option<u64>, cookie: &str) {
        let mut request = Request::builder().header(header::COOKIE, cookie);
        if let Some(peer) = peer {
            request = request.header("x-peer", peer);
        }
        let request = request.body(String::new()).unwrap();
        send(&self.site.layer, request, read).await;
    }

    fn told(&self) -> Vec<Option<PeerKey>> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

async fn read(session: Session) -> Answered {
    session.contains("a")?;
    Ok(http::StatusCode::OK)
}

/// Makes an id that nobody was given: the number is in the part that is the handle, or in the secret.
fn guess(cookie: &str, number: usize, is_of_handle: bool) -> String {
    let (name, id) = cookie.split_once('=').unwrap();
    let number = format!("{number:05}");
    match is_of_handle {
        true => format!("{name}={number}{}", &id[5..]),
        false => format!("{name}={}{number}", &id[..id.len() - 5]),
    }
}

#[tokio::test]
async fn who_brings_many_ids_that_open_nothing_is_told_of() {
    for is_of_handle in [true, false] {
        let watch = Watch::new();
        let visitor = watch.site.visitor().await;
        let cookie = visitor.cookie.as_ref().unwrap();
        for number in 0..200 {
            let guess = guess(cookie, number, is_of_handle);
            watch.bring(Some(7), &guess).await;
            watch.bring(None, &guess).await;
        }
        assert_eq!(watch.told(), [Some(7.into())], "{is_of_handle}");
        assert_eq!(visitor.read("a").await, Some(1));
    }
}

#[tokio::test]
async fn who_comes_with_live_or_old_or_malformed_ids_is_no_guesser() {
    let watch = Watch::new();
    for _ in 0..200 {
        let visitor = watch.site.visitor().await;
        watch.bring(Some(7), visitor.cookie.as_ref().unwrap()).await;
    }
    let member = watch.site.member("ada").await;
    let old = member.cookie.as_ref().unwrap();
    let expired = guess(old, 1, true);
    let name = old.split('=').next().unwrap();
    for number in 0..200 {
        watch.bring(Some(7), &expired).await;
        watch.bring(Some(7), &format!("{name}={number}")).await;
    }
    assert_eq!(watch.told(), []);
}
