//! Requests, answers and streams of Anthropic's Messages.
#![no_main]

use aisix_wire::Dialect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| aisix_fuzz::dialect(Dialect::Anthropic, data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    aisix_fuzz::mutate(data, size, most, seed)
});
