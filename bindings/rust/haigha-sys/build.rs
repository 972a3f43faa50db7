//! Finds the library by pkg-config, as any program does.

use std::process::Command;

/// What this is written for: an ABI of its own for each minor version.
const WANTED: &str = "haigha >= 0.1 haigha < 0.2";

fn pkg_config(question: &str) -> String {
    let program = std::env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_owned());
    let output = Command::new(&program)
        .args([question, "--print-errors", WANTED])
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    if !output.status.success() {
        panic!(
            "pkg-config does not find libhaigha ({WANTED}); PKG_CONFIG_PATH names the folder of haigha.pc\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).expect("pkg-config says text")
}

fn main() {
    for variable in ["PKG_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    for flag in pkg_config("--libs").split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
    // For the tests of this crate, which read the header.
    println!("cargo:rustc-env=HAIGHA_CFLAGS={}", pkg_config("--cflags").trim());
}
