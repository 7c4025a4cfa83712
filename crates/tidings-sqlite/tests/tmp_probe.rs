#![allow(clippy::unwrap_used)]
mod bench;
use bench::Bench;
#[test]
fn probe() {
    for _ in 0..20 {
        let damaged = Bench::new();
        damaged.open().close();
        let files: Vec<_> = std::fs::read_dir(damaged.directory.path()).unwrap().map(|e| { let e = e.unwrap(); (e.file_name(), e.metadata().unwrap().len()) }).collect();
        println!("{files:?}");
    }
}
