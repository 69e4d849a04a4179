//! Requests that are sent until they are served.

use std::{future::Future, time::Duration};

use http::StatusCode;
use tenure::{Error, Session, SessionInfo, SessionLayer};

use crate::bed::visitor::{Told, send, told};

/// Starts a session that counts and is signed in.
pub async fn member(layer: &SessionLayer) -> String {
    signed_in(layer, "ada").await
}

pub(super) async fn signed_in(layer: &SessionLayer, name: &str) -> String {
    for _ in 0..TRIES {
        let cookie = until_it_starts(layer).await;
        let name = name.to_owned();
        let login = async move |session: Session| session.login(name);
        let response = send(layer, Some(&cookie), login).await;
        match (response.status(), told(&response)) {
            (StatusCode::OK, Told::Id(cookie)) => return cookie,
            // The machine is busy with something else.
            (status, told) => {
                assert_eq!(
                    (status, told),
                    (StatusCode::SERVICE_UNAVAILABLE, Told::Nothing)
                );
            }
        }
    }
    panic!("nobody can sign in");
}

/// Asks again until a session counts; it is a defect if the site does not come back.
pub async fn until_it_counts(layer: &SessionLayer, cookie: &str) {
    let count = async |session: Session| session.update("count", |count: &mut u32| *count += 1);
    let told = until_served(layer, Some(cookie), count).await;
    assert_eq!(told, Told::Nothing);
}

/// Asks again until a session is read.
pub async fn until_it_is_read(layer: &SessionLayer, cookie: &str) {
    let read = async |session: Session| session.get::<u32>("count").map(drop);
    let told = until_served(layer, Some(cookie), read).await;
    assert_eq!(told, Told::Nothing);
}

/// Asks again until there is a new session, and returns its cookie.
pub async fn until_it_starts(layer: &SessionLayer) -> String {
    let insert = async |session: Session| session.insert("count", 0_u32);
    match until_served(layer, None, insert).await {
        Told::Id(cookie) => cookie,
        told => panic!("{told:?}"),
    }
}

/// Asks again until the sessions of somebody are listed.
pub(super) async fn until_they_are_listed(layer: &SessionLayer, name: &str) -> Vec<SessionInfo> {
    for _ in 0..TRIES {
        if let Ok(listed) = layer.sessions().list(name).await {
            return listed;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the sessions cannot be listed");
}

/// Asks again until what an engine has lost of the index is there again.
pub(super) async fn until_it_is_repaired(layer: &SessionLayer) {
    for _ in 0..TRIES {
        if layer.sessions().repair().await.is_ok() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the index cannot be repaired");
}

async fn until_served<F>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(Session) -> F + Clone + Send + 'static,
) -> Told
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    for _ in 0..TRIES {
        let response = send(layer, cookie, handler.clone()).await;
        match response.status() {
            StatusCode::OK => return told(&response),
            status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
        }
        assert_eq!(told(&response), Told::Nothing, "{response:?}");
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the site does not come back");
}

const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);
