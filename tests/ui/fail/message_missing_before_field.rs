use fastlog::fastlog;

fn main() {
    fastlog!(INFO, user_id = 1);
}
