//! Runtime dispatch, and elementary functions without branches, so that they vectorise. Every element gets the same operations, so
//! its bits depend neither on its position in the vector nor on the width of the vector.

use pulp::Arch;
use std::sync::OnceLock;

/// Number of partial sums of a reduction, independent of the vector width, so that the bits agree on every machine.
pub const LANES: usize = 16;

pub fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}

/// Runs `body` compiled for the widest vectors of this machine (AVX-512, AVX2 with FMA, NEON). Functions that it calls must be
/// `#[inline(always)]` to be included.
#[inline(always)]
pub fn vectorised<R>(body: impl FnOnce() -> R) -> R {
    arch().dispatch(body)
}

/// The instruction set that `vectorised` uses.
#[allow(unreachable_patterns)]
pub fn instruction_set() -> &'static str {
    match arch() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "AVX2",
        _ if cfg!(target_arch = "aarch64") => "NEON",
        _ => "scalar",
    }
}

/// Elements that are summed in float32 before the sum continues in float64.
pub const SUM_BLOCK: usize = 32 * LANES;

/// The sum of at most `SUM_BLOCK` elements: in float32 lanes, the lanes added in float64.
#[inline(always)]
pub fn sum_block(block: &[f32]) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let whole = block.chunks_exact(LANES);
    for (lane, &x) in lanes.iter_mut().zip(whole.remainder()) {
        *lane = x;
    }
    for chunk in whole {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    lanes.iter().map(|&lane| lane as f64).sum()
}

/// `x` or 0, without a branch, which the compiler may otherwise make and random masks would mispredict.
#[inline(always)]
pub fn keep_if(keep: bool, x: f32) -> f32 {
    f32::from_bits(x.to_bits() & (keep as u32).wrapping_neg())
}

/// e^x within about 1 ulp, overflow to infinity, underflow through the subnormals to 0 (Cephes' expf; Moshier 1989).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // These comparisons preserve a NaN.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_2e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r) + 1.0;
    let k = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = k >> 1;
    p * power_of_two(half) * power_of_two(k.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

/// tanh x within about 2 ulp: a polynomial near 0, 1 - 2 / (e^2|x| + 1) elsewhere (Cephes' tanhf).
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let z = x * x;
    let p = -5.704_988_7e-3f32;
    let p = p.mul_add(z, 2.063_908_8e-2);
    let p = p.mul_add(z, -5.373_971_6e-2);
    let p = p.mul_add(z, 1.333_144_2e-1);
    let p = p.mul_add(z, -3.333_328e-1);
    let near = (p * z).mul_add(x, x);
    let a = x.abs();
    let far = (1.0 - 2.0 / (exp(2.0 * a) + 1.0)).copysign(x);
    if a < 0.625 { near } else { far }
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// ln x for positive normal x, within 1 ulp (fdlibm's e_log.c; Sun Microsystems 1993).
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    const ROOT_HALF: u64 = 0x3fe6_a09e << 32;
    let bits = x.to_bits().wrapping_add((0x3ff0_0000 << 32) - ROOT_HALF);
    let k = ((bits >> 52) as i32 - 0x3ff) as f64;
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + ROOT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (0.399_999_999_994_094_2 + w * (0.222_221_984_321_497_84 + w * 0.153_138_376_992_093_73));
    let odd = z
        * (0.666_666_666_666_673_5
            + w * (0.285_714_287_436_623_9 + w * (0.181_835_721_616_180_5 + w * 0.147_981_986_051_165_86)));
    let half_square = 0.5 * f * f;
    let low = s * (half_square + even + odd) + k * 1.908_214_929_270_587_7e-10;
    k * 6.931_471_803_691_238e-1 - ((half_square - low) - f)
}

/// (cos, sin) of 2 pi u for u in [0, 1], within 1 ulp (fdlibm's k_cos.c and k_sin.c on a reduced turn).
#[inline(always)]
pub fn cos_sin_of_turn(u: f64) -> (f64, f64) {
    // Adding 1.5 * 2^52 rounds to the nearest quarter turn.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let shifted = 4.0 * u + ROUND;
    let quarter = shifted.to_bits();
    let x = (u - 0.25 * (shifted - ROUND)) * std::f64::consts::TAU;
    let z = x * x;
    let c = z
        * (4.166_666_666_666_66e-2
            + z * (-1.388_888_888_887_411e-3
                + z * (2.480_158_728_947_673e-5
                    + z * (-2.755_731_435_139_066_3e-7
                        + z * (2.087_572_321_298_175e-9 + z * -1.135_964_755_778_819_5e-11)))));
    let cos = 1.0 - (0.5 * z - z * c);
    let s = -1.666_666_666_666_663_2e-1
        + z * (8.333_333_333_322_49e-3
            + z * (-1.984_126_982_985_795e-4
                + z * (2.755_731_370_707_006_8e-6 + z * (-2.505_076_025_340_686_3e-8 + z * 1.589_690_995_211_55e-10))));
    let sin = x + x * z * s;
    let swap = quarter & 1 == 1;
    let (a, b) = if swap { (sin, cos) } else { (cos, sin) };
    // Quarter turns 1 and 2 have a negative cosine, 2 and 3 a negative sine.
    let cos_sign = (quarter.wrapping_add(1) & 2) << 62;
    let sin_sign = (quarter & 2) << 62;
    (f64::from_bits(a.to_bits() ^ cos_sign), f64::from_bits(b.to_bits() ^ sin_sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::{Key, normal_batch};
    use pulp::{Scalar, Simd};

    /// Runs a closure on every instruction set that this machine has.
    fn on_every<R>(body: impl Fn() -> R + Copy) -> Vec<R> {
        #[allow(unused_mut)]
        let mut results = vec![Scalar.vectorize(body)];
        #[cfg(target_arch = "x86_64")]
        {
            results.extend(pulp::x86::V3::try_new().map(|simd| simd.vectorize(body)));
            results.extend(pulp::x86::V4::try_new().map(|simd| simd.vectorize(body)));
        }
        results
    }

    #[test]
    fn functions_and_noise_have_the_same_bits_on_every_instruction_set() {
        let results = on_every(
            #[inline(always)]
            || {
                let mut bits = Vec::new();
                for i in -100_000..100_003 {
                    let x = i as f32 * 1.3e-3;
                    bits.push(exp(x).to_bits());
                    bits.push(tanh(x).to_bits());
                }
                for block in 0..1000 {
                    let key = Key { seed: 1 << 40, step: 3, stream: 5 };
                    bits.extend(normal_batch(key, 16 * block).map(f32::to_bits));
                }
                bits
            },
        );
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
