//! The message is any constant expression; so is the target.
use fastlog::{fastlog, info};

const MESSAGE: &str = "order {order_id}";
const TARGET: &str = "orders";

struct Texts;

impl Texts {
    const MESSAGE: &'static str = "order {}";
}

const fn message(long: bool) -> &'static str {
    if long { "a long message {order_id}" } else { "short" }
}

fn main() {
    let order_id = 1;
    fastlog!(INFO, MESSAGE, order_id);
    fastlog!(INFO, Texts::MESSAGE, order_id);
    fastlog!(INFO, target: TARGET, message(true), order_id);
    fastlog!(INFO, concat!("order {", "order_id", "}"), order_id);
    fastlog!(INFO, target: concat!("a", "::b"), { "block" });
    fastlog!(INFO, r"raw {order_id:>8} {{}}", order_id);
    fastlog!(INFO, MESSAGE, "order_id" = 5);
    info!(MESSAGE, order_id = 2);
    fastlog!(INFO, "é{order_id:→^8.3e}🦀", order_id);
}
