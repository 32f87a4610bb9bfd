//! Any bytes to the parser `zip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::feed("zip", bytes));
