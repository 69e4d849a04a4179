//! A soak: a crowd of browsers in two shops on one engine, and a checker that knows what must be true of every answer.
//!
//! `./check soak [seconds [seed [engine]]]` runs it. The seed decides what everybody does, the machine in which order.

#[path = "../bed/mod.rs"]
mod bed;
mod browser;
mod checker;
mod crowd;
mod dice;
mod engines;
mod history;
mod page;
mod street;

use std::{env, time::Duration};

use bed::load::seed;
use crowd::{Crowd, audit};
use engines::{Engine, Site};
use street::Street;

/// A test for each engine.
macro_rules! soak {
    ($($(#[$feature:meta])* $engine:ident)*) => {
        mod nothing_is_lost_and_nothing_comes_back_on {
            $(
                $(#[$feature])*
                #[tokio::test(flavor = "multi_thread")]
                async fn $engine() {
                    crate::soak(crate::engines::$engine().await).await;
                }
            )*
        }
    };
}

soak! {
    memory
    #[cfg(feature = "postgres")] postgres
    sqlite
}

async fn soak(engine: Engine) {
    let seed = seed();
    let mut site = Site::open(engine);
    let mut street = Crowd::shop(Street::new(site.port()), seed, time()).await;
    if site.is_lasting() {
        site = site.reopen();
        street.is_quiet();
        street.leads_to(site.port());
    }
    let history = audit(street).await;
    eprintln!("{history}");
    let violations = checker::check(&history);
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
