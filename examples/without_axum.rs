//! Sessions on hyper and Tower alone: `cargo run --example without_axum`, then open <http://localhost:3000>.

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tenure::{Error, Session, SessionLayer, SessionSlot, store::MemoryStore};
use tower::{ServiceBuilder, service_fn};

type Body = Full<Bytes>;

/// The layer has put a slot into the request; a service asks it for the session.
async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let slot =
        SessionSlot::from_extensions(request.extensions()).expect("the layer is around this");
    let counted = match slot.session().await {
        Ok(session) => count(&session).await,
        Err(error) => Err(error),
    };
    Ok(match counted {
        Ok(visits) => Response::new(format!("You have been here {visits} times.\n").into()),
        Err(error) => error.to_response(),
    })
}

async fn count(session: &Session) -> Result<u32, Error> {
    session
        .update_now("visits", |visits: &mut u32| *visits += 1)
        .await
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let layer = SessionLayer::new(MemoryStore::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = ServiceBuilder::new()
            .layer(layer.clone())
            .service(service_fn(answer));
        tokio::spawn(async move {
            let served = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .await;
            if let Err(error) = served {
                eprintln!("connection lost: {error}");
            }
        });
    }
}
