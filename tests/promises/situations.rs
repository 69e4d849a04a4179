//! What each situation costs: the table of the README's promises, row by row, on a store that counts.

use crate::support::{Answered, Browser, Handler, Site, cross_site_post, handle_in, handler};
use http::{HeaderValue, Request, Response, StatusCode, header};
use tenure::{Lifetime, Session};

/// What the response says of the cookie.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    /// A new id of another session.
    Another,
    Nothing,
    Removal,
    /// The same id, with a `Max-Age`.
    Resent,
    /// A new id of the same session.
    Rotated,
}

/// What the request comes with.
#[derive(Clone, Copy, Debug)]
enum Comes {
    Expired,
    Malformed,
    SignedIn,
    Superseded,
    Unknown,
    Visitor,
    WithNothing,
    Withheld,
}

use Comes::*;
use Told::*;

struct Row(&'static str, Comes, Handler, &'static str, Told, u16);

#[tokio::test]
async fn every_situation_costs_what_the_table_says() {
    for Row(case, comes, handler, calls, told, status) in rows() {
        let site = Site::new();
        let browser = arrive(&site, comes).await;
        let request = match comes {
            Withheld => cross_site_post(),
            _ => Request::new(String::new()),
        };
        let response = browser.send(request, handler).await;
        let case = format!("{comes:?}: {case}");
        assert_eq!(site.store.calls(), calls, "{case}");
        assert_eq!(tells(&browser, &response), told, "{case}");
        assert_eq!(response.status(), status, "{case}");
    }
}

fn rows() -> Vec<Row> {
    let mut rows = without_a_session();
    rows.extend(live());
    rows.extend(worthless());
    rows
}

fn without_a_session() -> Vec<Row> {
    vec![
        Row("read", WithNothing, handler(read), "", Nothing, 200),
        Row("remove", WithNothing, handler(remove), "", Nothing, 200),
        Row("clear", WithNothing, handler(clear), "", Nothing, 200),
        Row("cycle_id", WithNothing, handler(cycle), "", Nothing, 200),
        Row("destroy", WithNothing, handler(destroy), "", Nothing, 200),
        Row("set_label", WithNothing, handler(label), "", Nothing, 200),
        Row(
            "set_lifetime",
            WithNothing,
            handler(remember),
            "",
            Nothing,
            200,
        ),
        Row(
            "insert",
            WithNothing,
            handler(insert),
            "create",
            Another,
            200,
        ),
        Row(
            "login",
            WithNothing,
            handler(login),
            "create update",
            Another,
            200,
        ),
        Row(
            "update_now",
            WithNothing,
            handler(update_now),
            "create",
            Another,
            200,
        ),
        Row("claim", WithNothing, handler(claim), "", Nothing, 200),
        Row("read", Withheld, handler(read), "", Nothing, 200),
        Row("destroy", Withheld, handler(destroy), "", Nothing, 200),
        Row("logout", Withheld, handler(logout), "", Nothing, 200),
        Row("claim", Withheld, handler(claim), "", Nothing, 200),
        Row("insert", Withheld, handler(insert), "", Nothing, 403),
        Row("update", Withheld, handler(update), "", Nothing, 403),
        Row(
            "update_now",
            Withheld,
            handler(update_now),
            "",
            Nothing,
            403,
        ),
        Row("login", Withheld, handler(login), "", Nothing, 403),
        Row(
            "insert, ignored",
            Withheld,
            handler(ignored_insert),
            "",
            Nothing,
            403,
        ),
        Row(
            "insert, allowed",
            Withheld,
            handler(allowed_insert),
            "create",
            Another,
            200,
        ),
        Row("read", Malformed, handler(read), "", Nothing, 200),
        Row("insert", Malformed, handler(insert), "create", Another, 200),
        Row("logout", Malformed, handler(logout), "", Nothing, 200),
    ]
}

fn live() -> Vec<Row> {
    vec![
        Row("read", Visitor, handler(read), "load", Nothing, 200),
        Row(
            "equal value",
            Visitor,
            handler(insert_equal),
            "load",
            Nothing,
            200,
        ),
        Row(
            "remove a missing key",
            Visitor,
            handler(remove_missing),
            "load",
            Nothing,
            200,
        ),
        Row(
            "insert",
            Visitor,
            handler(insert),
            "load update",
            Nothing,
            200,
        ),
        Row(
            "update",
            Visitor,
            handler(update),
            "load update",
            Nothing,
            200,
        ),
        Row(
            "clear",
            Visitor,
            handler(clear),
            "load update",
            Nothing,
            200,
        ),
        Row(
            "set_label",
            Visitor,
            handler(label),
            "load update",
            Nothing,
            200,
        ),
        Row(
            "set_label, the same",
            Visitor,
            handler(no_label),
            "load",
            Nothing,
            200,
        ),
        Row(
            "set_lifetime",
            Visitor,
            handler(shorten),
            "load update",
            Nothing,
            200,
        ),
        Row(
            "remember me",
            Visitor,
            handler(remember),
            "load update",
            Resent,
            200,
        ),
        Row(
            "cycle_id",
            Visitor,
            handler(cycle),
            "load update",
            Rotated,
            200,
        ),
        Row(
            "login",
            Visitor,
            handler(login),
            "load update",
            Rotated,
            200,
        ),
        Row(
            "login again",
            SignedIn,
            handler(login),
            "load update",
            Rotated,
            200,
        ),
        Row(
            "login as another",
            SignedIn,
            handler(login_other),
            "load delete create update",
            Another,
            200,
        ),
        Row(
            "login_fresh",
            SignedIn,
            handler(login_fresh),
            "load delete create update",
            Another,
            200,
        ),
        Row(
            "claim",
            Visitor,
            handler(claim),
            "load update",
            Nothing,
            200,
        ),
        Row(
            "claim a missing key",
            Visitor,
            handler(claim_missing),
            "load",
            Nothing,
            200,
        ),
        Row(
            "update_now",
            Visitor,
            handler(update_now),
            "load update",
            Nothing,
            200,
        ),
        Row(
            "destroy",
            Visitor,
            handler(destroy),
            "load delete",
            Removal,
            200,
        ),
        Row(
            "logout",
            SignedIn,
            handler(logout),
            "load delete",
            Removal,
            200,
        ),
        Row(
            "destroy, insert",
            Visitor,
            handler(destroy_insert),
            "load delete create",
            Another,
            200,
        ),
        Row(
            "insert, destroy",
            Visitor,
            handler(insert_destroy),
            "load delete",
            Removal,
            200,
        ),
        Row(
            "insert, discard",
            Visitor,
            handler(insert_discard),
            "load",
            Nothing,
            200,
        ),
        Row(
            "insert, 500",
            Visitor,
            handler(insert_500),
            "load",
            Nothing,
            500,
        ),
        Row(
            "insert, 408",
            Visitor,
            handler(insert_408),
            "load",
            Nothing,
            408,
        ),
        Row(
            "insert, 404",
            Visitor,
            handler(insert_404),
            "load update",
            Nothing,
            404,
        ),
        Row(
            "destroy, 500",
            Visitor,
            handler(destroy_500),
            "load delete",
            Removal,
            500,
        ),
        Row(
            "login as another, 500",
            SignedIn,
            handler(login_other_500),
            "load",
            Nothing,
            500,
        ),
        Row(
            "logout, login",
            SignedIn,
            handler(logout_login),
            "load delete create update",
            Another,
            200,
        ),
        Row(
            "logout, login, 500",
            SignedIn,
            handler(logout_login_500),
            "load delete",
            Removal,
            500,
        ),
        Row(
            "cycle, commit, 500",
            Visitor,
            handler(cycle_commit_500),
            "load update",
            Rotated,
            500,
        ),
    ]
}

fn worthless() -> Vec<Row> {
    let mut rows = vec![
        Row("read", Superseded, handler(read), "load", Nothing, 200),
        Row("insert", Superseded, handler(insert), "load", Nothing, 409),
        Row(
            "insert, ignored",
            Superseded,
            handler(ignored_insert),
            "load",
            Nothing,
            409,
        ),
        Row("update", Superseded, handler(update), "load", Nothing, 409),
        Row("claim", Superseded, handler(claim), "load", Nothing, 409),
        Row("clear", Superseded, handler(clear), "load", Nothing, 409),
        Row("cycle_id", Superseded, handler(cycle), "load", Nothing, 409),
        Row(
            "set_label",
            Superseded,
            handler(label),
            "load",
            Nothing,
            409,
        ),
        Row(
            "set_lifetime",
            Superseded,
            handler(remember),
            "load",
            Nothing,
            409,
        ),
        Row("logout", Superseded, handler(logout), "load", Nothing, 409),
        Row(
            "login",
            Superseded,
            handler(login),
            "load create update",
            Another,
            200,
        ),
    ];
    for comes in [Unknown, Expired] {
        rows.extend([
            Row("read", comes, handler(read), "load", Nothing, 200),
            Row("destroy", comes, handler(destroy), "load", Removal, 200),
            Row("logout", comes, handler(logout), "load", Removal, 200),
            Row(
                "insert",
                comes,
                handler(insert),
                "load create",
                Another,
                200,
            ),
            Row(
                "update_now",
                comes,
                handler(update_now),
                "load create",
                Another,
                200,
            ),
            Row(
                "login",
                comes,
                handler(login),
                "load create update",
                Another,
                200,
            ),
            Row(
                "destroy, insert",
                comes,
                handler(destroy_insert),
                "load create",
                Another,
                200,
            ),
        ]);
    }
    rows
}

async fn arrive(site: &Site, comes: Comes) -> Browser {
    match comes {
        WithNothing | Withheld => site.browser(),
        Visitor => site.visitor().await,
        SignedIn => site.member("1").await,
        Superseded => {
            let browser = site.visitor().await;
            browser.clone().visit(cycle).await;
            site.store.calls();
            browser
        }
        Expired => {
            let browser = site.visitor().await;
            site.clock.advance(Lifetime::new().absolute());
            browser
        }
        Unknown => with_cookie(site, &"A".repeat(64)),
        Malformed => with_cookie(site, &"A".repeat(63)),
    }
}

fn with_cookie(site: &Site, value: &str) -> Browser {
    let mut browser = site.browser();
    browser.cookie = Some(format!("__Host-Http-id={value}"));
    browser
}

/// Reads what the browser was told, and checks that it was told once and well.
fn tells(browser: &Browser, response: &Response<String>) -> Told {
    let fields: Vec<&HeaderValue> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .collect();
    assert!(fields.len() <= 1, "{fields:?}");
    let Some(field) = fields.first() else {
        return Nothing;
    };
    let text = field.to_str().unwrap();
    assert!(field.is_sensitive());
    assert!(
        text.contains("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{text}"
    );
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let pair = text.split(';').next().unwrap();
    match &browser.cookie {
        _ if text.contains("Max-Age=0") => Removal,
        Some(cookie) if cookie == pair && text.contains("Max-Age=") => Resent,
        Some(cookie) if cookie != pair && handle_in(cookie) == handle_in(pair) => Rotated,
        _ => Another,
    }
}

async fn read(session: Session) -> Answered {
    session.get::<u32>("a")?;
    Ok(StatusCode::OK)
}

async fn remove(session: Session) -> Answered {
    session.remove("a")?;
    Ok(StatusCode::OK)
}

async fn remove_missing(session: Session) -> Answered {
    session.remove("none")?;
    Ok(StatusCode::OK)
}

async fn clear(session: Session) -> Answered {
    session.clear()?;
    Ok(StatusCode::OK)
}

async fn cycle(session: Session) -> Answered {
    session.cycle_id()?;
    Ok(StatusCode::OK)
}

async fn destroy(session: Session) -> Answered {
    session.destroy()?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

async fn remember(session: Session) -> Answered {
    session.set_lifetime(Lifetime::persistent())?;
    Ok(StatusCode::OK)
}

async fn label(session: Session) -> Answered {
    session.set_label("Firefox on Linux")?;
    Ok(StatusCode::OK)
}

async fn no_label(session: Session) -> Answered {
    session.set_label("")?;
    Ok(StatusCode::OK)
}

async fn shorten(session: Session) -> Answered {
    session.set_lifetime(Lifetime::new().with_idle(std::time::Duration::from_secs(60)))?;
    Ok(StatusCode::OK)
}

async fn insert(session: Session) -> Answered {
    session.insert("b", 2)?;
    Ok(StatusCode::OK)
}

async fn insert_equal(session: Session) -> Answered {
    session.insert("a", 1)?;
    Ok(StatusCode::OK)
}

async fn ignored_insert(session: Session) -> Answered {
    drop(session.insert("b", 2));
    Ok(StatusCode::OK)
}

async fn allowed_insert(session: Session) -> Answered {
    session.allow_cross_site()?;
    insert(session).await
}

async fn update(session: Session) -> Answered {
    session.update("a", |a: &mut u32| *a += 1)?;
    Ok(StatusCode::OK)
}

async fn update_now(session: Session) -> Answered {
    session.update_now("a", |a: &mut u32| *a += 1).await?;
    Ok(StatusCode::OK)
}

async fn claim(session: Session) -> Answered {
    session.claim::<u32>("a").await?;
    Ok(StatusCode::OK)
}

async fn claim_missing(session: Session) -> Answered {
    session.claim::<u32>("none").await?;
    Ok(StatusCode::OK)
}

async fn login(session: Session) -> Answered {
    session.login("1")?;
    Ok(StatusCode::OK)
}

async fn login_other(session: Session) -> Answered {
    session.login("2")?;
    Ok(StatusCode::OK)
}

async fn login_fresh(session: Session) -> Answered {
    session.login_fresh("1")?;
    Ok(StatusCode::OK)
}

async fn destroy_insert(session: Session) -> Answered {
    session.destroy()?;
    insert(session).await
}

async fn insert_destroy(session: Session) -> Answered {
    session.insert("b", 2)?;
    destroy(session).await
}

async fn insert_discard(session: Session) -> Answered {
    session.insert("b", 2)?;
    session.discard();
    Ok(StatusCode::OK)
}

async fn insert_500(session: Session) -> Answered {
    insert(session).await?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn insert_408(session: Session) -> Answered {
    insert(session).await?;
    Ok(StatusCode::REQUEST_TIMEOUT)
}

async fn insert_404(session: Session) -> Answered {
    insert(session).await?;
    Ok(StatusCode::NOT_FOUND)
}

async fn destroy_500(session: Session) -> Answered {
    destroy(session).await?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn login_other_500(session: Session) -> Answered {
    login_other(session).await?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn logout_login(session: Session) -> Answered {
    session.logout()?;
    login_other(session).await
}

async fn logout_login_500(session: Session) -> Answered {
    logout_login(session).await?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn cycle_commit_500(session: Session) -> Answered {
    session.cycle_id()?;
    session.commit().await?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}
