//! The seeds of the fuzz targets, and the inputs that once failed, as ordinary tests: `fuzz/` is a workspace of its own,
//! whose functions are taken in here as they stand.

#[allow(dead_code, unreachable_pub)]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;
