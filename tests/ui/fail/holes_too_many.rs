use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "{} and {}", a = 1);
}
