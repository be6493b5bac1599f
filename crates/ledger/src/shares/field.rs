//! Arithmetic modulo the prime 2^31 - 1.

const P: u32 = (1 << 31) - 1;

/// Whether a number is an element of the field.
pub(super) fn contains(a: u32) -> bool {
    a < P
}

/// The remainder of a number.
pub(super) fn reduce(a: u64) -> u32 {
    // Below 2^31, so it fits.
    (a % u64::from(P)) as u32
}

pub(super) fn add(a: u32, b: u32) -> u32 {
    reduce(u64::from(a) + u64::from(b))
}

pub(super) fn sub(a: u32, b: u32) -> u32 {
    reduce(u64::from(a) + u64::from(P) - u64::from(b))
}

pub(super) fn mul(a: u32, b: u32) -> u32 {
    reduce(u64::from(a) * u64::from(b))
}

/// The inverse of an element other than 0, which has none and gives 0.
pub(super) fn invert(a: u32) -> u32 {
    // Fermat: a^(p - 2).
    let (mut power, mut square, mut exponent) = (1, a, P - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = mul(power, square);
        }
        square = mul(square, square);
        exponent >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn laws_of_a_field(a in 0..P, b in 0..P) {
            prop_assert_eq!(sub(add(a, b), b), a);
            prop_assert_eq!(mul(a, b), mul(b, a));
            prop_assert_eq!(mul(a, invert(a)), u32::from(a != 0));
            prop_assert_eq!(add(a, sub(0, a)), 0);
        }
    }
}
