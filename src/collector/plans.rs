//! The plans of an output, each made when its callsite's first record comes. Runs on the collector.

use crate::callsite;
use crate::format::{Formatter, Plan};

/// By callsite id.
#[derive(Debug, Default)]
pub(super) struct Plans {
    plans: Vec<Option<Box<Plan>>>,
    /// Callsites over whose records the collector has panicked, and how often.
    strikes: Vec<(u32, u32)>,
}

/// Panics over records of one callsite that are borne. Each costs what a panic costs, and what the
/// program's hook says of it: beyond, its records have no plan.
const STRIKES_MAX: u32 = 16;

impl Plans {
    /// A callsite's plan; none for an id that is nobody's.
    #[inline]
    pub(super) fn of(&mut self, formatter: &Formatter, id: u32) -> Option<&Plan> {
        let index = id as usize;
        if self.plans.get(index).is_none_or(Option::is_none) {
            self.make(formatter, id)?;
        }
        self.plans.get(index)?.as_deref()
    }

    /// The collector has panicked over a record of this callsite.
    pub(super) fn strike(&mut self, id: u32) {
        match self.strikes.iter_mut().find(|(struck, _)| *struck == id) {
            Some((_, count)) => *count += 1,
            None => self.strikes.push((id, 1)),
        }
        if self.is_barred(id) {
            if let Some(plan) = self.plans.get_mut(id as usize) {
                *plan = None;
            }
        }
    }

    /// Whether it has done so too often.
    pub(super) fn is_barred(&self, id: u32) -> bool {
        self.strikes.iter().any(|(struck, count)| *struck == id && *count >= STRIKES_MAX)
    }

    #[cold]
    #[inline(never)]
    fn make(&mut self, formatter: &Formatter, id: u32) -> Option<()> {
        let callsite = callsite::by_id(id).filter(|_| !self.is_barred(id))?;
        let index = id as usize;
        if self.plans.len() <= index {
            self.plans.resize_with(index + 1, || None);
        }
        self.plans[index] = Some(Box::new(formatter.plan(&callsite.site())));
        Some(())
    }
}
