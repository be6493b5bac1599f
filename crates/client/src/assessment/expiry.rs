use crypto::Certificate;

const DAY: i64 = 86_400;

/// What to say about a certificate that ends soon or has ended (D38). `now` in seconds since 1970.
#[must_use]
pub fn expiry(certificate: &Certificate, now: i64) -> Option<String> {
    let left = certificate.not_after() - now;
    if left <= 0 {
        Some("has ended".into())
    } else if now >= certificate.ends_soon_from() {
        Some(match left / DAY {
            0 => format!("ends in {} hours", left / 3600),
            days => format!("ends in {days} days"),
        })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d38_certificates_that_end_soon_are_mentioned() {
        let key = crypto::SigningKey::generate(crypto::Curve::P256).unwrap();
        let ends = |days| {
            let validity = crypto::issue::Validity { from: 1_700_000_000, days };
            crypto::issue::self_signed(&key, "x", &[], validity).unwrap()
        };
        let of = |days: u32, hours: i64| expiry(&ends(days), 1_700_000_000 + hours * 3600);
        assert_eq!((of(30, 24), of(365, 334 * 24)), (None, None));
        assert_eq!(of(30, 20 * 24 + 1).as_deref(), Some("ends in 9 days"));
        assert_eq!(of(365, 336 * 24).as_deref(), Some("ends in 28 days"));
        assert_eq!((of(1, 15), of(1, 20).as_deref()), (None, Some("ends in 3 hours")));
        assert_eq!(of(30, 30 * 24).as_deref(), Some("has ended"));
    }
}
