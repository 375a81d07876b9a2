use fastlog::fastlog;

fn main() {
    let e = 1;
    fastlog!(INFO, target: "db", %e);
}
