use fastlog::fastlog;

fn main() {
    let message = String::from("message");
    fastlog!(INFO, message.as_str());
}
