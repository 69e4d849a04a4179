//! A soak: a crowd of browsers in two shops on one engine, and a checker that knows what must be true of every answer.
//!
//! `./check soak [seconds [seed [engine]]]` runs it. The seed decides what everybody does, the machine in which order.

#[path = "../bed/mod.rs"]
mod bed;
mod browser;
mod checker;
mod crowd;
mod dice;
mod history;
mod page;
mod street;

use std::{env, time::Duration};

use bed::{
    engine::{Engine, Site, on, on_each_engine},
    load::seed,
};
use crowd::{Crowd, audit};
use history::History;
use street::Street;

on_each_engine! { nothing_is_lost_and_nothing_comes_back }
on! { memory what_one_shop_has_in_memory_is_not_lost_and_does_not_come_back }

async fn nothing_is_lost_and_nothing_comes_back(engine: Engine) {
    let seed = seed();
    let site = Site::open(engine, 2, &[]);
    let mut street = Crowd::shop(Street::new(site.port()), seed, time()).await;
    let site = site.reopen();
    street.is_quiet();
    street.leads_to(site.port());
    judge(seed, &audit(street).await);
}

async fn what_one_shop_has_in_memory_is_not_lost_and_does_not_come_back(engine: Engine) {
    let seed = seed();
    let site = Site::open(engine, 1, &[]);
    let street = Crowd::shop(Street::new(site.port()), seed, time()).await;
    judge(seed, &audit(street).await);
}

fn judge(seed: u32, history: &History) {
    eprintln!("{history}");
    let violations = checker::check(history);
    let first = violations.iter().take(3);
    assert!(
        violations.is_empty(),
        "{} violations with the seed {seed}\n{:?}",
        violations.len(),
        first.collect::<Vec<_>>(),
    );
    assert!(history.has_everything(), "nobody has done much");
}

/// How long the crowd shops: `TENURE_TEST_SECONDS`, or five seconds.
fn time() -> Duration {
    let seconds = env::var("TENURE_TEST_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(5))
}
