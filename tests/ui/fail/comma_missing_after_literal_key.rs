use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "message", "a" = 1 b = 2);
}
