//! This crate's tests, as one program. `bindings/rust/run_tests` runs them.

mod child;
mod clients;
mod conformance;
mod json;
mod own_node;
mod readme;
mod site;
