//! What the expansion contains trips no lint of its user.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused, nonstandard_style, future_incompatible, rust_2018_idioms)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
#![deny(unreachable_pub, unused_qualifications, single_use_lifetimes, let_underscore_drop)]
#![deny(unused_results, unused_lifetimes, trivial_casts, trivial_numeric_casts, elided_lifetimes_in_paths)]

use fastlog::{Level, debug, display, fastlog, info};

struct User {
    name: &'static str,
    r#type: u32,
}

fn main() {
    let u = User { name: "ann", r#type: 1 };
    let (a, list, error, lvl) = (1_u32, [1_u32, 2], "broken", Level::WARN);
    fastlog!(INFO, "message");
    fastlog!(INFO, "message {a} {list}", a, ?list, %error, u.name, u.r#type, "http.status" = 200_u32);
    fastlog!(ERROR, "message", error = display(&error), list = debug(&list));
    fastlog!(level: lvl, "message {}", a = a + 1);
    fastlog!(INFO, target: "db", "message", rows = (a));
    info!("message", a);
    match a {
        0 => fastlog!(INFO, "an arm", a),
        _ => fastlog!(INFO, "another", a),
    }
    let (): () = fastlog!(INFO, "an expression");
}
