use fastlog::fastlog;

fn main() {
    let list = [1];
    fastlog!(INFO, "message", %list.len());
}
