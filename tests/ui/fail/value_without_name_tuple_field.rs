use fastlog::fastlog;

fn main() {
    let pair = (1, 2);
    fastlog!(INFO, "message", pair.0);
}
