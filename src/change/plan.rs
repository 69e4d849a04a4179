//! From what happened to what to do: one table.

use super::{Live, Origin, Pending};
use crate::{lifetime::Lifetime, observe::EndReason, renewal::Upkeep};

/// What a commit decides by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) origin: Origin,
    /// There is a record, ended or not.
    pub(crate) has_record: bool,
    /// There is one that is not trusted, and can only be ended.
    pub(crate) has_remains: bool,
    pub(crate) end: Option<EndReason>,
    /// The values differ from those of the record, or from none where there is no record to go on with.
    pub(crate) values: bool,
    pub(crate) login: bool,
    pub(crate) begin: bool,
    pub(crate) cycle: bool,
    /// A lifetime was set that the record does not have.
    pub(crate) lifetime: bool,
    /// A label was set that the record does not have.
    pub(crate) label: bool,
    /// The browser's cookie has another life than the lifetime asks for.
    pub(crate) resend: bool,
    pub(crate) upkeep: Upkeep,
    /// The browser holds a later id than the one that came.
    pub(crate) is_previous: bool,
}

/// What a commit has to do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The record that was loaded is deleted.
    pub(crate) delete: bool,
    pub(crate) then: Then,
    /// The browser is told to forget its cookie, unless it is told a new one.
    pub(crate) forget: bool,
}

/// What becomes of the session that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// A record is created under a new id, and bound to a principal once it exists.
    Create {
        bind: bool,
    },
    Nothing,
    /// The record is replaced by its successor.
    Update {
        rotate: bool,
        /// The id gets a successor, though no rights change.
        renew: bool,
        resend: bool,
    },
}

impl Facts {
    pub(crate) fn new(
        origin: Origin,
        live: Option<&Live>,
        has_remains: bool,
        pending: &Pending,
        values: bool,
        upkeep: Upkeep,
        default: Lifetime,
    ) -> Self {
        // What is stored only matters where something else was set.
        let stored = live
            .filter(|_| pending.lifetime.is_some())
            .and_then(|live| live.header().lifetime);
        let is_persistent =
            |lifetime: Option<Lifetime>| lifetime.unwrap_or(default).is_persistent();
        let set = pending.lifetime.is_some() && pending.lifetime != stored;
        let label = pending.label.as_ref().is_some_and(|label| {
            let stored = live.and_then(|live| live.header().label());
            label.as_str() != stored.unwrap_or_default()
        });
        Self {
            origin,
            has_record: live.is_some(),
            has_remains,
            end: pending.end,
            values,
            login: pending.login.is_some(),
            begin: pending.begin.is_some(),
            cycle: pending.cycle,
            lifetime: set,
            label,
            resend: set && (is_persistent(pending.lifetime) || is_persistent(stored)),
            upkeep,
            is_previous: live.is_some_and(|live| live.opener.is_previous()),
        }
    }
}

impl Facts {
    /// Rights change, or it was asked for.
    const fn rotates(&self) -> bool {
        self.login || self.begin || self.cycle
    }

    const fn changes(&self) -> bool {
        self.values || self.rotates() || self.lifetime || self.label
    }

    /// It is time for another id; or the browser is to be told of another life, and to send the id again that came would
    /// take a later one from it.
    const fn renews(&self) -> bool {
        !self.rotates() && (self.upkeep.renew || (self.resend && self.is_previous))
    }
}

impl Plan {
    pub(crate) const NOTHING: Self = Self {
        delete: false,
        then: Then::Nothing,
        forget: false,
    };

    pub(crate) fn of(facts: &Facts) -> Self {
        let ended = facts.end.is_some();
        let then = match facts.has_record && !ended {
            true if facts.changes() || facts.upkeep.is_any() => Then::Update {
                rotate: facts.rotates(),
                renew: facts.renews(),
                resend: facts.resend,
            },
            true => Then::Nothing,
            false if facts.values || facts.login || facts.begin => Then::Create {
                bind: facts.login || facts.begin,
            },
            false => Then::Nothing,
        };
        Self {
            delete: (facts.has_record || facts.has_remains) && ended,
            then,
            // Without a cookie, or with one withheld, there is nothing to forget, and a removal might hit a login.
            forget: ended && matches!(facts.origin, Origin::Live | Origin::Unknown),
        }
    }

    pub(crate) const fn is_nothing(&self) -> bool {
        !self.delete && !self.forget && matches!(self.then, Then::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Origin::{Absent, Live, Superseded, Unknown, Withheld};

    const NOTHING: Plan = Plan::NOTHING;

    fn facts(origin: Origin) -> Facts {
        Facts {
            origin,
            has_record: origin == Live,
            has_remains: false,
            end: None,
            values: false,
            login: false,
            begin: false,
            cycle: false,
            lifetime: false,
            label: false,
            resend: false,
            upkeep: Upkeep::NONE,
            is_previous: false,
        }
    }

    const fn create(bind: bool) -> Plan {
        Plan {
            then: Then::Create { bind },
            ..NOTHING
        }
    }

    const fn update(rotate: bool, resend: bool) -> Plan {
        Plan {
            then: Then::Update {
                rotate,
                renew: false,
                resend,
            },
            ..NOTHING
        }
    }

    const fn deleted(then: Then) -> Plan {
        Plan {
            delete: true,
            then,
            forget: true,
        }
    }

    #[test]
    fn every_case_has_its_plan() {
        let logout = Some(EndReason::Logout);
        let replaced = Some(EndReason::Replaced);
        for (case, facts, plan) in [
            ("nothing: read", facts(Absent), NOTHING),
            (
                "nothing: insert",
                Facts {
                    values: true,
                    ..facts(Absent)
                },
                create(false),
            ),
            (
                "nothing: login",
                Facts {
                    login: true,
                    ..facts(Absent)
                },
                create(true),
            ),
            (
                "nothing: insert, login",
                Facts {
                    values: true,
                    login: true,
                    ..facts(Absent)
                },
                create(true),
            ),
            (
                "nothing: cycle",
                Facts {
                    cycle: true,
                    ..facts(Absent)
                },
                NOTHING,
            ),
            (
                "nothing: set_lifetime",
                Facts {
                    lifetime: true,
                    resend: true,
                    ..facts(Absent)
                },
                NOTHING,
            ),
            (
                "nothing: set_label",
                Facts {
                    label: true,
                    ..facts(Absent)
                },
                NOTHING,
            ),
            (
                "nothing: logout",
                Facts {
                    end: logout,
                    ..facts(Absent)
                },
                NOTHING,
            ),
            (
                "nothing: login_fresh",
                Facts {
                    end: replaced,
                    login: true,
                    ..facts(Absent)
                },
                create(true),
            ),
            (
                "withheld: logout",
                Facts {
                    end: logout,
                    ..facts(Withheld)
                },
                NOTHING,
            ),
            (
                "withheld, allowed: insert",
                Facts {
                    values: true,
                    ..facts(Withheld)
                },
                create(false),
            ),
            ("live: read", facts(Live), NOTHING),
            (
                "live: insert",
                Facts {
                    values: true,
                    ..facts(Live)
                },
                update(false, false),
            ),
            (
                "live: set_lifetime",
                Facts {
                    lifetime: true,
                    ..facts(Live)
                },
                update(false, false),
            ),
            (
                "live: set_label",
                Facts {
                    label: true,
                    ..facts(Live)
                },
                update(false, false),
            ),
            (
                "live: remember me",
                Facts {
                    lifetime: true,
                    resend: true,
                    ..facts(Live)
                },
                update(false, true),
            ),
            (
                "live: cycle",
                Facts {
                    cycle: true,
                    ..facts(Live)
                },
                update(true, false),
            ),
            (
                "live: login",
                Facts {
                    login: true,
                    ..facts(Live)
                },
                update(true, false),
            ),
            (
                "live: logout",
                Facts {
                    end: logout,
                    ..facts(Live)
                },
                deleted(Then::Nothing),
            ),
            (
                "live: logout, insert",
                Facts {
                    end: logout,
                    values: true,
                    ..facts(Live)
                },
                deleted(Then::Create { bind: false }),
            ),
            (
                "live: login as another",
                Facts {
                    end: replaced,
                    login: true,
                    ..facts(Live)
                },
                deleted(Then::Create { bind: true }),
            ),
            (
                "live: logout, cycle",
                Facts {
                    end: logout,
                    cycle: true,
                    ..facts(Live)
                },
                deleted(Then::Nothing),
            ),
            (
                "nothing: begin a login",
                Facts {
                    begin: true,
                    ..facts(Absent)
                },
                create(true),
            ),
            (
                "live: begin a login",
                Facts {
                    begin: true,
                    ..facts(Live)
                },
                update(true, false),
            ),
            ("unknown: read", facts(Unknown), NOTHING),
            (
                "unknown: insert",
                Facts {
                    values: true,
                    ..facts(Unknown)
                },
                create(false),
            ),
            (
                "unknown: login",
                Facts {
                    login: true,
                    ..facts(Unknown)
                },
                create(true),
            ),
            (
                "unknown: logout",
                Facts {
                    end: logout,
                    ..facts(Unknown)
                },
                Plan {
                    forget: true,
                    ..NOTHING
                },
            ),
            (
                "not trusted: login",
                Facts {
                    has_remains: true,
                    login: true,
                    ..facts(Unknown)
                },
                create(true),
            ),
            (
                "not trusted: logout",
                Facts {
                    has_remains: true,
                    end: logout,
                    ..facts(Unknown)
                },
                deleted(Then::Nothing),
            ),
            ("superseded: read", facts(Superseded), NOTHING),
            (
                "superseded: login",
                Facts {
                    login: true,
                    ..facts(Superseded)
                },
                create(true),
            ),
        ] {
            assert_eq!(Plan::of(&facts), plan, "{case}");
        }
    }
}
