//! What the macros expand to. Not part of the public interface: it may change at any time.

use std::sync::Arc;

pub use core::primitive::{str, u8, usize};
pub use core::{compile_error, concat, file, line, module_path, stringify};

pub use crate::callsite::Callsite;
use crate::emit::{self, Route};
use crate::engine::Logger;
use crate::level::Level;
pub use crate::level::statically_enabled;
pub use crate::template::{checked, enforce, join, joined_len, joined_str, key};
pub use crate::value::Fields;
use crate::value::Scratch;

/// Whether to evaluate the arguments: 0 if not, else what to hand to `emit`.
#[inline(always)]
pub fn gate(callsite: &'static Callsite) -> i64 {
    emit::gate(callsite)
}

/// Emits a record to the default engine.
#[inline(always)]
pub fn emit<F: Fields>(callsite: &'static Callsite, gate: i64, level: Level, fields: F) {
    emit::emit(callsite, gate, level, &fields);
}

/// As `gate`, for a logger's engine.
pub fn admit(logger: &Logger, callsite: &'static Callsite) -> bool {
    emit::admit(logger.registry(), callsite)
}

/// Emits a record to a logger's engine.
pub fn emit_to<F: Fields>(logger: &Logger, callsite: &'static Callsite, fields: F) {
    let registry: &Arc<_> = logger.registry();
    let scratch = Scratch::new();
    let encoded = if registry.verdicts.hides(callsite) {
        fields.encode_shown(&scratch, &registry.verdicts.hidden(callsite))
    } else {
        fields.encode(&scratch)
    };
    emit::emit_routed(&Route::to_logger(callsite, registry, logger.bound()), &encoded);
}
