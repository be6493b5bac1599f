//! Issuers of tokens: whom the members trust, whose keys the service fetches, and whose tokens let somebody in.

mod idp;

use std::time::{Duration, Instant};

use idp::{Idp, Key, Manner};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use suites::{API_VERSION, Api, Consortium, KeyFolder, Node, Result, Settings, action, scratch};

/// Longer than any fetch takes.
const SOON: Duration = Duration::from_secs(20);
const TENANT: &str = "t1";

struct World {
    node: Node,
    consortium: Consortium,
    api: Api,
    idp: Idp,
}

impl World {
    /// An open service that asks issuers for their keys this often.
    async fn start(name: &str, interval: &str) -> Result<Self> {
        let directory = scratch(name)?;
        let keys = KeyFolder::generate(&directory.join("keys"))?;
        let consortium = Consortium::of(&keys)?;
        let settings = Settings { jwt_key_refresh_interval: Some(interval.to_owned()), ..Settings::on_free_port()? };
        let mut node = Node::prepare(&directory.join("node"), keys.path(), settings)?;
        node.start().await?;
        consortium.bring_to_life(&node).await?;
        let api = node.api(None)?;
        Ok(Self { node, consortium, api, idp: Idp::start().await? })
    }

    async fn pass(&self, actions: &[Value]) -> Result<()> {
        self.consortium.pass(&self.api, actions).await.map(|_| ())
    }

    /// The members trust the issuer, known by these certificates.
    async fn trust(&self, authority: &str) -> Result<()> {
        let bundle = json!({"name": "idp", "cert_bundle": authority});
        let issuer = json!({"issuer": self.idp.issuer, "auto_refresh": true, "ca_cert_bundle_name": "idp"});
        self.pass(&[action("set_ca_cert_bundle", &bundle), action("set_jwt_issuer", &issuer)]).await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.api.get(path).await?.expect_status(200)?.json()
    }

    /// How often keys were fetched, and how often that failed.
    async fn counts(&self) -> Result<(u64, u64)> {
        let counts = self.get("/node/jwt_keys/refresh/metrics").await?;
        let number = |name: &str| counts[name].as_u64().ok_or_else(|| format!("{name} in {counts}"));
        assert_eq!(number("attempts")?, number("successes")? + number("failures")?);
        Ok((number("successes")?, number("failures")?))
    }

    /// Waits until the counts are such.
    async fn wait_for_counts(&self, what: &str, enough: impl Fn((u64, u64)) -> bool) -> Result<(u64, u64)> {
        let asked = Instant::now();
        loop {
            let counts = self.counts().await?;
            if enough(counts) {
                return Ok(counts);
            }
            if asked.elapsed() > SOON {
                return Err(format!("{what}: still {counts:?} after {SOON:?}:\n{}", self.node.log_end()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until somebody has asked the issuer once more from now on, and was content.
    async fn wait_for_refresh(&self) -> Result<()> {
        let (before, _) = self.counts().await?;
        // One may be on its way already.
        self.wait_for_counts("a refresh", |(successes, _)| successes >= before + 2).await.map(|_| ())
    }

    /// The ids of all keys.
    async fn key_ids(&self) -> Result<Vec<String>> {
        let shown = self.get(&format!("/gov/service/jwk?{API_VERSION}")).await?;
        Ok(shown["keys"].as_object().ok_or("keys")?.keys().cloned().collect())
    }

    /// Reads contracts with a token.
    async fn ask(&self, token: &str) -> Result<Told> {
        let trusted = Certificate::from_pem(&std::fs::read(self.node.service_certificate())?)?;
        let client = Client::builder().tls_certs_only([trusted]).build()?;
        let request = client.get(format!("{}/app/contracts", self.node.url())).bearer_auth(token);
        let response = request.send().await?;
        let challenge = response.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
        let challenge = challenge.map(str::to_owned);
        Ok(Told {
            status: response.status().as_u16(),
            challenge,
            body: serde_json::from_slice(&response.bytes().await?)?,
        })
    }

    /// Why a token is refused.
    async fn refusal(&self, token: &str) -> Result<String> {
        let told = self.ask(token).await?;
        assert_eq!(told.status, 401, "{}", told.body);
        Ok(told.body["error"]["details"][2]["message"].as_str().unwrap_or_default().to_owned())
    }
}

struct Told {
    status: u16,
    challenge: Option<String>,
    body: Value,
}

fn claims() -> Value {
    json!({"oid": "o1", "tid": TENANT})
}

#[tokio::test]
async fn tokens_of_fetched_keys_are_believed_and_answered_as_recorded() -> Result<()> {
    let world = World::start("jwt-tokens", "1h").await?;
    let (key, stranger) = (Key::rsa()?, Key::rsa()?);
    let issuer = world.idp.issuer.clone();
    let token = key.token("one", &issuer, &claims())?;
    assert_eq!(world.refusal(&token).await?, "JWT signing key not found for kid one");
    world.idp.publish("one", &key);
    world.trust(&world.idp.authority).await?;
    world.wait_for_counts("the issuer was voted", |counts| counts == (1, 0)).await?;
    let shown = world.get(&format!("/gov/service/jwk?{API_VERSION}")).await?;
    assert_eq!(shown["issuers"][&issuer], json!({"autoRefresh": true, "caCertBundleName": "idp"}));
    assert_eq!(shown["caCertBundles"]["idp"], world.idp.authority.as_str());
    assert_eq!(shown["keys"]["one"][0]["issuer"], issuer.as_str());
    assert_eq!(shown["keys"]["one"][0]["discoveredIssuer"], issuer.as_str());

    let unknown = world.ask(&token).await?;
    let text = "User o1 is not authorized to invoke this endpoint.";
    assert_eq!(unknown.body, json!({"error": {"code": "CallerNotAuthorized", "message": text}}));
    assert_eq!(unknown.status, 403);
    let identity = json!({"id": "o1", "accountType": "microsoft", "data": {"tenantId": TENANT}});
    world.pass(&[action("set_user_identity", &identity)]).await?;
    assert_eq!(world.ask(&token).await?.status, 200);

    let told = world.ask(&stranger.token("one", &issuer, &claims())?).await?;
    let detail = |policy: &str, message: &str| json!({"auth_policy": policy, "code": "InvalidAuthenticationInfo", "message": message});
    let expected = json!({"error": {
        "code": "InvalidAuthenticationInfo",
        "details": [
            detail("member_cert", "No caller member certificate"),
            detail("user_cert", "No caller user certificate"),
            detail("jwt", "Signature verification failed"),
        ],
        "message": "Invalid authentication credentials.",
    }});
    assert_eq!((told.status, told.body), (401, expected));
    assert_eq!(told.challenge.as_deref(), Some("Bearer realm=\"JWT bearer token access\", error=\"invalid_token\""));
    let expired = world.refusal(&key.token("one", &issuer, &json!({"exp": 1}))?).await?;
    assert!(expired.ends_with("is after token's Expiration Time (exp) claim 1"), "{expired}");
    let other = world.refusal(&key.token("one", "https://localhost/other", &claims())?).await?;
    assert_eq!(other, format!("Kid one failed issuer constraint validation {issuer}"));
    Ok(())
}

#[tokio::test]
async fn rotation_replaces_keys_and_removal_ends_the_fetching() -> Result<()> {
    let world = World::start("jwt-rotation", "1s").await?;
    let (one, two) = (Key::rsa()?, Key::ec()?);
    let issuer = world.idp.issuer.clone();
    world.idp.publish("one", &one);
    world.trust(&world.idp.authority).await?;
    world.wait_for_refresh().await?;
    assert_eq!(world.key_ids().await?, ["one"]);

    let before = world.get("/node/commit").await?;
    world.wait_for_refresh().await?;
    assert_eq!(world.get("/node/commit").await?, before, "keys that are the same are not written again");

    world.idp.publish("two", &two);
    world.wait_for_refresh().await?;
    assert_eq!(world.key_ids().await?, ["two"]);
    let old = world.refusal(&one.token("one", &issuer, &claims())?).await?;
    assert_eq!(old, "JWT signing key not found for kid one");
    assert_eq!(world.ask(&two.token("two", &issuer, &claims())?).await?.status, 403);

    world.pass(&[action("remove_jwt_issuer", &json!({"issuer": issuer}))]).await?;
    assert_eq!(world.key_ids().await?, [""; 0]);
    let gone = world.refusal(&two.token("two", &issuer, &claims())?).await?;
    assert_eq!(gone, "JWT signing key not found for kid two");
    // One may have been on its way; then there are no more.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (asked, counts) = (world.idp.requests(), world.counts().await?);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!((world.idp.requests(), world.counts().await?), (asked, counts));
    assert_eq!(world.key_ids().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_misbehaves_keeps_the_keys_that_it_had() -> Result<()> {
    let world = World::start("jwt-failures", "1s").await?;
    let (one, two) = (Key::ec()?, Key::ec()?);
    world.idp.publish("one", &one);
    world.trust(&world.idp.authority).await?;
    world.wait_for_refresh().await?;
    let token = one.token("one", &world.idp.issuer, &claims())?;
    for (manner, reason) in [
        (Manner::Redirects, "answered 307 Temporary Redirect; redirects are not followed"),
        (Manner::PlainKeys, "jwks_uri of the discovery document is not an https URL"),
        (Manner::OtherIssuer, "the discovery document is about another issuer"),
        (Manner::Huge, "the answer has more than 1048576 bytes"),
        (Manner::NoJson, "the answer is not JSON"),
        (Manner::NoKeys, "jwks.keys has no key that tokens are signed with"),
        (Manner::Slow, "no complete answer within 5s"),
    ] {
        // The next attempt is about a second away: the last one has just ended.
        world.idp.publish("two", &two);
        world.idp.behave(manner);
        let (_, before) = world.counts().await?;
        world.wait_for_counts(reason, |(_, failures)| failures > before).await?;
        assert_eq!(world.key_ids().await?, ["one"], "{manner:?}");
        assert_eq!(world.ask(&token).await?.status, 403, "{manner:?}");
        assert!(world.node.log_end().contains(reason), "{manner:?}: {}", world.node.log_end());
    }
    world.idp.behave(Manner::Good);
    world.wait_for_refresh().await?;
    assert_eq!(world.key_ids().await?, ["two"]);
    Ok(())
}

#[tokio::test]
async fn d32_nobody_but_the_voted_authority_vouches_for_an_issuer() -> Result<()> {
    let world = World::start("jwt-authority", "1h").await?;
    world.idp.publish("one", &Key::ec()?);
    let other = Idp::start().await?;
    world.trust(&other.authority).await?;
    let (successes, _) = world.wait_for_counts("the wrong authority", |(_, failures)| failures >= 1).await?;
    assert_eq!((successes, world.idp.requests(), world.key_ids().await?), (0, 0, Vec::new()));
    assert!(world.node.log_end().contains("invalid peer certificate"), "{}", world.node.log_end());

    let bundle = json!({"name": "idp", "cert_bundle": world.idp.authority});
    world.pass(&[action("set_ca_cert_bundle", &bundle)]).await?;
    world.wait_for_counts("the right authority", |(successes, _)| successes == 1).await?;
    assert_eq!(world.key_ids().await?, ["one"]);

    let (_, before) = world.counts().await?;
    world.pass(&[action("remove_ca_cert_bundle", &json!({"name": "idp"}))]).await?;
    world.wait_for_counts("no authority", |(_, failures)| failures > before).await?;
    assert!(world.node.log_end().contains("which does not exist"), "{}", world.node.log_end());
    assert_eq!(world.key_ids().await?, ["one"]);
    Ok(())
}
