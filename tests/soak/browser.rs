//! A browser: a jar, tabs that share it, a back button, and whoever sits before it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::join_all;

use crate::{
    crowd::{BUYERS, Crowd},
    dice::Dice,
    history::{Answer, Cookie, Deed, PRODUCTS, Password, Place, Told},
};

pub(crate) struct Browser {
    crowd: Arc<Crowd>,
    dice: Dice,
    jar: Mutex<Option<Cookie>>,
    who: usize,
    is_signed_in: bool,
    /// The total on the cart's page that was seen last.
    total: u32,
    /// The orders that were seen.
    orders: Vec<u64>,
    /// The forms that were sent, which the back button brings again.
    sent: Vec<Deed>,
    /// How much of each product may be added, so that nobody meets the shop's limit.
    room: [u32; PRODUCTS.end],
}

/// What becomes of a request on its way.
#[derive(Clone, Copy)]
struct Luck {
    /// How long the answer is waited for.
    patience: Option<Duration>,
    /// The jar does not get to know what it was told.
    jar_is_lost: bool,
}

impl Browser {
    pub(crate) fn new(crowd: Arc<Crowd>, mut dice: Dice, jar: Option<Cookie>) -> Self {
        Self {
            who: dice.below(BUYERS),
            is_signed_in: jar.is_some(),
            jar: Mutex::new(jar),
            crowd,
            dice,
            total: 0,
            orders: Vec::new(),
            sent: Vec::new(),
            room: [ROOM; PRODUCTS.end],
        }
    }

    pub(crate) async fn shop(mut self) {
        // On a slow machine too something is to happen.
        let least = if self.is_signed_in { 12 } else { 1 };
        let mut rounds = 0;
        while rounds < least || !self.crowd.is_over() {
            self.round().await;
            rounds += 1;
        }
    }

    async fn round(&mut self) {
        let crowd = self.crowd.clone();
        let _turn = match self.is_signed_in {
            true => None,
            false => Some(crowd.onlookers.acquire().await),
        };
        match self.dice.one_in(20) {
            true => self.steal().await,
            false => self.use_tabs().await,
        }
    }

    /// Does something in one tab, or in several at once; often they do the same, as who presses twice.
    async fn use_tabs(&mut self) {
        let tabs = match self.dice.one_in(3) {
            true => 2 + self.dice.below(3),
            false => 1,
        };
        let is_same = self.dice.one_in(2);
        let mut deeds = vec![self.choose()];
        for _ in 1..tabs {
            deeds.push(if is_same { deeds[0] } else { self.choose() });
        }
        let deeds: Vec<_> = deeds.into_iter().map(|deed| (deed, self.luck())).collect();
        let answers = join_all(deeds.iter().map(|(deed, luck)| self.tab(*deed, *luck))).await;
        for answer in answers.into_iter().flatten() {
            self.remember(&answer);
        }
    }

    /// Sends something, and goes where the answer leads.
    async fn tab(&self, deed: Deed, luck: Luck) -> Option<Answer> {
        let answer = self.send(deed, luck).await?;
        match place(&answer.goes_to).filter(|_| answer.is_redirect()) {
            Some(place) => self.send(Deed::Look(place), GOOD).await,
            None => Some(answer),
        }
    }

    async fn send(&self, deed: Deed, luck: Luck) -> Option<Answer> {
        let cookie = self.jar.lock().unwrap().clone();
        let answer = self.crowd.street.go(cookie, deed, luck.patience).await?;
        if !luck.jar_is_lost {
            self.keep(&answer.told);
        }
        Some(answer)
    }

    /// Does with a cookie what a browser does.
    fn keep(&self, told: &Told) {
        let mut jar = self.jar.lock().unwrap();
        let old = match told {
            Told::Cookie(cookie) => jar.replace(cookie.clone()),
            Told::Nothing => None,
            Told::Removal => jar.take(),
        };
        self.crowd.old.lock().unwrap().extend(old);
    }

    /// Shows a cookie that somebody once had.
    async fn steal(&mut self) {
        let stolen = {
            let old = self.crowd.old.lock().unwrap();
            self.dice.pick(&old).cloned()
        };
        let deed = self.choose();
        let luck = self.luck();
        self.crowd.street.go(stolen, deed, luck.patience).await;
    }

    fn remember(&mut self, answer: &Answer) {
        let shown = &answer.shown;
        self.is_signed_in = shown.name.map_or(self.is_signed_in, |name| name.is_some());
        if shown.count == Some(0) {
            self.room = [ROOM; PRODUCTS.end];
        }
        if let Some(cart) = shown.cart {
            self.total = u32::try_from(cart.total()).expect("it was read");
        }
        self.orders.extend(shown.orders.iter().flatten());
    }

    fn luck(&mut self) -> Luck {
        let leaves = self.dice.one_in(12);
        let patience = self.dice.below(8_000) as u64;
        Luck {
            patience: leaves.then(|| Duration::from_micros(patience)),
            jar_is_lost: self.dice.one_in(40),
        }
    }

    fn choose(&mut self) -> Deed {
        let deed = match self.dice.below(100) {
            0..25 => self.add(),
            25..30 => Deed::Less {
                product: self.dice.below(PRODUCTS.end),
            },
            30..38 => Deed::Look(Place::Cart),
            38..42 => Deed::Look(Place::Home),
            42..45 => Deed::Look(Place::Orders),
            45 => Deed::Look(Place::Account),
            46..50 => Deed::Look(self.order()),
            50..54 => Deed::Look(Place::Checkout),
            54 if self.is_signed_in => Deed::LogoutOthers,
            55..84 if self.is_signed_in => Deed::Checkout { total: self.total },
            54..60 => self.enter(Password::Right),
            60..84 => self.add(),
            84..86 => Deed::Logout,
            86 => self.enter(Password::Wrong),
            87 => self.enter(Password::RightForLong),
            88 => {
                self.who = self.dice.below(BUYERS);
                self.enter(Password::Right)
            }
            _ => self.back(),
        };
        if !matches!(deed, Deed::Look(_)) {
            self.sent.push(deed);
        }
        deed
    }

    /// Goes back to a form that was sent, with what it had then.
    fn back(&mut self) -> Deed {
        let form = self.dice.pick(&self.sent).copied();
        form.unwrap_or(Deed::Look(Place::Home))
    }

    fn add(&mut self) -> Deed {
        let product = self.dice.below(PRODUCTS.end);
        let quantity = 1 + self.dice.below(3) as u32;
        match self.room[product].checked_sub(quantity) {
            Some(room) => {
                self.room[product] = room;
                Deed::Add { product, quantity }
            }
            None => Deed::Look(Place::Cart),
        }
    }

    fn enter(&self, password: Password) -> Deed {
        Deed::Enter {
            who: self.who,
            password,
        }
    }

    /// An order of one's own, or one whose number somebody guesses.
    fn order(&mut self) -> Place {
        let guess = self.dice.below(1 << 20) as u64;
        Place::Order(self.dice.pick(&self.orders).copied().unwrap_or(guess))
    }
}

fn place(path: &str) -> Option<Place> {
    match path {
        "/account" => Some(Place::Account),
        "/cart" => Some(Place::Cart),
        "/orders" => Some(Place::Orders),
        _ => {
            let id = path.strip_prefix("/orders/")?;
            u64::from_str_radix(id, 16).ok().map(Place::Order)
        }
    }
}

const GOOD: Luck = Luck {
    patience: None,
    jar_is_lost: false,
};
const ROOM: u32 = 60;
