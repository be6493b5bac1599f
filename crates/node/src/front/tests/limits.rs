//! What is too large, too deep, said twice or no text is refused by name, and changes nothing.

use std::time::Instant;

use consortium::envelope::MAX_NESTING;
use coset::cbor::{Value as Cbor, ser::into_writer};

use super::{foresight::ID, *};

const CREATE: &str = "/gov/members/proposals:create?api-version=2024-07-01";
const TYPE: &str = "ccf.gov.msg.type";
const CREATED_AT: &str = "ccf.gov.msg.created_at";
const PROPOSAL_ID: &str = "ccf.gov.msg.proposal_id";

fn encode(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).unwrap();
    bytes
}

fn text(name: &str, value: impl Into<Cbor>) -> (Cbor, Cbor) {
    (name.into(), value.into())
}

impl World {
    /// What the headers of a request of the member are made of.
    fn header(&self, kind: &str) -> Vec<(Cbor, Cbor)> {
        let kid = Cbor::Bytes(self.member.id().into_bytes());
        let mut header = vec![(1.into(), (-35).into()), (4.into(), kid), text(TYPE, kind), text(CREATED_AT, now())];
        if kind == "ballot" || kind == "withdrawal" {
            header.push(text(PROPOSAL_ID, ID));
        }
        header
    }

    /// A message with these headers that the member has signed.
    fn sign(&self, protected: &[u8], unprotected: Vec<(Cbor, Cbor)>, payload: &[u8]) -> Vec<u8> {
        let (protected, payload) = (Cbor::Bytes(protected.to_vec()), Cbor::Bytes(payload.to_vec()));
        let covered = Cbor::Array(vec!["Signature1".into(), protected.clone(), Cbor::Bytes(vec![]), payload.clone()]);
        let signature = Cbor::Bytes(self.member_key.sign(&encode(&covered)).unwrap());
        let parts = vec![protected, Cbor::Map(unprotected), payload, signature];
        encode(&Cbor::Tag(18, Box::new(Cbor::Array(parts))))
    }

    fn signed(&self, kind: &str, payload: impl AsRef<[u8]>) -> Vec<u8> {
        self.sign(&encode(&Cbor::Map(self.header(kind))), Vec::new(), payload.as_ref())
    }

    /// A proposal with one more header.
    fn with(&self, label: impl Into<Cbor>, value: impl Into<Cbor>) -> Vec<u8> {
        let mut header = self.header("proposal");
        header.push((label.into(), value.into()));
        self.sign(&encode(&Cbor::Map(header)), Vec::new(), b"{}")
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Told {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/cose"));
        self.send("POST", path, headers, body, false).await
    }

    fn of_member(&self, what: &str) -> String {
        format!("/gov/members/{what}?api-version=2024-07-01").replace("MEMBER", &self.member.id())
    }

    fn seqno(&self) -> u64 {
        self.front.inside.service.committed().state.tx_id().seqno
    }

    /// Each request is refused in this way, quickly and briefly, and writes nothing.
    async fn refuses(&self, path: &str, cases: Vec<(Vec<u8>, &str)>) {
        let before = self.seqno();
        for (body, says) in cases {
            let (started, bytes) = (Instant::now(), body.len());
            let put = path.starts_with("/app");
            let told = if put {
                self.send("PUT", path, HeaderMap::new(), body, true).await
            } else {
                self.post(path, body).await
            };
            let shown = told.body.to_string();
            assert!((400..500).contains(&told.status), "{says}: {} {shown}", told.status);
            assert!(shown.replace("\\\"", "\"").contains(says), "{path}: {says:?} is not in {shown:.500}");
            assert!(shown.len() < 1000, "{says}: {bytes} bytes are answered with {}", shown.len());
            assert!(started.elapsed() < Duration::from_secs(1), "{says}: it took {:?}", started.elapsed());
        }
        assert_eq!(self.seqno(), before, "something was written");
    }
}

/// A service that is open, with one Active member and one Open proposal.
async fn working() -> World {
    let world = world().await;
    world.open().await;
    world.activate().await;
    foresight::propose(&world).await;
    world
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn envelopes_have_limits() {
    let world = working().await;
    let long = "x".repeat(9000);
    let deep = (0..=MAX_NESTING).fold(Cbor::Null, |inner, _| Cbor::Array(vec![inner]));
    let not_text = |mut header: Vec<u8>| {
        // The type: a text that is not UTF-8.
        let at = header.windows(8).position(|part| part == b"proposal").unwrap();
        header[at] = 0xff;
        world.sign(&header, Vec::new(), b"{}")
    };
    let plain = || encode(&Cbor::Map(world.header("proposal")));
    let mut raw_kid = world.header("proposal");
    raw_kid[1].1 = Cbor::Bytes(vec![0xff; 32]);
    let cases = vec![
        (world.with("x", long.as_str()), "the protected header has 9133 bytes; there may be 8192"),
        (
            world.sign(&plain(), vec![text("x", long.as_str())], b"{}"),
            "the unprotected header has 9006 bytes; there may be 8192",
        ),
        (encode(&Cbor::Tag(18, Box::new(vec![Cbor::Null; 500_000].into()))), "payload and signature"),
        (world.with("x", deep.clone()), "at most 16 lists and maps in each other"),
        (world.sign(&plain(), vec![text("x", deep)], b"{}"), "more than 16 lists, maps and tags are in each other"),
        (vec![0x81; 1 << 20], "not tagged"),
        ([vec![0xd2], vec![0x81; 1 << 20]].concat(), "more than 16 lists, maps and tags are in each other"),
        (vec![0xc1; 1 << 20], "not tagged"),
        (world.with(4, Cbor::Bytes(b"other".to_vec())), "label 4 is in the headers twice"),
        (world.with(TYPE, "ballot"), "label \"ccf.gov.msg.type\" is in the headers twice"),
        (world.sign(&plain(), vec![(1.into(), (-7).into())], b"{}"), "label 1 is in the headers twice"),
        (not_text(plain()), "are not a map with texts in UTF-8"),
        (world.sign(&encode(&Cbor::Map(raw_kid)), Vec::new(), b"{}"), "kid must be the id of a member, in UTF-8"),
    ];
    world.refuses(CREATE, cases).await;
}

#[tokio::test]
async fn what_members_sign_has_limits() {
    let world = working().await;
    let cases = vec![
        (vec![b' '; (2 << 20) + 1], "The signed proposal has 2097153 bytes; there may be 2097152"),
        (nested(200).into(), "recursion limit exceeded"),
        (br#"{"actions":[{"name":"a","args":{"id":1,"\u0069d":2}}]}"#.to_vec(), r#"duplicate member "id""#),
        (b"{\"actions\":\"\xff\"}".to_vec(), "The proposal is not UTF-8 text"),
        (br#"{"a":"\ud800"}"#.to_vec(), "it is not JSON that everybody can read"),
    ];
    let signed = |kind, cases: Vec<(Vec<u8>, &'static str)>| {
        cases.into_iter().map(|(payload, says)| (world.signed(kind, payload), says)).collect::<Vec<_>>()
    };
    world.refuses(CREATE, signed("proposal", cases)).await;
    let ballot = |text: &str| json!({ "ballot": text }).to_string().into_bytes();
    let cases = vec![
        (vec![b' '; (256 << 10) + 1], "The signed ballot has 262145 bytes; there may be 262144"),
        (ballot(&"x".repeat(40_000)), "The ballot has 40000 bytes, at most 32768 are allowed"),
        (nested(200).into(), "recursion limit exceeded"),
        (br#"{"ballot":"yes","ballot":"no"}"#.to_vec(), r#"duplicate member "ballot""#),
        (b"{\"ballot\":\"\xff\"}".to_vec(), "invalid unicode code point"),
    ];
    let path = world.of_member(&format!("proposals/{ID}/ballots/MEMBER:submit"));
    world.refuses(&path, signed("ballot", cases)).await;
    let large = vec![b' '; 4097];
    let cases = vec![(large.clone(), "The signed withdrawal has 4097 bytes; there may be 4096")];
    world.refuses(&world.of_member(&format!("proposals/{ID}:withdraw")), signed("withdrawal", cases)).await;
    let cases = vec![(large.clone(), "The signed state_digest has 4097 bytes; there may be 4096")];
    world.refuses(&world.of_member("state-digests/MEMBER:update"), signed("state_digest", cases)).await;
    let cases = vec![
        (large, "The signed ack has 4097 bytes; there may be 4096"),
        (nested(200).into(), "recursion limit exceeded"),
        (br#"{"stateDigest":"a","stateDigest":"b"}"#.to_vec(), r#"duplicate member "stateDigest""#),
        (b"{\"stateDigest\":\"\xff\"}".to_vec(), "invalid unicode code point"),
    ];
    world.refuses(&world.of_member("state-digests/MEMBER:ack"), signed("ack", cases)).await;
}

#[tokio::test]
async fn documents_and_queries_have_limits() {
    let world = working().await;
    let cases = vec![
        (nested(200).into_bytes(), "recursion limit exceeded"),
        (br#"{"data":1,"data":2}"#.to_vec(), r#"duplicate member "data""#),
        (b"{\"data\":\"\xff\"}".to_vec(), "invalid unicode code point"),
        (format!(r#"{{"{0}":1,"{0}":2}}"#, "x".repeat(500_000)).into_bytes(), "duplicate member \"xxx"),
    ];
    world.refuses("/app/contracts/c1", cases).await;
    // The last one counts, as in the reference; what is no text is replaced, and so is no version.
    let told = world.ask("GET", "/gov/service/info?api-version=nope&api-version=2024-07-01").await;
    assert_eq!(told.status, 200);
    let told = world.ask("GET", "/gov/service/info?api-version=2024-07-01%ff").await;
    assert_eq!((told.status, told.code()), (400, "UnsupportedApiVersionValue"));
}

#[tokio::test]
async fn others_are_held_as_long_as_members_let_scripts_run() {
    let world = working().await;
    let raise = |tx: &mut Tx| {
        tx.put(tables::JS_RUNTIME_OPTIONS, UNIT_KEY.to_vec(), r#"{"max_execution_time_ms":5000}"#);
        Ok(Output::empty())
    };
    world.front.inside.service.write(raise).await.unwrap();
    // Longer than a hold lasts with the usual time of scripts. Others write all the time, so it must be held.
    let proposal = world.signed("proposal", r#"{"takes":1700}"#);
    let proposing = world.post(CREATE, proposal);
    tokio::pin!(proposing);
    let told = loop {
        let other = |tx: &mut Tx| {
            tx.put("public:app.other", "k", "v");
            Ok(Output::empty())
        };
        tokio::select! {
            told = &mut proposing => break told,
            written = world.front.inside.service.write(other) => drop(written.unwrap()),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!((told.status, &told.body["proposalState"]), (200, &json!("Accepted")), "{}", told.body);
}
