// `update_or` is for types without a default.
use serde::{Deserialize, Serialize};
use tenure::{Error, Session};

#[derive(Clone, Deserialize, Serialize)]
enum Theme {
    Dark,
    Light,
}

fn switch(session: &Session) -> Result<(), Error> {
    session.update("theme", |theme: &mut Theme| *theme = Theme::Dark)
}

fn main() {
    drop(Theme::Light);
}
