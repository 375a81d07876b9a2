use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "open {a", a = 1);
}
