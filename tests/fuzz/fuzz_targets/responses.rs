//! Requests of OpenAI's Responses; answers and streams once its codec has them.
#![no_main]

use aisix_wire::Dialect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| aisix_fuzz::dialect(Dialect::Responses, data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    aisix_fuzz::mutate(data, size, most, seed)
});
