//! Where names and keys stand.

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// 64 bits of FNV-1a over the pieces, one after the other, finished by [`mix`]. FNV alone leaves texts that differ in their last
/// bytes close to one another.
pub(crate) fn hash(pieces: &[&[u8]]) -> u64 {
    let bytes = pieces.iter().copied().flatten();
    mix(bytes.fold(FNV_OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    }))
}

/// The last steps of SplitMix64 (S. Vigna), which let every bit depend on every other.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
