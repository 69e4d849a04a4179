//! What keys cost: the same requests with a keyring, and with sealed values.

use tenure::{Keyring, ServerKey, SessionLayer, SessionLayerBuilder};

use super::{
    Cost, Effort, Prepare, at, measure, noop, sorted,
    tenure::{on, store, subject},
    workload::{Subject, Workload},
};

/// What a profiler may run alone.
pub(crate) const SUBJECTS: [(&str, Prepare); 2] = [("keyed", keyed), ("sealed", sealed)];

/// Compares in turns, above the layer that does nothing.
pub(crate) fn compare(workloads: &[&Workload], effort: Effort) {
    println!("\n| workload | tenure | with a keyring | sealed | sealed − tenure |");
    println!("|---|---|---|---|---|");
    for workload in workloads {
        let rounds = (0..effort.rounds).map(|_| {
            let subjects = [
                noop::subject(workload),
                subject(workload),
                keyed(workload),
                sealed(workload),
            ];
            measure(&subjects, effort)
        });
        report(workload, &rounds.collect::<Vec<_>>());
    }
}

fn report(workload: &Workload, rounds: &[[Cost; 4]]) {
    let median = |figure: &dyn Fn(&[Cost; 4]) -> f64| at(&sorted(rounds.iter().map(figure)), 0.5);
    let above = |index: usize| {
        let nanos = median(&|costs| costs[index].nanos - costs[0].nanos);
        let allocations = median(&|costs| costs[index].allocations - costs[0].allocations);
        format!("{nanos:.0} ns, {allocations:.1}")
    };
    let more = median(&|costs| costs[3].nanos - costs[1].nanos);
    let (name, what) = (workload.name, workload.what);
    let [plain, keyed, sealed] = [1, 2, 3].map(above);
    println!("| {name} {what} | {plain} | {keyed} | {sealed} | {more:.0} ns |");
}

fn keyed(workload: &Workload) -> Subject {
    on(builder().build().expect("good settings"), workload)
}

fn sealed(workload: &Workload) -> Subject {
    let layer = builder().with_sealed_values().build();
    on(layer.expect("good settings"), workload)
}

fn builder() -> SessionLayerBuilder {
    let key = ServerKey::generate().expect("random bytes");
    SessionLayer::builder(store()).with_keyring(Keyring::new(key))
}
