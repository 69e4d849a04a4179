//! Asking the shop something. What is said stands in the session, as the cart does, and goes with it.

use axum::{
    extract::{Form, State},
    http::{
        StatusCode,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use tenure::{Session, SessionKey};

use crate::{
    account::{NAME, Next},
    desk::Desk,
    headers,
    page::Page,
    problem::Problem,
};

pub(crate) const TALK: SessionKey<Talk> = SessionKey::new("talk");

/// What was said last, by the customer and by the shop.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Talk(Vec<Line>);

#[derive(Clone, Deserialize, Serialize)]
struct Line {
    number: u32,
    is_ours: bool,
    words: String,
}

impl Talk {
    fn ask(&mut self, words: String) {
        let is_first = self.0.is_empty();
        self.add(false, words);
        if is_first {
            self.add(true, ANSWER.to_owned());
        }
    }

    fn add(&mut self, is_ours: bool, words: String) {
        let number = self.0.last().map_or(1, |line| line.number + 1);
        let line = Line {
            number,
            is_ours,
            words,
        };
        self.0.push(line);
        self.0.drain(..self.0.len().saturating_sub(KEPT));
    }

    /// The lines of the list. Each has a name, so that one that a page has is not shown again.
    pub(crate) fn lines(&self) -> Markup {
        html! {
            @for line in &self.0 { li.ours[line.is_ours] id=(format!("line-{}", line.number)) { (line.words) } }
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Question {
    words: String,
}

impl Question {
    /// Returns it in one line, or why there is none.
    fn checked(&self) -> Result<String, &'static str> {
        let words = self.words.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.chars().count() {
            0 => Err("You have not asked anything yet."),
            1..=LONGEST => Ok(words),
            _ => Err("That is too long: a question has 300 letters at most."),
        }
    }
}

pub(crate) async fn show(session: Session) -> Result<Response, Problem> {
    signed_in(&session)?;
    page(&session, "", None)
}

/// Who listens is told once the line is in the store.
pub(crate) async fn ask(
    State(desk): State<Desk>,
    session: Session,
    Form(question): Form<Question>,
) -> Result<Response, Problem> {
    signed_in(&session)?;
    let words = match question.checked() {
        Ok(words) => words,
        Err(why) => {
            let page = page(&session, &question.words, Some(why))?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let ask = move |talk: &mut Talk| talk.ask(words.clone());
    session.update_now(TALK, ask).await?;
    desk.tell(session.handle());
    Ok(Redirect::to("/help").into_response())
}

pub(crate) async fn script() -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (headers, include_str!("help.js"))
}

fn page(session: &Session, typed: &str, why: Option<&str>) -> Result<Response, Problem> {
    let name = session.get(NAME)?.unwrap_or_default();
    let content = html! {
        h1 { "Ask us" }
        p.lead { "About a tea, a pot or an order. What is said here stays in your session, and goes when you sign out." }
        ol.talk #said role="log" aria-label="What was said" {
            li.ours { "Hello, " (name) ". What would you like to know?" }
            (session.get(TALK)?.unwrap_or_default().lines())
        }
        form.ask #ask method="post" action="/help" {
            input name="words" aria-label="Your question" value=(typed) required maxlength=(LONGEST) autocomplete="off";
            button.main { "Send" }
            @if let Some(why) = why { p.wrong role="alert" { (why) } }
        }
        small #state { "Reload the page to see what is new." }
        div #over role="alert" hidden {
            p.wrong { "You have been signed out." }
            a.button.main href=(Next::Help.login()) { "Sign in again" }
        }
        script src="/help.js" defer {}
    };
    let headers = [(CONTENT_SECURITY_POLICY, headers::WITH_A_SCRIPT)];
    Ok((headers, Page::of(session, "Ask us", &content)?).into_response())
}

fn signed_in(session: &Session) -> Result<(), Problem> {
    let signed_in = session.principal().map(drop);
    signed_in.ok_or(Problem::SignInFirst(Next::Help))
}

const ANSWER: &str = "Thank you! This shop is an example, so nobody will read it; but every tab you have open here shows it.";
/// So many lines, so that a session stays small.
const KEPT: usize = 20;
const LONGEST: usize = 300;
