//! `tenure` with its defaults: sliding expiry of 30 minutes, told to the store when a tenth of that has passed.

use super::Answers;
use crate::{ours, workload::Workload};

pub(crate) fn subject(workload: &Workload) -> Box<dyn Answers> {
    Box::new(ours::subject(workload))
}
