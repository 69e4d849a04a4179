//! What must not be in any file of an engine, looked for in every byte of them.

use std::{fs, path::Path};

use http::StatusCode;
use tenure::{Keyring, ServerKey, Session, SessionLayer, store::SessionStore};

use super::visitor::{arrive, counted, visit};

/// Bytes that are looked for, and what they are.
pub type Canaries = Vec<(&'static str, Vec<u8>)>;

/// Lets somebody arrive, write, sign in and write again behind a layer whose values are sealed, or are not; returns what
/// the engine must not be told of.
pub async fn leave(store: impl SessionStore, is_sealed: bool) -> Canaries {
    let keyring = Keyring::new(ServerKey::generate().unwrap());
    let builder = SessionLayer::builder(store).with_keyring(keyring);
    let layer = match is_sealed {
        true => builder.with_sealed_values().build().unwrap(),
        false => builder.build().unwrap(),
    };
    let arrived = arrive(&layer).await;
    let write = async |session: Session| session.insert("passport", FIRST);
    visit(&layer, Some(&arrived), write).await;
    let login = async |session: Session| session.login("ada");
    let (_, signed_in) = visit(&layer, Some(&arrived), login).await;
    let signed_in = signed_in.unwrap();
    let write = async |session: Session| session.insert("passport", SECOND);
    let (status, _) = visit(&layer, Some(&signed_in), write).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(counted(&layer, &signed_in).await, Some(0));
    let mut canaries: Canaries = [FIRST, SECOND, "passport"]
        .map(|text| (VALUE, text.as_bytes().to_vec()))
        .into();
    for cookie in [arrived, signed_in] {
        let id = cookie.split_once('=').unwrap().1;
        // Sixteen characters are twelve bytes; both halves of the secret are looked for.
        for part in [&id[24..40], &id[48..]] {
            canaries.push(("a part of a cookie", part.as_bytes().to_vec()));
            canaries.push(("a part of a secret", decoded(part)));
        }
    }
    canaries
}

/// Returns what of the canaries stands in the files of a folder, which has some.
pub fn found_in(folder: &Path, canaries: &Canaries) -> Vec<&'static str> {
    let bytes = files(folder);
    assert!(bytes.iter().map(Vec::len).sum::<usize>() > 1_000, "files");
    let stands = |canary: &[u8]| {
        let mut windows = bytes.iter().flat_map(|bytes| bytes.windows(canary.len()));
        windows.any(|part| part == canary)
    };
    assert!(stands(b"ada"), "whom lists show is there");
    let found = canaries.iter().filter(|(_, canary)| stands(canary));
    let mut found: Vec<_> = found.map(|(name, _)| *name).collect();
    found.dedup();
    found
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![fs::read(path).unwrap()],
    });
    files.collect()
}

/// Reads base64url.
fn decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |char| ALPHABET.find(char).unwrap() as u32;
    let groups = text.as_bytes().chunks(4).flat_map(|group| {
        let bits = group
            .iter()
            .fold(0, |bits, char| bits << 6 | digit(char::from(*char)));
        bits.to_be_bytes()[1..].to_vec()
    });
    groups.collect()
}

pub const VALUE: &str = "a value, or its name";

const FIRST: &str = "the number of a passport";
const SECOND: &str = "another number of it";
