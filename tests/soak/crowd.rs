//! A crowd that goes shopping, and an auditor who comes when it has gone.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::sync::Semaphore;

use crate::{
    browser::Browser,
    dice::Dice,
    history::{Answer, Bought, Cookie, Deed, History, Order, Password, Place, Told},
    street::Street,
};

pub(crate) const BUYERS: usize = 12;
const BROWSERS: usize = 200;
const ONLOOKERS: usize = 8;
/// A sign-up of which nobody knows has made an account.
const WAYS: [Password; 2] = [Password::Chosen, Password::Right];

/// What the browsers of one run share.
pub(crate) struct Crowd {
    pub(crate) street: Street,
    /// Cookies that no jar has any more, and that somebody may have kept.
    pub(crate) old: Mutex<Vec<Cookie>>,
    /// Those who only look around leave room for those who buy.
    pub(crate) onlookers: Semaphore,
    is_over: AtomicBool,
}

impl Crowd {
    /// Lets everybody do as the seed says for a while, and returns the street when they have gone home.
    pub(crate) async fn shop(street: Street, seed: u32, time: Duration) -> Street {
        let signed_up = join_all((0..BUYERS).map(|who| enter(&street, who, &WAYS))).await;
        let crowd = Arc::new(Self {
            street,
            old: Mutex::default(),
            onlookers: Semaphore::new(ONLOOKERS),
            is_over: AtomicBool::new(false),
        });
        let mut jars = signed_up.into_iter().map(Some);
        let browsers = (0..BROWSERS).map(|number| {
            let jar = jars.next().flatten();
            let browser = Browser::new(crowd.clone(), Dice::new(seed, number), jar);
            tokio::spawn(browser.shop())
        });
        let browsers: Vec<_> = browsers.collect();
        tokio::time::sleep(time).await;
        crowd.is_over.store(true, Ordering::SeqCst);
        for browser in browsers {
            browser.await.unwrap();
        }
        Arc::into_inner(crowd).expect("all have gone").street
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// Shows every cookie that there was, and looks at all orders; then signs everybody out everywhere, and shows all again.
pub(crate) async fn audit(street: Street) -> History {
    show_all(&street).await;
    let orders = join_all((0..BUYERS).map(|who| orders_of(&street, who))).await;
    show_all(&street).await;
    History {
        orders: orders.concat(),
        acts: street.into_acts(),
    }
}

async fn show_all(street: &Street) {
    let cookies: HashSet<_> = street.cookies().into_iter().collect();
    let looks = cookies
        .iter()
        .map(|cookie| look(street, cookie, Place::Cart));
    join_all(looks).await;
}

async fn orders_of(street: &Street, who: usize) -> Vec<Order> {
    let cookie = enter(street, who, &[Password::Right]).await;
    ask(street, Some(cookie.clone()), Deed::LogoutOthers).await;
    let look = |place| look(street, &cookie, place);
    let listed = look(Place::Orders).await.shown.orders.unwrap_or_default();
    let pages = join_all(listed.iter().map(|id| look(Place::Order(*id)))).await;
    let orders = pages.iter().filter_map(|page| page.shown.order);
    let order = |(id, bought): (u64, Bought)| Order { id, who, bought };
    orders.map(order).collect()
}

async fn look(street: &Street, cookie: &Cookie, place: Place) -> Answer {
    ask(street, Some(cookie.clone()), Deed::Look(place)).await
}

/// Signs in by the first way that is open.
async fn enter(street: &Street, who: usize, ways: &[Password]) -> Cookie {
    for password in ways.iter().copied() {
        let answer = ask(street, None, Deed::Enter { who, password }).await;
        if let Told::Cookie(cookie) = answer.told {
            return cookie;
        }
    }
    panic!("{who} is not let in");
}

/// Asks until there is an answer: on a machine that is busy with something else the shop may give up.
async fn ask(street: &Street, cookie: Option<Cookie>, deed: Deed) -> Answer {
    loop {
        if let Some(answer) = street.go(cookie.clone(), deed, None).await {
            return answer;
        }
    }
}
