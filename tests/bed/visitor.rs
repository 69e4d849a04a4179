//! A visitor of a site behind a session layer, as far as one cookie goes.

use std::{convert::Infallible, future::Future};

use http::{Request, Response, StatusCode, header};
use tenure::{Error, Session, SessionLayer, SessionSlot};
use tower::{Layer, ServiceExt, service_fn};

/// Sends a request with a cookie, if there is one, to a handler; returns the status and the cookie it then has.
pub async fn visit<F>(
    layer: &SessionLayer,
    cookie: Option<&str>,
    handler: impl FnOnce(Session) -> F + Send + 'static,
) -> (StatusCode, Option<String>)
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let mut handler = Some(handler);
    let service = service_fn(move |request: Request<String>| {
        let handler = handler.take().expect("a service of one request");
        async move {
            let slot = SessionSlot::from_extensions(request.extensions()).unwrap();
            let answered = match slot.session().await {
                Ok(session) => handler(session).await,
                Err(error) => Err(error),
            };
            let response = answered.map_or_else(
                |error| error.to_response(),
                |()| Response::new(String::new()),
            );
            Ok::<_, Infallible>(response)
        }
    });
    let mut request = Request::new(String::new());
    if let Some(cookie) = cookie {
        let cookie = cookie.parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
    }
    let response = layer.layer(service).oneshot(request).await.unwrap();
    let told = response.headers().get(header::SET_COOKIE);
    let told = told.map(|field| {
        let text = field.to_str().unwrap();
        text.split(';').next().unwrap().to_owned()
    });
    (response.status(), told.or(cookie.map(str::to_owned)))
}

/// Starts a session, and returns its cookie.
pub async fn arrive(layer: &SessionLayer) -> String {
    let (status, cookie) = visit(layer, None, async |session: Session| {
        session.insert("count", 0_u32)
    })
    .await;
    assert_eq!(status, StatusCode::OK);
    cookie.expect("a session has a cookie")
}

/// Sends as many requests as asked for at once, in turn to each layer, that count in one session; all are answered.
pub async fn count_at_once(layers: &[SessionLayer], cookie: &str, requests: usize) {
    let sent: Vec<_> = (0..requests)
        .map(|number| {
            let layer = layers[number % layers.len()].clone();
            let cookie = cookie.to_owned();
            tokio::spawn(async move {
                let count =
                    async |session: Session| session.update("count", |count: &mut u32| *count += 1);
                visit(&layer, Some(&cookie), count).await.0
            })
        })
        .collect();
    for request in sent {
        assert_eq!(request.await.unwrap(), StatusCode::OK);
    }
}

/// Reads how far a session has counted.
pub async fn counted(layer: &SessionLayer, cookie: &str) -> Option<u32> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let read = async move |session: Session| {
        sender.send(session.get::<u32>("count")?).unwrap();
        Ok(())
    };
    let (status, _) = visit(layer, Some(cookie), read).await;
    assert_eq!(status, StatusCode::OK);
    receiver.await.unwrap()
}
