//! Arguments for every action that a constitution may have, of the kind that is usually accepted and sometimes not.

use serde_json::{Value, json};

use crate::world::World;

/// An action by its name; a name that is not known gets no arguments.
pub fn arguments(world: &mut World, name: &str) -> crate::Result<Value> {
    let group = [people, service, nodes, evidence, tokens, contracts, keys];
    for arguments in group {
        if let Some(found) = arguments(world, name)? {
            return Ok(found);
        }
    }
    Ok(Value::Null)
}

type Found = crate::Result<Option<Value>>;

fn people(world: &mut World, name: &str) -> Found {
    let number = world.dice.below(6);
    Ok(Some(match name {
        "set_member" => world.newcomer()?,
        "remove_member" => json!({"member_id": world.somebody(true)}),
        "set_member_data" => {
            let data = world.roles();
            json!({"member_id": world.somebody(false), "member_data": data})
        }
        "set_user" => json!({"cert": world.certificate(number)?, "user_data": {"n": number}}),
        "remove_user" => json!({"user_id": world.user_id(number)?}),
        "set_user_data" => json!({"user_id": world.user_id(number)?, "user_data": {"again": number}}),
        "set_user_identity" => json!({
            "id": format!("user{number}"), "accountType": "microsoft", "invitationId": format!("i{number}"),
            "data": {"tenantId": "t", "identifier": "é\u{2028}"},
        }),
        "remove_user_identity" => json!({"id": format!("user{number}")}),
        "set_user_invitation_by_jwt_claims" => json!({
            "invitationId": format!("i{number}"), "type": "add", "accountType": "microsoft",
            "claims": {"email": [format!("{number}@example.com")], "tid": "t"},
        }),
        "remove_user_invitation_by_jwt_claims" => json!({"invitationId": format!("i{number}")}),
        _ => return Ok(None),
    }))
}

fn service(world: &mut World, name: &str) -> Found {
    let identity = world.service_certificate.clone();
    Ok(Some(match name {
        "set_recovery_threshold" => json!({"recovery_threshold": world.dice.pick(&[1, 1, 1, 2, 254])}),
        "transition_service_to_open" => json!({"next_service_identity": identity}),
        "assert_service_identity" => json!({"service_identity": identity}),
        "set_service_configuration" => {
            json!({"recent_cose_proposals_window_size": 3 + world.dice.below(20), "recovery_threshold": null})
        }
        "set_js_runtime_options" => json!({
            "max_heap_bytes": 100 << 20, "max_stack_bytes": 1 << 20, "max_execution_time_ms": 1000,
            "return_exception_details": world.dice.chance(50),
        }),
        "set_cgs_runtime_options" => {
            let option = *world.dice.pick(&["constitution", "deploymentspec", "deploymentinfo", "cleanroompolicy"]);
            let status = *world.dice.pick(&["enabled", "disabled"]);
            json!({"option": format!("autoapprove-{option}-proposal"), "status": status})
        }
        "set_constitution" => json!({"constitution": world.another_constitution()}),
        "set_js_app" => json!({"bundle": {}}),
        _ => return Ok(None),
    }))
}

fn nodes(world: &mut World, name: &str) -> Found {
    let node = if world.dice.chance(80) { world.node_id.clone() } else { "ab".repeat(32) };
    let from = *world.dice.pick(&["2026-01-02 03:04:05", "260102030405Z", "2026-01-02 03:04:05", "now"]);
    let days = 30 + world.dice.below(400);
    Ok(Some(match name {
        "transition_node_to_trusted" | "set_node_certificate_validity" => {
            json!({"node_id": node, "valid_from": from, "validity_period_days": days})
        }
        "set_all_nodes_certificate_validity" | "set_service_certificate_validity" => {
            json!({"valid_from": from, "validity_period_days": days})
        }
        "remove_node" => json!({"node_id": node}),
        "set_node_data" => json!({"node_id": node, "node_data": {"rack": days}}),
        "add_node_code" | "remove_node_code" => json!({"code_id": format!("c{}", days % 3)}),
        "add_executor_node_code" | "remove_executor_node_code" => json!({"executor_code_id": format!("c{}", days % 3)}),
        _ => return Ok(None),
    }))
}

fn evidence(world: &mut World, name: &str) -> Found {
    let digit = world.dice.below(4);
    let (did, feed) = (format!("did:{digit}"), format!("feed{}", world.dice.below(2)));
    Ok(Some(match name {
        "add_snp_measurement" | "remove_snp_measurement" => json!({"measurement": digit.to_string().repeat(96)}),
        "add_snp_host_data" | "remove_snp_host_data" => {
            json!({"host_data": digit.to_string().repeat(64), "security_policy": ""})
        }
        "add_snp_uvm_endorsement" => json!({"did": did, "feed": feed, "svn": format!("{}", 90 + world.dice.below(20))}),
        "remove_snp_uvm_endorsement" => json!({"did": did, "feed": feed}),
        "set_snp_minimum_tcb_version_hex" => {
            let cpuid = *world.dice.pick(&["00a00f11", "00b00f21", "00700000"]);
            json!({"cpuid": cpuid, "tcb_version": format!("d3150000000{digit}0804")})
        }
        "remove_snp_minimum_tcb_version" => json!({"cpuid": "00a00f11"}),
        _ => return Ok(None),
    }))
}

fn tokens(world: &mut World, name: &str) -> Found {
    let issuer = format!("https://idp{}.example.com/x", world.dice.below(2));
    Ok(Some(match name {
        "set_ca_cert_bundle" => {
            json!({"name": "bundle", "cert_bundle": world.certificate(0)? + &world.certificate(1)?})
        }
        "remove_ca_cert_bundle" => json!({"name": "bundle"}),
        "set_jwt_issuer" if world.dice.chance(50) => json!({"issuer": issuer}),
        "set_jwt_issuer" => json!({"issuer": issuer, "auto_refresh": false, "jwks": key_set(world)?}),
        "set_jwt_public_signing_keys" => json!({"issuer": issuer, "jwks": key_set(world)?}),
        "remove_jwt_issuer" => json!({"issuer": issuer}),
        _ => return Ok(None),
    }))
}

/// Keys of certificates and bare ones, some with an issuer of their own.
fn key_set(world: &mut World) -> crate::Result<Value> {
    let mut keys = Vec::new();
    for number in 0..=world.dice.below(3) {
        let mut key = match world.dice.chance(50) {
            true => json!({"kty": "EC", "x5c": [world.certificate_der(number)?]}),
            false => json!({
                "kty": "EC", "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }),
        };
        key["kid"] = format!("kid{number}").into();
        if world.dice.chance(30) {
            key["issuer"] = (*world.dice.pick(&["https://example.com/y", "https://example.org"])).into();
        }
        keys.push(key);
    }
    Ok(json!({"keys": keys}))
}

fn contracts(world: &mut World, name: &str) -> Found {
    let contract = if name == "set_contract" { world.new_contract() } else { world.accepted_contract() };
    let data = json!({"z": 1, "a": [0.5, "é", {"2": 0, "1": null}]});
    Ok(Some(match name {
        "set_contract" => json!({"contractId": contract, "contract": {"data": data}}),
        "set_member_document" => {
            json!({"documentId": format!("d{}", world.dice.below(20)), "document": {"contractId": contract, "data": data}})
        }
        "set_deployment_spec" => json!({"contractId": contract, "spec": {"data": data}}),
        "set_deployment_info" => json!({"contractId": contract, "info": {"data": data}}),
        "set_clean_room_policy" => {
            let change = *world.dice.pick(&["add", "add", "remove"]);
            let host_data = world.dice.below(3).to_string();
            let claims = json!({"x-ms-sevsnpvm-hostdata": [host_data], "x-ms-sevsnpvm-is-debuggable": false});
            json!({"contractId": contract, "type": change, "claims": claims})
        }
        name if name.starts_with("set_contract_runtime_options_") => json!({"contractId": contract}),
        "enable_ca" | "ca_enable_rotate_signing_key" => json!({"contractId": contract}),
        _ => return Ok(None),
    }))
}

fn keys(world: &mut World, name: &str) -> Found {
    Ok(Some(match name {
        "enable_oidc_issuer" | "enable_signing" => json!({"kid": format!("key{}", world.dice.below(3))}),
        "set_oidc_issuer_url" => json!({"issuer_url": "https://service.example.com"}),
        _ => return Ok(None),
    }))
}
