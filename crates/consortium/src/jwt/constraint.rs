/// Where Microsoft Entra issues tokens: it signs for all tenants with the same keys, and names the tenant in `tid` and as
/// the first segment of `iss`.
const ENTRA: [&str; 5] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.chinacloudapi.cn",
    "sts.windows.net",
];
/// What stands for the tenant in a constraint.
const TENANT: &str = "{tenantid}";

/// Whether a key with this constraint may sign a token with these claims.
///
/// `iss` has to be the constraint, and there must be no `tid`, which nobody but Entra may assert. With a constraint of Entra,
/// `{tenantid}` stands for the `tid`, and that has to be the first segment of the path of `iss`.
pub(super) fn admits(constraint: &str, iss: &str, tid: Option<&str>) -> bool {
    if !is_entra(constraint) {
        return iss == constraint && tid.is_none();
    }
    let Some(tid) = tid else { return false };
    iss == constraint.replace(TENANT, tid) && first_segment(iss) == Some(tid)
}

/// Whether a key of a discovery document of this issuer may sign a token with these claims: as [`admits`], but an issuer
/// that is not Entra may say what it wants as `tid`.
pub(super) fn admits_discovered(issuer: &str, iss: &str, tid: Option<&str>) -> bool {
    if is_entra(issuer) { admits(issuer, iss, tid) } else { iss == issuer }
}

/// Whether keys of `issuer` may be constrained to tokens of `constraint`: its host is that of the issuer or a parent domain.
#[must_use]
pub fn may_constrain(issuer: &str, constraint: &str) -> bool {
    let (Some(issuer), Some(parent)) = (host(issuer), host(constraint)) else { return false };
    is_of_domain(&issuer, &parent)
}

/// Whether a host is this domain or below it. Both in lower case.
fn is_of_domain(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|below| below.ends_with('.'))
}

/// Whether a discovery document with issuer `published` is that of `issuer`: it is the same but for slashes at the end, or
/// both are of one host of Entra, where one document is for the tokens of many tenants.
#[must_use]
pub fn is_published_by(issuer: &str, published: &str) -> bool {
    let same_host = || host(issuer).is_some_and(|asked| host(published) == Some(asked));
    issuer.trim_end_matches('/') == published.trim_end_matches('/') || (is_entra(published) && same_host())
}

/// Whether an issuer is Microsoft Entra, of whatever cloud.
#[must_use]
pub fn is_entra(url: &str) -> bool {
    host(url).is_some_and(|host| ENTRA.contains(&host.as_str()))
}

/// The host of an http(s) URL, in lower case.
fn host(url: &str) -> Option<String> {
    let authority = authority(url)?;
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    let plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic() && !"@\\%".contains(c));
    plain.then(|| host.to_ascii_lowercase())
}

fn authority(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    rest.split(['/', '?', '#']).next()
}

fn first_segment(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let path = rest.split(['?', '#']).next()?;
    path.split('/').skip(1).find(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANY_TENANT: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

    #[test]
    fn an_ordinary_issuer_signs_its_own_tokens_without_tenant() {
        let own = "https://idp.example.com/x";
        assert!(admits(own, own, None));
        assert!(!admits(own, own, Some("x")));
        assert!(!admits(own, "https://idp.example.com/", None));
        assert!(!admits("https://idp.example.com/{tenantid}", "https://idp.example.com/t", Some("t")));
    }

    #[test]
    fn an_issuer_that_is_asked_for_its_keys_signs_its_own_tokens() {
        let own = "https://idp.example.com/x";
        assert!(admits_discovered(own, own, None));
        assert!(admits_discovered(own, own, Some("t")));
        assert!(!admits_discovered(own, "https://idp.example.com/y", None));
        assert!(admits_discovered("https://sts.windows.net/t1/", "https://sts.windows.net/t1/", Some("t1")));
        assert!(!admits_discovered("https://sts.windows.net/t1/", "https://sts.windows.net/t1/", Some("t2")));
    }

    #[test]
    fn entra_signs_for_the_tenant_in_its_path() {
        let of = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        assert!(admits(ANY_TENANT, &of("t1"), Some("t1")));
        assert!(!admits(ANY_TENANT, &of("t1"), Some("t2")));
        assert!(!admits(ANY_TENANT, &of("t1"), None));
        assert!(!admits(ANY_TENANT, ANY_TENANT, None));
        assert!(admits(&of("t1"), &of("t1"), Some("t1")));
        assert!(!admits(&of("t1"), &of("t1"), Some("t2")), "the tenant of the path is the one that signs");
        assert!(!admits(ANY_TENANT, &of("a/b"), Some("a/b")));
        assert!(!admits(ANY_TENANT, "https://login.microsoftonline.com//v2.0", Some("")));
        assert!(admits("https://sts.windows.net/t1/", "https://sts.windows.net/t1/", Some("t1")));
        assert!(!admits("https://login.microsoftonline.com.example.com/{tenantid}", "x", Some("x")));
    }

    #[test]
    fn keys_are_constrained_to_their_own_or_a_parent_domain() {
        for (issuer, constraint, may) in [
            ("https://idp.example.com/x", "https://idp.example.com/y", true),
            ("https://IDP.example.com:8443", "https://idp.Example.com", true),
            ("https://limited.facebook.com", "https://facebook.com/a", true),
            ("https://facebook.com", "https://limited.facebook.com", false),
            ("https://notfacebook.com", "https://facebook.com", false),
            ("https://idp.example.com", "https://other.example.com", false),
            ("https://idp.example.com", "idp.example.com", false),
            ("https://idp.example.com", "https://", false),
            ("https://idp.example.com", "https://idp.example.com@other.com/", false),
            ("https://other.com/idp.example.com", "https://idp.example.com", false),
            ("x", "https://idp.example.com", false),
            ("https://[::1]:1/", "https://[::1]/", true),
        ] {
            assert_eq!(may_constrain(issuer, constraint), may, "{issuer} {constraint}");
        }
    }

    #[test]
    fn a_document_is_about_its_issuer() {
        for (issuer, published, is) in [
            ("https://idp.example.com/x/", "https://idp.example.com/x", true),
            ("https://idp.example.com/x", "https://idp.example.com/y", false),
            ("https://idp.example.com", "https://example.com", false),
            ("https://login.microsoftonline.com/common/v2.0", ANY_TENANT, true),
            ("https://sts.windows.net/t1/", "https://sts.windows.net/t1/", true),
            ("https://idp.example.com", ANY_TENANT, false),
            ("https://login.microsoftonline.com/t1", "https://sts.windows.net/t1/", false),
        ] {
            assert_eq!(is_published_by(issuer, published), is, "{issuer} {published}");
        }
    }

    proptest! {
        #[test]
        fn nobody_but_entra_may_assert_a_tenant(host in "[a-z.]{1,12}", path in "[a-z/{}]{0,12}", tid in "[a-z{}/]{0,8}") {
            let constraint = format!("https://{host}/{path}");
            prop_assert!(!admits(&constraint, &constraint, Some(&tid)) || is_entra(&constraint));
        }

        #[test]
        fn a_tenant_is_one_segment_of_the_issuer(tid in ".{0,12}") {
            let iss = ANY_TENANT.replace(TENANT, &tid);
            if admits(ANY_TENANT, &iss, Some(&tid)) {
                prop_assert!(!tid.is_empty() && !tid.contains(['/', '?', '#']));
            }
        }
    }
}
