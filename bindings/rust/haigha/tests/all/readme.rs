//! The README's programs.

use crate::site::Site;
use std::process::Command;

const README: &str = include_str!("../../../README.md");
const FIRST: &str = include_str!("../../examples/first.rs");

#[test]
fn the_first_program_is_the_readme_s() {
    let quoted = README.split("```rust,no_run\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(quoted, FIRST);
}

#[test]
fn the_first_program_works() {
    let site = Site::stub(&[]);
    // Beside the folder of this program.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let output = Command::new(path.join("examples/first")).arg(&site.uri).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "received hello\n", "{output:?}");
    assert!(output.status.success());
}
