use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "{a:q}", a = 1);
}
