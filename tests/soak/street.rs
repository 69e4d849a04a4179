//! The way from the people to the shops, where everything is written down.

use std::{
    mem,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Request;
use tenure::Clock;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    bed::customer::exchange,
    history::{Act, Answer, Cookie, Deed, NEVER, Password, Place},
    page::{self, BUYER, COOKIE, PRESS},
};

pub(crate) struct Street {
    shop: String,
    acts: Mutex<Vec<Act>>,
    clock: AtomicU64,
    turns: Semaphore,
    logins: Semaphore,
}

impl Street {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            shop: format!("127.0.0.1:{port}"),
            acts: Mutex::default(),
            clock: AtomicU64::new(1),
            turns: Semaphore::new(TURNS),
            logins: Semaphore::new(LOGINS),
        }
    }

    /// Does something, and waits for the answer, or goes away after so long without one.
    pub(crate) async fn go(
        &self,
        cookie: Option<Cookie>,
        deed: Deed,
        patience: Option<Duration>,
    ) -> Option<Answer> {
        // Hashing a password takes a processor a while, on purpose.
        let is_login = matches!(deed, Deed::Enter { .. });
        let _login = if is_login {
            Some(self.logins.acquire().await)
        } else {
            None
        };
        let _turn = self.turns.acquire().await;
        let (began, since) = (self.now(), Clock::system().now());
        let request = self.request(cookie.as_ref(), deed, began);
        let page = exchange(&self.shop, request);
        let page = match patience {
            Some(patience) => timeout(patience, page).await.ok(),
            None => Some(page.await),
        };
        let answer = page.as_ref().map(page::answer);
        let is_late = Clock::system().now().since(since) >= LATE;
        // Nobody knows then what was done.
        let answer = answer.filter(|answer| answer.status != 503 || !is_late);
        let ended = answer.as_ref().map_or(NEVER, |_| self.now());
        self.acts.lock().unwrap().push(Act {
            began,
            ended,
            cookie,
            deed,
            answer: answer.clone(),
            is_late,
        });
        answer
    }

    /// Notes that what was lost can no longer happen.
    pub(crate) fn is_quiet(&self) {
        let now = self.now();
        for act in self.acts.lock().unwrap().iter_mut() {
            act.ended = act.ended.min(now);
        }
    }

    /// Lets everybody go to another port.
    pub(crate) fn leads_to(&mut self, port: u16) {
        self.shop = format!("127.0.0.1:{port}");
    }

    /// Returns every cookie that was told.
    pub(crate) fn cookies(&self) -> Vec<Cookie> {
        let acts = self.acts.lock().unwrap();
        acts.iter().filter_map(Act::told).cloned().collect()
    }

    pub(crate) fn into_acts(self) -> Vec<Act> {
        let mut acts = mem::take(&mut *self.acts.lock().unwrap());
        acts.sort_by_key(|act| act.began);
        acts
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn request(&self, cookie: Option<&Cookie>, deed: Deed, began: u64) -> Request<String> {
        let (method, path, form) = in_http(deed, began);
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", &self.shop);
        if let Some(Cookie { session, secret }) = cookie {
            request = request.header("cookie", format!("{COOKIE}={session}{secret}"));
        }
        if method == "POST" {
            request = request.header("origin", format!("http://{}", self.shop));
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        request.body(form).unwrap()
    }
}

fn in_http(deed: Deed, began: u64) -> (&'static str, String, String) {
    let post = |path: &str, form| ("POST", path.to_owned(), form);
    let get = |path: &str| ("GET", path.to_owned(), String::new());
    match deed {
        Deed::Add { product, quantity } => post(
            "/cart",
            format!("product={}&quantity={quantity}", product + 1),
        ),
        Deed::Checkout { total } => {
            let address = format!("Number+12%0D%0A{PRESS}{began}");
            post("/checkout", format!("address={address}&total={total}"))
        }
        Deed::Enter {
            who,
            password: Password::Chosen,
        } => {
            let form = credentials(who, Password::Chosen);
            post("/signup", format!("name={BUYER}{who}&{form}"))
        }
        Deed::Enter { who, password } => post("/login", credentials(who, password)),
        Deed::Less { product } => post(
            "/cart/change",
            format!("product={}&quantity=-1", product + 1),
        ),
        Deed::Logout => post("/logout", String::new()),
        Deed::LogoutOthers => post("/account/sign-out-others", String::new()),
        Deed::Look(Place::Account) => get("/account"),
        Deed::Look(Place::Cart) => get("/cart"),
        Deed::Look(Place::Checkout) => get("/checkout"),
        Deed::Look(Place::Home) => get("/"),
        Deed::Look(Place::Order(id)) => get(&format!("/orders/{id:012X}")),
        Deed::Look(Place::Orders) => get("/orders"),
    }
}

fn credentials(who: usize, password: Password) -> String {
    let email = format!("email=b{who}%40example.org");
    match password {
        Password::Chosen | Password::Right => format!("{email}&password=kettles+{who}"),
        Password::RightForLong => format!("{email}&password=kettles+{who}&remember=on"),
        Password::Wrong => format!("{email}&password=teapots+{who}"),
    }
}

/// So many requests are under way at once: no answer has to wait so long for others that the shop gives up.
const TURNS: usize = 24;
const LOGINS: usize = 2;
/// After so long the shop may have given up waiting for its store, on a machine that is busy with something else: the
/// first of its time-outs is of two seconds.
const LATE: Duration = Duration::from_millis(1_900);
