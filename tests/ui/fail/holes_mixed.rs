use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "{a} and {}", a = 1, b = 2);
}
