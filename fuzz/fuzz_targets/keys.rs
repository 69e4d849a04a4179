//! Any text as a key file: no panic, no key in what is said of it, and a ring that is read has what its lines say.
#![no_main]

use std::error::Error;

use libfuzzer_sys::fuzz_target;
use tenure::{Keyring, ServerKey};

fuzz_target!(|parts: (Vec<u8>, Vec<String>)| {
    let (bytes, lines) = parts;
    let _ = ServerKey::from_bytes(&bytes);
    let text = lines.join("\n");
    for line in &lines {
        let _ = (ServerKey::from_hex(line), ServerKey::from_base64(line));
    }
    match Keyring::from_text(&text) {
        Ok(ring) => assert!(ring.previous().len() <= 4 && ring.previous().iter().all(|key| key.id() != ring.active())),
        Err(error) => {
            let mut cause: Option<&dyn Error> = Some(&error);
            while let Some(error) = cause {
                let told = format!("{error} {error:?}");
                let words = text.split_whitespace().filter(|word| word.len() >= 43);
                words.for_each(|word| assert!(!told.contains(word), "{told}"));
                cause = error.source();
            }
        }
    }
});
