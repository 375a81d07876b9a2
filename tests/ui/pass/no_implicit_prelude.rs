//! No prelude: the expansion names everything by itself.
#![no_implicit_prelude]

use ::fastlog::{critical, debug, error, fastlog, info, trace, warn};

struct User {
    name: &'static str,
}

fn main() {
    let u = User { name: "ann" };
    let (a, lvl) = (1, ::fastlog::Level::DEBUG);
    fastlog!(INFO, "message");
    fastlog!(INFO, target: "db", "message {a}", a, b = ?a, "http.status" = 200, u.name, s = %a,);
    fastlog!(level: lvl, "message {}", a);
    trace!("message", a);
    debug!("message", a);
    info!("message", a);
    warn!("message", a);
    error!("message", a);
    critical!("message", a);
}
