//! Any bytes to the parser `word2vec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::feed("word2vec", bytes));
