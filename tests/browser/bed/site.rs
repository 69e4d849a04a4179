//! A site of the test's own, in its own process.

use std::net::Ipv4Addr;

use axum::{Router, response::Html, routing::get};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) struct Site {
    server: JoinHandle<()>,
    port: u16,
}

impl Site {
    pub(crate) async fn serve(app: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { server, port }
    }

    /// Serves a page whose one button sends a form somewhere else.
    pub(crate) async fn with_form(action: &str, fields: &str) -> Self {
        let page = format!(
            "<form method=post action='{action}'>{fields}<button>Win a teapot</button></form>"
        );
        Self::serve(Router::new().route("/", get(|| async { Html(page) }))).await
    }

    /// Returns an address on the shop's host: another origin, but the same site.
    pub(crate) fn at_localhost(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// Returns an address on another host: another site.
    pub(crate) fn at_another_host(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}
