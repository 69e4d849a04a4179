//! The page: a form, a number or a list, no script and no style of its own.

use std::{fmt::Write as _, time::Duration};

use crate::{clock::Timestamp, principal::PrincipalId, sessions::SessionInfo};

pub(super) fn count(live: Option<u64>) -> String {
    let counted = match live {
        Some(live) => format!("<p>Live sessions: {live}</p>"),
        None => "<p>This store does not count its sessions.</p>".to_owned(),
    };
    page("", &counted)
}

pub(super) fn list(principal: &PrincipalId, listed: &[SessionInfo], now: Timestamp) -> String {
    let mut rows = String::new();
    for session in listed {
        row(&mut rows, principal, session, now);
    }
    let list = match listed {
        [] => "<p>No live sessions.</p>".to_owned(),
        _ => format!("<ul>{rows}</ul>"),
    };
    page(principal.as_str(), &list)
}

pub(super) fn trouble(words: &str) -> String {
    page("", &format!("<p role=\"alert\">{}</p>", escaped(words)))
}

/// Returns the address of a list, relative to the page.
pub(super) fn address(principal: Option<&PrincipalId>) -> String {
    match principal {
        Some(principal) => format!("?principal={}", encoded(principal.as_str())),
        None => "?".to_owned(),
    }
}

fn row(rows: &mut String, principal: &PrincipalId, session: &SessionInfo, now: Timestamp) {
    let handle = session.handle();
    let label = escaped(session.label().unwrap_or("Without a label"));
    let [signed_in, seen] = [session.authenticated_at(), session.last_seen_at()]
        .map(|then| format!("{} ago", words(now.since(then))));
    let left = words(session.idle_expires_at().since(now));
    let unshown = match session.was_shown() {
        true => "",
        false => " (no request has come with its id)",
    };
    let action = escaped(&format!("{}&handle={handle}", address(Some(principal))));
    let written = write!(
        rows,
        "<li><strong>{label}</strong>, signed in {signed_in}{unshown}, last seen {seen}, ends unused in {left}<br><code>{handle}</code>\
         <form method=\"post\" action=\"{action}\"><button aria-label=\"End {handle}\">End</button></form>"
    );
    written.expect("a string takes all");
}

fn page(principal: &str, content: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sessions</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <h1>Sessions</h1><form><label>Of whom: <input name=\"principal\" value=\"{}\" required></label> <button>List</button></form>{content}",
        escaped(principal)
    )
}

/// Makes text harmless in a page, between quotes too: it is the visitors' own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// Writes text into a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            byte => write!(encoded, "%{byte:02X}").expect("a string takes all"),
        }
    }
    encoded
}

/// Says a duration in its largest unit.
fn words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3_600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_visitors_is_harmless_in_a_page_and_in_an_address() {
        let odd = "<b>\"a\"&'ü'</b> +%";
        let escaped = escaped(odd);
        assert_eq!(
            escaped,
            "&lt;b&gt;&quot;a&quot;&amp;&#39;ü&#39;&lt;/b&gt; +%"
        );
        for page in [
            list(&odd.into(), &[], Timestamp::from_millis(0)),
            trouble(odd),
        ] {
            assert!(page.contains(&escaped) && !page.contains("<b>"), "{page}");
        }
        assert_eq!(
            address(Some(&odd.into())),
            "?principal=%3Cb%3E%22a%22%26%27%C3%BC%27%3C%2Fb%3E%20%2B%25"
        );
        assert_eq!(address(None), "?");
    }

    #[test]
    fn a_duration_has_words() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }
}
