use fastlog::fastlog;

fn main() {
    let v = 1;
    fastlog!(INFO, ?v);
}
