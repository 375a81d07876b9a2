//! The record that everybody logs: INFO, "order accepted", and three values.

use std::hint::black_box;

/// The message; every peer's line holds it, and no other line does.
pub const MESSAGE: &str = "order accepted";

/// The values of one record.
#[derive(Clone, Copy)]
pub struct Order {
    pub user_id: u64,
    pub price: f64,
    /// `'static` only because some peers cannot log a string of a shorter life.
    pub symbol: &'static str,
}

impl Order {
    /// The values of record `i`: whoever reads a number back knows what belongs to it.
    pub fn number(i: u64) -> Order {
        // The compiler shall not know the string's length.
        Order { user_id: i, price: 100.0 + i as f64 * 0.25, symbol: black_box("ACME.NYS") }
    }
}
