//! The plans of an output, each made when its callsite's first record comes. Runs on the collector.

use crate::callsite;
use crate::format::{Formatter, Plan};

/// By callsite id.
#[derive(Debug, Default)]
pub(super) struct Plans {
    plans: Vec<Option<Box<Plan>>>,
}

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

    #[cold]
    #[inline(never)]
    fn make(&mut self, formatter: &Formatter, id: u32) -> Option<()> {
        let (callsite, index) = (callsite::by_id(id)?, id as usize);
        if self.plans.len() <= index {
            self.plans.resize_with(index + 1, || None);
        }
        self.plans[index] = Some(Box::new(formatter.plan(&callsite.site())));
        Some(())
    }
}
