use consortium::jwt::is_published_by;
use serde_json::Value;

/// What an issuer says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Discovered {
    /// The `iss` of its tokens.
    pub(super) issuer: String,
    /// Where its keys are.
    pub(super) jwks_uri: String,
}

/// Where the document of an issuer is (OpenID Connect Discovery 1.0, section 4).
pub(super) fn document_url(issuer: &str) -> Result<String, String> {
    if !issuer.starts_with("https://") || issuer.contains(['?', '#']) {
        return Err("the issuer must be an https URL without query and fragment".into());
    }
    Ok(format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
}

/// Reads the document. It has to be about the issuer that was asked, and its keys have to be fetched by https too.
pub(super) fn read(asked: &str, document: &Value) -> Result<Discovered, String> {
    let issuer = text(document, "issuer")?;
    if !is_published_by(asked, issuer) {
        return Err(format!("the discovery document is about another issuer: {issuer:?}"));
    }
    let jwks_uri = text(document, "jwks_uri")?;
    if !jwks_uri.starts_with("https://") {
        return Err(format!("jwks_uri of the discovery document is not an https URL: {jwks_uri:?}"));
    }
    Ok(Discovered { issuer: issuer.to_owned(), jwks_uri: jwks_uri.to_owned() })
}

/// Texts of a stranger are kept short: they come back in the log.
fn text<'a>(document: &'a Value, name: &str) -> Result<&'a str, String> {
    let text = document.get(name).and_then(Value::as_str).filter(|text| text.len() <= MAX_URL_BYTES);
    text.ok_or_else(|| format!("{name} of the discovery document must be a string of at most {MAX_URL_BYTES} bytes"))
}

const MAX_URL_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_document_is_below_the_issuer() {
        for issuer in ["https://idp.example.com/x", "https://idp.example.com/x/"] {
            assert_eq!(document_url(issuer).unwrap(), "https://idp.example.com/x/.well-known/openid-configuration");
        }
        for issuer in ["http://idp.example.com", "idp.example.com", "https://a?b", "https://a#b"] {
            assert!(document_url(issuer).is_err(), "{issuer}");
        }
    }

    #[test]
    fn a_document_is_about_the_issuer_that_was_asked() {
        let issuer = "https://idp.example.com/x/";
        let found =
            read(issuer, &json!({"issuer": "https://idp.example.com/x", "jwks_uri": "https://keys.example.net/k"}));
        assert_eq!(
            found.unwrap(),
            Discovered { issuer: "https://idp.example.com/x".into(), jwks_uri: "https://keys.example.net/k".into() }
        );
        let refused = |document: Value| read(issuer, &document).unwrap_err();
        let other = json!({"issuer": "https://idp.example.com/y", "jwks_uri": "https://a"});
        assert_eq!(refused(other), r#"the discovery document is about another issuer: "https://idp.example.com/y""#);
        let plain = json!({"issuer": issuer, "jwks_uri": "http://idp.example.com/k"});
        assert!(refused(plain).starts_with("jwks_uri of the discovery document is not an https URL"));
        assert!(refused(json!({"issuer": issuer})).starts_with("jwks_uri of the discovery document must be a string"));
        let long = json!({"issuer": "x".repeat(MAX_URL_BYTES + 1)});
        assert!(refused(long).starts_with("issuer of the discovery document must be"));
        assert!(refused(json!([])).starts_with("issuer of"));
    }
}
