use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "message", r#type = 1, "type" = 2);
}
