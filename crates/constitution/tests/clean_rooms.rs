//! What clean rooms and users must show, and the keys that the service holds for clean rooms, in the shipped
//! constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{Consortium, consortium, only};
use serde_json::{Value, json};

const NAMES_OF_OBJECTS: [&str; 6] =
    ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"];

fn policy(contract: &str, change: &str, kind: Option<Value>, claims: Value) -> Value {
    let mut args = json!({"contractId": contract, "type": change, "claims": claims});
    if let Some(kind) = kind {
        args["policyType"] = kind;
    }
    args
}

fn invitation(id: &str, change: &str, claims: Value) -> Value {
    json!({"invitationId": id, "type": change, "accountType": "microsoft", "claims": claims})
}

/// Applies an action and says why it failed, if it did.
fn failure(consortium: &mut Consortium, name: &str, args: Value) -> Option<String> {
    consortium.apply(&only(name, args)).err().map(|error| error.to_string())
}

#[test]
fn policies_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    let add = |kind, claims| policy("1234", "add", kind, claims);
    for (args, expected) in [
        (json!({}), "contractId must be of type string but is undefined"),
        (json!({"contractId": "1234"}), "type must be of type string but is undefined"),
        (json!({"contractId": "1234", "type": "add"}), "claims must be of type object but is undefined"),
        (policy("1234", "x", None, json!({})), "Clean Room Policy with type 'x' is not supported"),
        (policy("1234", "constructor", None, json!({})), "Clean Room Policy with type 'constructor' is not supported"),
        (add(None, json!({"bad": 1})), "The claim 'bad' is not an allowed snp-caci claim"),
        (add(Some(json!("snp-caci")), json!({"pcr0": 1})), "The claim 'pcr0' is not an allowed snp-caci claim"),
        (add(Some(json!("jwt")), json!({"bad": 1})), "The claim 'bad' is not an allowed jwt claim"),
        (add(Some(json!("snp-cvm")), json!({"pcr24": 1})), "The claim 'pcr24' is not an allowed snp-cvm claim"),
        (add(Some(json!("nope")), json!({})), "Unknown policyType 'nope'"),
        (add(Some(json!("__proto__")), json!({})), "Unknown policyType '__proto__'"),
        (add(Some(Value::Null), json!({})), "Unknown policyType 'null'"),
        (add(Some(json!(5)), json!({})), "policyType must be of type string but is number"),
        (add(None, json!(["x"])), "The claim '0' is not an allowed snp-caci claim"),
        (add(None, json!({"x-ms-ver": []})), "The claim 'x-ms-ver' must have a value"),
        (
            add(None, json!({"x-ms-ver": ["2", {"3": 1}]})),
            "The values of the claim 'x-ms-ver' must be strings, numbers or booleans",
        ),
        (
            add(None, json!({"x-ms-ver": null})),
            "The values of the claim 'x-ms-ver' must be strings, numbers or booleans",
        ),
        (
            policy("nope", "add", None, json!({})),
            "Clean Room Policy can only be proposed once contract 'nope' has been accepted.",
        ),
    ] {
        let expected = Some(format!("Error: {expected}"));
        assert_eq!(consortium.fault("set_clean_room_policy", args.clone()), expected, "{args}");
    }
    for args in [
        add(None, json!({"x-ms-sevsnpvm-hostdata": "ab", "x-ms-sevsnpvm-is-debuggable": false})),
        add(Some(json!("snp-cvm")), json!({"pcr0": "AA", "pcr23": ["AA", "AB"]})),
        add(Some(json!("jwt")), json!({"sub": ["s"], "iss": "i"})),
        policy("1234", "remove", None, json!({"x-ms-ver": "2"})),
    ] {
        assert_eq!(consortium.fault("set_clean_room_policy", args.clone()), None, "{args}");
    }
}

#[test]
fn d15_claim_names_are_exactly_those_listed() {
    let (mut consortium, _) = consortium();
    for name in NAMES_OF_OBJECTS {
        // Written by hand: a map of JSON values could not hold every name.
        let claims: Value = serde_json::from_str(&format!(r#"{{"{name}": "x"}}"#)).unwrap();
        for kind in ["snp-caci", "jwt", "snp-cvm"] {
            let args = policy("1234", "add", Some(json!(kind)), claims.clone());
            let expected = format!("Error: The claim '{name}' is not an allowed {kind} claim");
            assert_eq!(consortium.fault("set_clean_room_policy", args), Some(expected));
        }
        let expected = format!("Error: The claim '{name}' is not an allowed claim");
        let args = invitation("i", "add", claims);
        assert_eq!(consortium.fault("set_user_invitation_by_jwt_claims", args), Some(expected));
    }
}

#[test]
fn d27_a_policy_may_demand_endorsements_of_the_utility_vm() {
    let (mut consortium, _) = consortium();
    let claims = json!({"uvm_endorsements-did": "d", "uvm_endorsements-feed": "f", "uvm_endorsements-svn": "100"});
    assert_eq!(consortium.fault("set_clean_room_policy", policy("1234", "add", None, claims)), None);
}

#[test]
fn d37_claims_must_be_there() {
    let (mut consortium, _) = consortium();
    for (name, args) in [
        ("set_clean_room_policy", policy("1234", "add", None, Value::Null)),
        ("set_user_invitation_by_jwt_claims", invitation("i", "add", Value::Null)),
    ] {
        assert_eq!(consortium.fault(name, args), Some("Error: claims must be an object".to_owned()));
    }
}

/// Adding and removing of values: what is done, and what is there afterwards.
#[test]
fn a_policy_grows_and_shrinks_by_values() {
    let (mut consortium, _) = consortium();
    let host = "x-ms-sevsnpvm-hostdata";
    let debug = "x-ms-sevsnpvm-is-debuggable";
    let table = "policies.cleanroom-1234";
    for (change, claims, name, expected) in [
        ("add", json!({host: "a", debug: false}), host, json!(["a"])),
        ("add", json!({host: ["b", "a", "b", "c"]}), host, json!(["a", "b", "c"])),
        ("add", json!({host: [1, "1"]}), host, json!(["a", "b", "c", 1, "1"])),
        ("remove", json!({host: ["b", 1]}), host, json!(["a", "c", "1"])),
        ("add", json!({debug: [true, true]}), debug, json!([true])),
        ("remove", json!({debug: false}), debug, Value::Null),
        ("remove", json!({host: ["a", "c", "1"]}), host, Value::Null),
    ] {
        let args = policy("1234", change, None, claims.clone());
        assert_eq!(failure(&mut consortium, "set_clean_room_policy", args), None, "{change} {claims}");
        assert_eq!(consortium.get(table, name), expected, "{change} {claims}");
    }
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let (mut consortium, _) = consortium();
    let args = |change: &str, value: &str| policy("1234", change, Some(json!("jwt")), json!({"sub": value}));
    let name = "set_clean_room_policy";
    assert_eq!(
        failure(&mut consortium, name, args("remove", "a")).unwrap(),
        "Error: Cannot remove values of sub because the key does not exist in the clean room policy claims"
    );
    let both = policy("1234", "add", Some(json!("jwt")), json!({"sub": ["a", "b"]}));
    assert_eq!(failure(&mut consortium, name, both), None);
    assert_eq!(
        failure(&mut consortium, name, args("remove", "c")).unwrap(),
        "Error: Trying to remove value 'c' from a,b and it does not exist"
    );
    assert_eq!(consortium.get("policies.cleanroom-1234", "sub"), json!(["a", "b"]));
}

#[test]
fn invitations_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    consortium.put("accepted_user_invitations", "settled", &json!({}));
    let set = "set_user_invitation_by_jwt_claims";
    for (name, args, expected) in [
        (set, json!({}), "invitationId must be of type string but is undefined"),
        (set, invitation("i", "x", json!({})), "Invitation with type 'x' is not supported"),
        (
            set,
            json!({"invitationId": "i", "type": "add", "accountType": "x", "claims": {}}),
            "Invitation with account type 'x' is not supported",
        ),
        (set, invitation("i", "add", json!({"bad": 1})), "The claim 'bad' is not an allowed claim"),
        (set, invitation("settled", "add", json!({})), "Invitation with Id 'settled' has already been accepted."),
        ("remove_user_invitation_by_jwt_claims", json!({}), "invitationId must be of type string but is undefined"),
    ] {
        assert_eq!(consortium.fault(name, args.clone()), Some(format!("Error: {expected}")), "{name} {args}");
    }
    assert_eq!(consortium.fault(set, invitation("i", "add", json!({"upn": "u", "tid": ["t"]}))), None);
}

#[test]
fn an_invitation_is_written_and_changed() {
    let (mut consortium, _) = consortium();
    let set = "set_user_invitation_by_jwt_claims";
    assert_eq!(failure(&mut consortium, set, invitation("i", "add", json!({"upn": "a"}))), None);
    assert_eq!(failure(&mut consortium, set, invitation("i", "add", json!({"upn": ["b"], "tid": "t"}))), None);
    assert_eq!(consortium.get("user_invitations", "i"), json!({"accountType": "microsoft"}));
    assert_eq!(consortium.get("user_invitations-i", "upn"), json!(["a", "b"]));
    assert_eq!(
        failure(&mut consortium, set, invitation("i", "remove", json!({"sub": "s"}))).unwrap(),
        "Error: Cannot remove values of sub because the key does not exist in the invitation claims"
    );
    assert_eq!(failure(&mut consortium, set, invitation("i", "remove", json!({"tid": "t"}))), None);
    assert_eq!(consortium.get("user_invitations-i", "tid"), Value::Null);
}

#[test]
fn d11_removing_an_invitation_removes_its_acceptance() {
    let (mut consortium, _) = consortium();
    let accepted = "public:user_invitations_info";
    consortium.put("user_invitations", "i", &json!({"accountType": "microsoft"}));
    consortium.put("user_invitations-i", "upn", &json!(["a"]));
    consortium.put("user_invitations-j", "upn", &json!(["a"]));
    consortium.put("accepted_user_invitations", "i", &json!({}));
    consortium.tables.put(accepted, b"i", br#"{"status":"Accepted"}"#);
    consortium.tables.put(accepted, b"j", br#"{"status":"Accepted"}"#);
    let remove = |id: &str| only("remove_user_invitation_by_jwt_claims", json!({"invitationId": id}));
    consortium.apply(&remove("i")).unwrap();
    for table in ["user_invitations", "accepted_user_invitations"] {
        assert_eq!(consortium.get(table, "i"), Value::Null, "{table}");
    }
    assert_eq!(consortium.get("user_invitations-i", "upn"), Value::Null);
    assert_eq!(consortium.get("user_invitations-j", "upn"), json!(["a"]));
    let left: Vec<_> = consortium.tables.0[accepted].keys().cloned().collect();
    assert_eq!(left, [b"j".to_vec()]);
    consortium.apply(&remove("unknown")).unwrap();
}

#[test]
fn identities_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    let identity = |account: &str, data: Value| json!({"id": "u", "accountType": account, "data": data});
    let set = "set_user_identity";
    for (name, args, expected) in [
        (set, json!({}), "id must be of type string but is undefined"),
        (set, json!({"id": "u"}), "accountType must be of type string but is undefined"),
        (set, json!({"id": "u", "accountType": "microsoft"}), "data must be of type object but is undefined"),
        (set, identity("microsoft", Value::Null), "data must be an object with a field 'tenantId'"),
        (set, identity("microsoft", json!({})), "data.tenantId must be of type string but is undefined"),
        (
            set,
            identity("microsoft", json!({"tenantId": "t", "identifier": 5})),
            "data.identifier must be of type string but is number",
        ),
        (
            set,
            identity("github", json!({"tenantId": "t"})),
            "User identity with account type 'github' is not supported",
        ),
        (
            set,
            identity("constructor", json!({"tenantId": "t"})),
            "User identity with account type 'constructor' is not supported",
        ),
        (
            set,
            json!({"id": "u", "accountType": "microsoft", "invitationId": 5, "data": {"tenantId": "t"}}),
            "invitationId must be of type string but is number",
        ),
        ("remove_user_identity", json!({}), "id must be of type string but is undefined"),
    ] {
        assert_eq!(consortium.fault(name, args.clone()), Some(format!("Error: {expected}")), "{name} {args}");
    }
}

#[test]
fn an_identity_settles_its_invitation() {
    let (mut consortium, _) = consortium();
    let data = json!({"tenantId": "t", "identifier": "a", "more": 1});
    let identity = |invitation: Value| {
        let args = json!({"id": "u", "accountType": "microsoft", "invitationId": invitation, "data": data});
        only("set_user_identity", args)
    };
    consortium.apply(&identity(Value::Null)).unwrap();
    assert_eq!(consortium.get("user_identities", "u"), json!({"accountType": "microsoft", "data": data}));
    consortium.apply(&identity(json!("i"))).unwrap();
    assert_eq!(
        consortium.raw("user_identities", b"u").unwrap(),
        r#"{"accountType":"microsoft","invitationId":"i","data":{"tenantId":"t","identifier":"a","more":1}}"#
    );
    assert_eq!(consortium.get("accepted_user_invitations", "i"), json!({}));
    consortium.apply(&only("remove_user_identity", json!({"id": "u"}))).unwrap();
    assert_eq!(consortium.get("user_identities", "u"), Value::Null);
    consortium.apply(&only("remove_user_identity", json!({"id": "u"}))).unwrap();
}

#[test]
fn keys_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    consortium.put("accepted_contracts", "half", &json!({}));
    consortium.put("ca", "half", &json!({"enabled": "false", "requestId": "1"}));
    let no_contract = "Enabling the CA can only be proposed once contract 'nope' has been accepted.";
    let rotate = "ca_enable_rotate_signing_key";
    for (name, args, expected) in [
        ("enable_oidc_issuer", json!({}), "kid must be of type string but is undefined"),
        ("enable_oidc_issuer", json!({"kid": 5}), "kid must be of type string but is number"),
        ("enable_signing", json!({"kid": null}), "kid must be of type string but is object"),
        ("set_oidc_issuer_url", json!({"issuer_url": 5}), "issuer_url must be of type string but is number"),
        ("enable_ca", json!({}), "contractId must be of type string but is undefined"),
        ("enable_ca", json!({"contractId": "nope"}), no_contract),
        (rotate, json!({}), "contractId must be of type string but is undefined"),
        (rotate, json!({"contractId": "nope"}), no_contract),
        (
            rotate,
            json!({"contractId": "1234"}),
            "Cannot rotate the CA signing key as CA is not enabled for the contract.",
        ),
        (
            rotate,
            json!({"contractId": "half"}),
            "Cannot rotate the CA signing key as CA status is 'false' for the contract.",
        ),
    ] {
        assert_eq!(consortium.fault(name, args.clone()), Some(format!("Error: {expected}")), "{name} {args}");
    }
    for name in ["oidc_issuer_enable_rotate_signing_key", "signing_enable_rotate_signing_key"] {
        for args in [json!({}), Value::Null] {
            assert_eq!(consortium.fault(name, args), None, "{name}");
        }
    }
}

#[test]
fn signing_keys_are_enabled_once_and_rotated() {
    for (table, enable, rotate) in [
        ("oidc_issuer", "enable_oidc_issuer", "oidc_issuer_enable_rotate_signing_key"),
        ("signing", "enable_signing", "signing_enable_rotate_signing_key"),
    ] {
        let (mut consortium, _) = consortium();
        let raw = |consortium: &Consortium, key: &str| consortium.raw(table, key.as_bytes());
        consortium.apply(&only(rotate, json!({}))).unwrap();
        assert_eq!(raw(&consortium, "generateSigningKeyRequestId"), None);
        consortium.apply(&only(enable, json!({"kid": "k"}))).unwrap();
        consortium.apply(&only(enable, json!({"kid": "other"}))).unwrap();
        assert_eq!(raw(&consortium, "enabled").as_deref(), Some("true"));
        assert_eq!(raw(&consortium, "generateSigningKeyKid").as_deref(), Some("k"));
        assert_eq!(raw(&consortium, "generateSigningKeyRequestId").as_deref(), Some("1"));
        for _ in 0..9 {
            consortium.apply(&only(rotate, json!({}))).unwrap();
        }
        assert_eq!(raw(&consortium, "generateSigningKeyRequestId").as_deref(), Some("10"));
    }
}

#[test]
fn the_issuer_has_a_name() {
    let (mut consortium, _) = consortium();
    consortium.apply(&only("set_oidc_issuer_url", json!({"issuer_url": "https://i"}))).unwrap();
    assert_eq!(consortium.raw("oidc_issuer", b"issuerUrl").as_deref(), Some("https://i"));
}

#[test]
fn the_authority_of_a_contract_is_enabled_once_and_rotated() {
    let (mut consortium, _) = consortium();
    let enable = only("enable_ca", json!({"contractId": "1234"}));
    let rotate = only("ca_enable_rotate_signing_key", json!({"contractId": "1234"}));
    assert!(consortium.apply(&rotate).is_err());
    consortium.apply(&enable).unwrap();
    consortium.apply(&rotate).unwrap();
    consortium.apply(&enable).unwrap();
    assert_eq!(consortium.raw("ca", b"1234").unwrap(), r#"{"enabled":"true","requestId":"2"}"#);
}
