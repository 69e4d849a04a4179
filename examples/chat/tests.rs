//! The chat over real sockets, as browsers see it.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
};

/// A browser of the chat: a cookie, and a connection for each request.
struct Browser {
    port: u16,
    cookie: String,
}

impl Browser {
    async fn signed_in(port: u16, name: &str) -> Self {
        let cookie = String::new();
        let mut browser = Self { port, cookie };
        browser.post("/login", &format!("name={name}")).await;
        assert!(!browser.cookie.is_empty());
        browser
    }

    /// Sends a form, takes the cookie in, and returns the head of the response.
    async fn post(&mut self, path: &str, form: &str) -> String {
        let length = form.len();
        let more = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{form}"
        );
        let mut response = String::new();
        let mut connection = self.send("POST", path, &more).await;
        connection.read_to_string(&mut response).await.unwrap();
        if let Some((_, rest)) = response.split_once("set-cookie: ") {
            self.cookie = rest.split(';').next().unwrap().to_owned();
        }
        response
    }

    /// Opens the stream; returns when its first line is there.
    async fn listen(&self) -> Lines<BufReader<TcpStream>> {
        let connection = self.send("GET", "/events", "\r\n").await;
        let mut lines = BufReader::new(connection).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "HTTP/1.1 200 OK");
        while !lines.next_line().await.unwrap().unwrap().is_empty() {}
        lines
    }

    async fn send(&self, method: &str, path: &str, more: &str) -> TcpStream {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .unwrap();
        let (port, cookie) = (self.port, &self.cookie);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n{more}"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        connection
    }
}

/// Waits for a line that begins like this.
async fn heard(lines: &mut Lines<BufReader<TcpStream>>, begin: &str) -> String {
    loop {
        let line = lines.next_line().await.unwrap();
        let line = line.expect("the stream is open");
        if let Some(rest) = line.strip_prefix(begin) {
            return rest.to_owned();
        }
    }
}

/// Waits until nothing more comes, and returns why.
async fn closed(mut lines: Lines<BufReader<TcpStream>>) -> String {
    assert_eq!(heard(&mut lines, "event: ").await, "ended");
    let why = heard(&mut lines, "data: ").await;
    while let Some(line) = lines.next_line().await.unwrap() {
        assert!(!line.starts_with("data:"), "{line}");
        if line == "0" {
            break;
        }
    }
    why
}

async fn open() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = super::app().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

#[tokio::test]
async fn signing_out_elsewhere_closes_the_stream_and_no_other() {
    let port = open().await;
    let mut laptop = Browser::signed_in(port, "ada").await;
    let phone = Browser::signed_in(port, "ada").await;
    let mut grace = Browser::signed_in(port, "grace").await;
    let (mut on_phone, mut on_laptop) = (phone.listen().await, laptop.listen().await);
    grace.post("/say", "words=hello").await;
    for lines in [&mut on_phone, &mut on_laptop] {
        assert_eq!(heard(lines, "data: ").await, "grace: hello");
    }
    let response = laptop.post("/others", "").await;
    assert!(response.starts_with("HTTP/1.1 303"), "{response}");
    assert_eq!(closed(on_phone).await, "gone");
    grace.post("/say", "words=still").await;
    assert_eq!(heard(&mut on_laptop, "data: ").await, "grace: still");
    laptop.post("/logout", "").await;
    assert_eq!(closed(on_laptop).await, "gone");
}

#[tokio::test]
async fn signing_in_again_closes_the_stream_of_the_old_id() {
    let port = open().await;
    let mut browser = Browser::signed_in(port, "ada").await;
    let lines = browser.listen().await;
    browser.post("/login", "name=ada").await;
    assert_eq!(closed(lines).await, "changed");
    let (mut again, words) = (browser.listen().await, "words=hello");
    browser.post("/say", words).await;
    assert_eq!(heard(&mut again, "data: ").await, "ada: hello");
}

#[tokio::test]
async fn who_is_not_signed_in_hears_nothing() {
    let port = open().await;
    let cookie = String::new();
    let browser = Browser { port, cookie };
    let connection = browser.send("GET", "/events", "\r\n").await;
    let line = BufReader::new(connection).lines().next_line().await;
    assert_eq!(line.unwrap().unwrap(), "HTTP/1.1 401 Unauthorized");
}
