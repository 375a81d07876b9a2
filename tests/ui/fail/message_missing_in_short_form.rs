fn main() {
    fastlog::info!();
}
