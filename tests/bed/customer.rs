//! Somebody who shops over HTTP, with a cookie jar as large as one session needs.

use http::{
    HeaderMap, Request, StatusCode,
    header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE, USER_AGENT},
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{join, net::TcpStream, task::JoinHandle};

/// A clone has the same cookie, as another tab has.
#[derive(Clone, Debug)]
pub struct Customer {
    port: u16,
    agent: &'static str,
    cookie: Option<String>,
}

impl Customer {
    pub fn new(port: u16) -> Self {
        Self::with(port, "")
    }

    /// Somebody whose browser says its name.
    pub fn with(port: u16, agent: &'static str) -> Self {
        Self {
            port,
            agent,
            cookie: None,
        }
    }

    /// The same browser at another port of this host: cookies know of no ports.
    pub fn at(&self, port: u16) -> Self {
        Self {
            port,
            ..self.clone()
        }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, "").await
    }

    /// Sends a form, as a page of this site would.
    pub async fn post(&mut self, path: &str, form: &str) -> Page {
        self.send("POST", path, form).await
    }

    /// Opens a stream of events, and leaves it open.
    pub async fn listen(&self, path: &str) -> Events {
        let stream = TcpStream::connect(self.host()).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(async { drop(connection.await) });
        let answer = sender.send_request(self.request("GET", path, "")).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        Events {
            body: answer.into_body(),
            text: String::new(),
            connection,
        }
    }

    async fn send(&mut self, method: &str, path: &str, form: &str) -> Page {
        let page = exchange(&self.host(), self.request(method, path, form)).await;
        self.keep(&page.headers);
        page
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn request(&self, method: &str, path: &str, form: &str) -> Request<String> {
        let host = self.host();
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(HOST, &host);
        if !self.agent.is_empty() {
            request = request.header(USER_AGENT, self.agent);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if method == "POST" {
            request = request.header(ORIGIN, format!("http://{host}"));
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        request.body(form.to_owned()).unwrap()
    }

    /// Does what a browser does with a cookie: keeps it, or throws it away if its time is over.
    fn keep(&mut self, headers: &HeaderMap) {
        let Some(field) = headers.get(SET_COOKIE) else {
            return;
        };
        let field = field.to_str().unwrap();
        let cookie = field.split(';').next().unwrap().to_owned();
        self.cookie = (!field.contains("Max-Age=0")).then_some(cookie);
    }
}

/// Sends a request over a connection of its own, which ends with the answer, or when nobody waits for that any more.
pub async fn exchange(host: &str, request: Request<String>) -> Page {
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let answered = async move {
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Page {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    };
    // Once nobody holds its sender the connection has no more to do.
    let (page, _) = join!(answered, connection);
    page
}

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    text: String,
    connection: JoinHandle<()>,
}

impl Events {
    /// Waits for the next event; `None` if the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                // A line that only keeps proxies awake.
                if event.starts_with(':') {
                    continue;
                }
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            let data = frame.into_data().unwrap();
            self.text += str::from_utf8(&data).unwrap();
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// What the shop answered.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Page {
    /// The path that the browser is sent to.
    pub fn goes_to(&self) -> &str {
        let location = self.headers.get(LOCATION);
        location.map_or("", |path| path.to_str().unwrap())
    }

    /// How many things are in the cart, as each page shows it.
    pub fn count(&self) -> u32 {
        let (_, rest) = self.text.split_once(r#"class="count">"#).unwrap();
        rest.split('<').next().unwrap().parse().unwrap()
    }

    /// How many orders the page lists.
    pub fn orders(&self) -> usize {
        self.text.matches(r#"href="/orders/"#).count()
    }

    /// The names of the devices that the page lists, this one first.
    pub fn devices(&self) -> Vec<&str> {
        let (_, list) = self.text.split_once(r#"<ul class="devices">"#).unwrap();
        let names = list.split("<strong>").skip(1);
        names.map(|rest| rest.split('<').next().unwrap()).collect()
    }

    /// What signs the other devices out, in the order of the list.
    pub fn sign_outs(&self) -> Vec<&str> {
        let handles = self.text.split(r#"name="device" value=""#).skip(1);
        handles
            .map(|rest| rest.split('"').next().unwrap())
            .collect()
    }

    pub fn is_for(&self, name: &str) -> bool {
        self.text.contains(&format!("Signed in as {name}"))
    }
}
