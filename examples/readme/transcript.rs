//! The README shows this program and what `curl` says to it: both are compared with what is.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const README: &str = include_str!("../../README.md");

#[test]
fn the_readme_shows_this_program() {
    let (_, program) = include_str!("main.rs").split_once("\n\n").unwrap();
    let (program, _) = program.split_once("\n#[cfg(test)]").unwrap();
    assert!(README.contains(&format!("```rust,no_run\n{program}```")));
}

#[tokio::test]
async fn the_readmes_transcript_is_what_curl_shows() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut connection = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, super::app()).await });
    let mut jar = String::new();
    let requests = transcript();
    assert!(requests.len() > 3);
    for (command, shown) in requests {
        let method = if command.contains("-X POST") {
            "POST"
        } else {
            "GET"
        };
        let path = command.split("localhost:3000").nth(1).unwrap();
        let path = if path.is_empty() { "/" } else { path };
        let response = ask(&mut connection, method, path, &mut jar).await;
        let printed = match command.contains(" -i ") {
            true => response,
            false => response.split_once("\n\n").unwrap().1.to_owned(),
        };
        assert_eq!(shape(&printed), shape(&shown), "{command}");
    }
}

#[test]
fn the_public_half_of_the_id_stays_and_the_rest_does_not() {
    let ids: Vec<_> = README
        .split("set-cookie: __Host-Http-id=")
        .skip(1)
        .filter_map(|rest| rest.split(';').next())
        .filter(|id| !id.is_empty())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0][..21], ids[1][..21]);
    assert_ne!(ids[0][22..], ids[1][22..]);
}

/// Finds the commands of the README, each with what it prints.
fn transcript() -> Vec<(String, String)> {
    let (_, rest) = README.split_once("```console\n$ curl").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let requests = block.split("$ curl");
    requests
        .map(|request| request.split_once('\n').unwrap())
        .map(|(command, shown)| (command.to_owned(), shown.to_owned()))
        .collect()
}

/// Sends a request as `curl` does with a jar of one cookie, and returns the response with plain line ends.
async fn ask(connection: &mut TcpStream, method: &str, path: &str, jar: &mut String) -> String {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost:3000\r\ncookie: {jar}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    while !is_whole(&response) {
        let mut bytes = [0; 1024];
        let read = connection.read(&mut bytes).await.unwrap();
        assert!(read > 0, "the server hung up after {response:?}");
        response += str::from_utf8(&bytes[..read]).unwrap();
    }
    let response = response.replace("\r\n", "\n");
    if let Some((_, field)) = response.split_once("\nset-cookie: ") {
        *jar = field.split(';').next().unwrap().to_owned();
    }
    response
}

fn is_whole(response: &str) -> bool {
    response.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let (_, length) = head.split_once("content-length: ").unwrap();
        length.lines().next().unwrap().parse() == Ok(body.len())
    })
}

/// Leaves out what is another each time: the date, and the characters of an id.
fn shape(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some(("date", _)) => "date: …".to_owned(),
        Some(("set-cookie", cookie)) => {
            let (name, rest) = cookie.split_once('=').unwrap();
            let (id, attributes) = rest.split_once(';').unwrap();
            format!("set-cookie: {name}={} characters;{attributes}", id.len())
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
