//! End-to-end tests of the workspace live in `tests/`; this library holds what they share with `fuzz/`.

pub mod hostile;
