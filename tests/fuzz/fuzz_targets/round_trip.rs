//! Anything from any dialect to any other and back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aisix_fuzz::round_trip(data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    aisix_fuzz::mutate(data, size, most, seed)
});
