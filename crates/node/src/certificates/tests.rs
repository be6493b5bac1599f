use std::{fs, sync::Arc};

use consortium::service::ServiceConfiguration;
use crypto::{Curve, SigningKey};
use kv::{TxId, UNIT_KEY};
use replication::{Replica, Transaction};
use serde_json::{Value, json};

use super::*;
use crate::{
    beginning::tests::{NOW, Place},
    commit::Committer,
    config::Config,
    tls,
};

/// A node in the middle of its life, and the time in its hands.
struct World {
    place: Place,
    replica: Replica,
    keeper: Keeper,
    lock: disk::Lock,
}

impl World {
    async fn new() -> Self {
        Self::at(Place::new(), NOW).await
    }

    async fn at(place: Place, now: i64) -> Self {
        let begun = place.begin_at(now).await.unwrap();
        let keeper = Keeper {
            committer: Committer::new(begun.replica.clone(), Arc::default()),
            node: begun.node,
            identity: begun.identity,
            config: Arc::new(Config::parse(&place.config.to_string()).unwrap()),
            names: begun.names,
            signatures: begun.signatures,
            endorsed: tls::Identity::empty(),
            own: tls::Identity::empty(),
            memory: Memory::default(),
        };
        Self { place, replica: begun.replica, keeper, lock: begun.lock }
    }

    /// Stops, and starts again.
    async fn again(self, now: i64) -> Self {
        self.replica.stop().await.unwrap();
        drop(self.lock);
        Self::at(self.place, now).await
    }

    /// As a vote would write it.
    async fn write(&self, change: impl FnOnce(&mut Tx)) -> TxId {
        let mut tx = Tx::new(self.replica.committed().state.clone());
        change(&mut tx);
        self.replica.submit(Transaction::new(tx, [0; 32])).await.unwrap()
    }

    async fn write_endorsed(&self, certificate: &str) {
        let id = self.keeper.node.node_id.clone();
        self.write(|tx| tx.put(tables::NODES_ENDORSED_CERTIFICATES, id, certificate.to_owned())).await;
    }

    async fn write_service(&self, certificate: &str) {
        let state = self.replica.committed().state.clone();
        let mut record: Value =
            serde_json::from_slice(&state.get(tables::SERVICE_INFO, &UNIT_KEY).unwrap().value).unwrap();
        record["cert"] = certificate.into();
        self.write(|tx| tx.put(tables::SERVICE_INFO, UNIT_KEY.to_vec(), record.to_string())).await;
    }

    fn endorsed(&self, validity: Validity) -> Certificate {
        let keeper = &self.keeper;
        let service = &keeper.identity.service_certificate;
        endorse(&keeper.identity, service, &keeper.config, &keeper.names, validity).unwrap()
    }

    fn shown(&self) -> Arc<Shown> {
        self.keeper.node.certificates.shown()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.place.path(name)).unwrap()
    }

    /// The certificate that the signature after a transaction carries.
    async fn signs_with(&self) -> Option<String> {
        let id = self.write(|tx| tx.put("public:x", "k", "v")).await;
        let replica = self.replica.clone();
        let receipt = tokio::task::spawn_blocking(move || replica.receipt(id)).await.unwrap().unwrap();
        serde_json::to_value(&receipt).unwrap()["cert"].as_str().map(str::to_owned)
    }

    fn ledger_has(&self) -> Certificate {
        let state = self.replica.committed().state.clone();
        let stored = state.get(tables::NODES_ENDORSED_CERTIFICATES, self.keeper.node.node_id.as_bytes()).unwrap();
        Certificate::from_pem(&String::from_utf8_lossy(&stored.value)).unwrap()
    }
}

#[tokio::test]
async fn d38_a_certificate_that_was_voted_for_the_node_is_shown_by_everything() {
    let mut world = World::new().await;
    world.keeper.follow();
    let voted = world.endorsed(Validity { from: NOW + DAY, days: 200 });
    let old = world.shown();
    assert_eq!(world.signs_with().await, Some(old.endorsed.to_pem()));
    world.write_endorsed(&voted.to_pem()).await;
    world.keeper.follow();
    let shown = world.shown();
    assert_eq!((&shown.endorsed, &shown.service), (&voted, &old.service));
    assert_eq!((shown.own.not_before(), shown.own.not_after()), (voted.not_before(), voted.not_after()));
    assert_eq!(world.keeper.endorsed.shown().as_deref(), Some(voted.der()));
    assert_eq!(world.keeper.own.shown().as_deref(), Some(shown.own.der()));
    assert_eq!(world.signs_with().await, Some(voted.to_pem()));
    assert_eq!(world.file("node_cert.pem"), shown.own.to_pem());
}

#[tokio::test]
async fn d38_a_certificate_that_was_voted_for_the_service_is_shown_and_resumed_with() {
    let mut world = World::new().await;
    world.keeper.follow();
    let key = &world.keeper.identity.service_key;
    let voted = issue::service_certificate(key, "CCF Service", Validity { from: NOW + DAY, days: 365 }).unwrap();
    let vault = fs::read(world.place.state("identity.sealed")).unwrap();
    world.write_service(&voted.to_pem()).await;
    world.keeper.follow();
    assert_eq!(world.shown().service, voted);
    assert_eq!(world.file("service_cert.pem"), voted.to_pem());
    // The endorsed certificate of the node stays: its issuer has the same name and key.
    world.shown().endorsed.verify_issued_by(&voted).unwrap();

    // The vault holds the certificate from before the vote, as if the host had put it back: the ledger decides.
    fs::write(world.place.state("identity.sealed"), vault).unwrap();
    let world = world.again(NOW + 2 * DAY).await;
    assert_eq!(world.shown().service, voted);
    assert_eq!(world.file("service_cert.pem"), voted.to_pem());
    world.ledger_has().verify_issued_by(&voted).unwrap();
}

#[tokio::test]
async fn d38_certificates_for_other_keys_are_not_taken() {
    let mut world = World::new().await;
    world.keeper.follow();
    let before = world.shown();
    let other = SigningKey::generate(Curve::P384).unwrap();
    let validity = Validity { from: NOW, days: 1 };
    let service = issue::service_certificate(&other, "CCF Service", validity).unwrap();
    let stolen = issue::node_certificate(world.keeper.identity.node_key.public(), "x", &[], validity, &other, &service);
    let own = issue::self_signed(&other, "CN=x", &[], validity).unwrap();
    for certificate in [stolen.unwrap().to_pem(), own.to_pem(), "nonsense".into()] {
        world.write_endorsed(&certificate).await;
        world.keeper.follow();
        assert_eq!(world.shown(), before);
    }
    world.write_endorsed(&before.endorsed.to_pem()).await;
    for certificate in [service.to_pem(), "nonsense".into()] {
        world.write_service(&certificate).await;
        world.keeper.follow();
        assert_eq!(world.shown(), before);
    }
    assert_eq!(world.signs_with().await, Some(before.endorsed.to_pem()));
    assert_eq!(world.file("service_cert.pem"), before.service.to_pem());
}

#[tokio::test]
async fn d38_a_node_renews_its_certificate_in_time_and_as_long_as_the_members_allow() {
    let mut world = World::new().await;
    let first = world.shown().endorsed.clone();
    assert_eq!(first.not_after() - first.not_before(), 90 * DAY - 1);
    world.keeper.look(NOW + 59 * DAY).await;
    assert_eq!(world.shown().endorsed, first);

    let now = NOW + 61 * DAY;
    world.keeper.look(now).await;
    let second = world.shown().endorsed.clone();
    assert_eq!((second.not_before(), second.not_after()), (now, now + 90 * DAY - 1));
    assert_eq!(world.ledger_has(), second);
    assert_eq!(world.signs_with().await, Some(second.to_pem()));
    second.verify_issued_by(&world.shown().service).unwrap();

    // Long past its end, and under a shorter maximum.
    let settings = ServiceConfiguration { maximum_node_certificate_validity_days: Some(10), ..Default::default() };
    world.write(|tx| tx.put(tables::SERVICE_CONFIG, UNIT_KEY.to_vec(), json!(settings).to_string())).await;
    let now = NOW + 400 * DAY;
    world.keeper.look(now).await;
    let third = world.shown().endorsed.clone();
    assert_eq!((third.not_before(), third.not_after()), (now, now + 10 * DAY - 1));
}

#[tokio::test]
async fn d38_a_certificate_that_the_members_renewed_is_not_renewed_again() {
    let mut world = World::new().await;
    let now = NOW + 61 * DAY;
    let voted = world.endorsed(Validity { from: now, days: 300 });
    world.write_endorsed(&voted.to_pem()).await;
    world.keeper.look(now).await;
    assert_eq!((world.shown().endorsed.clone(), world.ledger_has()), (voted.clone(), voted));
}

/// The host sets the clock ahead, and corrects it later: without a restart the node would be refused by every client until
/// the time of which it once heard.
#[tokio::test]
async fn d38_a_certificate_of_a_clock_that_was_ahead_is_replaced() {
    let mut world = World::new().await;
    let ahead = NOW + 4000 * DAY;
    world.keeper.look(ahead).await;
    assert_eq!(world.shown().endorsed.not_before(), ahead);
    let now = NOW + DAY;
    world.keeper.look(now).await;
    assert_eq!((world.shown().endorsed.not_before(), world.ledger_has()), (now, world.shown().endorsed.clone()));
    world.keeper.look(now + DAY).await;
    assert_eq!(world.ledger_has().not_before(), now, "and stays");
}

#[tokio::test]
async fn d38_a_node_that_was_removed_renews_nothing() {
    let mut world = World::new().await;
    let id = world.keeper.node.node_id.clone();
    world.write(|tx| tx.put(tables::NODES_INFO, id, r#"{"status":"Retired"}"#)).await;
    let before = world.ledger_has();
    world.keeper.look(NOW + 400 * DAY).await;
    assert_eq!(world.ledger_has(), before);
}

#[tokio::test]
async fn d38_a_service_resumes_past_the_end_of_its_certificates() {
    let world = World::new().await;
    assert_eq!(world.shown().warnings(NOW), Vec::<String>::new());
    let service = world.shown().service.clone();
    let now = NOW + 500 * DAY;
    assert!(service.not_after() < now);
    let world = world.again(now).await;
    assert_eq!(world.shown().service, service);
    assert_eq!((world.shown().endorsed.not_before(), world.ledger_has()), (now, world.shown().endorsed.clone()));
    let warnings = world.shown().warnings(now);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("the certificate of the service has ended on 2026-06-15: "), "{warnings:?}");
    assert!(warnings[0].contains("set_service_certificate_validity"), "{warnings:?}");
}

#[tokio::test]
async fn d38_an_end_is_announced_in_time() {
    let world = World::new().await;
    let (shown, day) = (world.shown(), |days: i64| NOW + days * DAY);
    let named = |now: i64| -> Vec<bool> { shown.warnings(now).iter().map(|one| one.contains("this node")).collect() };
    assert_eq!(named(day(59)), Vec::<bool>::new());
    assert_eq!(named(day(61)), [true]);
    assert_eq!(named(day(336)), [false, true]);
    assert!(shown.warnings(day(61))[0].contains("in 28 days"), "{:?}", shown.warnings(day(61)));
    assert!(shown.warnings(day(90) - 7200)[0].contains("within a day"));
}
