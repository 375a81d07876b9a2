use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "{a:w$}", a = 1, w = 2);
}
