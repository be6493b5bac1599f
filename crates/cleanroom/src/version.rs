use api::Output;
use serde_json::json;

/// What the application is (D2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of the build, hex; empty where it is not known.
    pub build_digest: String,
    /// Measurement of the node that answers.
    pub node_measurement: String,
}

/// `GET /app/version`: answered to everybody, also while the service is not open yet, since invitees look then.
#[must_use]
pub fn app_version(application: &Application) -> Output {
    Output::json(&json!({
        "name": application.name,
        "version": application.version,
        "buildDigest": application.build_digest,
        "nodeMeasurement": application.node_measurement,
    }))
}

#[cfg(test)]
mod tests {
    use api::Body;

    use super::*;

    #[test]
    fn d02_the_application_says_what_it_is() {
        let application = Application {
            name: "cgs".into(),
            version: "0.1.0".into(),
            build_digest: "ab".into(),
            node_measurement: "m".into(),
        };
        let expected = r#"{"name":"cgs","version":"0.1.0","buildDigest":"ab","nodeMeasurement":"m"}"#;
        assert_eq!(app_version(&application).body, Body::Json(expected.into()));
    }
}
