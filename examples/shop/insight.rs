//! The corner of each page that tells what the session is at this moment.

use std::time::Duration;

use maud::{Markup, html};
use tenure::{Clock, Session, Timestamp};

use crate::journal;

pub(crate) fn corner(session: &Session, name: Option<&str>) -> Markup {
    html! {
        aside.session aria-label="Your session" {
            h2 { "Your session" }
            @match session.handle() {
                Some(_) => (facts(session, name)),
                None => p {
                    "There is none. Looking around stores nothing on the server and no cookie in your browser; the first \
                     thing you put into the cart begins it."
                },
            }
        }
    }
}

fn facts(session: &Session, name: Option<&str>) -> Markup {
    let handle = session.handle().map(|handle| handle.to_string());
    let now = Clock::system().now();
    let left = |deadline: Option<Timestamp>| deadline.map(|at| words(at.since(now)));
    let drawn = session.rotated_at().map(|at| words(now.since(at)));
    html! {
        dl {
            (fact("Handle", &html! { code { (handle.unwrap_or_default()) } },
                "Its public name. The secret beside it is in your cookie alone: scripts cannot read it, and the store \
                 keeps a hash of it."))
            (fact("Signed in as", &html! { (name.unwrap_or("nobody")) },
                "What you gather before you sign in stays yours when you do."))
            (fact("Generation", &html! { (session.generation()) },
                "One more with each sign-in. The secret is then drawn anew, so an id that was planted before is worthless."))
            (fact("Secret drawn", &html! { (drawn.unwrap_or_default()) " ago" }, ""))
            (fact("Ends unused", &html! { "in " (left(session.idle_expires_at()).unwrap_or_default()) },
                "Each visit puts it off. Visits within a few minutes are written down once, so those minutes are added."))
            (fact("Ends anyway", &html! { "in " (left(session.expires_at()).unwrap_or_default()) }, ""))
        }
        (calls(session))
    }
}

fn fact(term: &str, value: &Markup, why: &str) -> Markup {
    html! {
        dt { (term) }
        dd { (value) }
        @if !why.is_empty() { dd.why { (why) } }
    }
}

fn calls(session: &Session) -> Markup {
    let lines = session.handle().map(|handle| journal::of(&handle));
    html! {
        h3 { "What the store was asked" }
        ol.calls {
            @for (index, line) in lines.unwrap_or_default().iter().enumerate() {
                li {
                    code { (line.request) }
                    " " (line.verbs.join(", "))
                    @if index == 0 { " (this page, so far)" }
                }
            }
        }
    }
}

/// Says how long ago something was.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.since(then) {
        since if since < Duration::from_secs(60) => "just now".to_owned(),
        since => format!("{} ago", words(since)),
    }
}

/// Says a duration in its one or two largest units, rounded up: what was set a moment ago reads as it was set.
fn words(duration: Duration) -> String {
    let seconds = duration.as_millis().div_ceil(1000);
    let seconds = if seconds < 60 {
        seconds
    } else {
        seconds.next_multiple_of(60)
    };
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} days"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}
