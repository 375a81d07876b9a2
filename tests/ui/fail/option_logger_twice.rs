use fastlog::fastlog;

fn main() {
    let l = 1;
    fastlog!(logger: l, INFO, logger: l, "message");
}
