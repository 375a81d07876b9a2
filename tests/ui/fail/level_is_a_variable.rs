use fastlog::fastlog;

fn main() {
    let lvl = fastlog::Level::INFO;
    fastlog!(lvl, "message", a = 1);
}
