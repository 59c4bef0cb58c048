//! The page's entry point.

fn main() {
    countersign_frontend::start();
}
