//! The cutting of a stream into events.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aisix_fuzz::sse(data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    aisix_fuzz::mutate(data, size, most, seed)
});
