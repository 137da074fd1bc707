//! A new migration file changes what `migrate!` embeds.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/control-plane");
}
