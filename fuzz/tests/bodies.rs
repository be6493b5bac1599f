//! Every body, on its corpus and on changes of it.

use fuzz::drive;

#[test]
fn jwks() {
    drive("jwks", fuzz::jwks::run);
}

#[test]
fn jwt() {
    drive("jwt", fuzz::jwt::run);
}
