use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "message", u.r#type = 1, "u.type" = 2);
}
