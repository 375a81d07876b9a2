use fastlog::fastlog;

fn main() {
    let list = [1];
    fastlog!(INFO, "message", a = 1, list.len(), b = 2);
}
