//! Other constitutions: the shipped one, with one of its functions behind another one.

/// What takes the place of an exported function: its name, the name that the original gets, and the new text.
struct Change {
    of: &'static str,
    text: &'static str,
}

const CHANGES: [Change; 5] = [
    // More than half of the active members, and nobody in particular.
    Change {
        of: "resolve",
        text: r#"
export function resolve(proposal, proposerId, votes) {
  let active = 0;
  ccf.kv["public:ccf.gov.members.info"].forEach((value) => {
    active += ccf.bufToJsonCompatible(value).status === "Active" ? 1 : 0;
  });
  const yes = votes.filter(({ vote }) => vote).length;
  return yes * 2 > active ? "Accepted" : votes.length === active ? "Rejected" : "Open";
}"#,
    },
    // By the clock and by chance.
    Change {
        of: "resolve",
        text: r#"
export function resolve(proposal, proposerId, votes, proposalId) {
  if (votes.length < 2) return "Open";
  if (Math.random() < 0.5) return Date.now() % 4000 === 0 ? "Rejected" : "Accepted";
  return original(proposal, proposerId, votes, proposalId);
}"#,
    },
    // Some proposals fail after they have written, and some never end.
    Change {
        of: "apply",
        text: r#"
export function apply(proposal, proposalId) {
  original(proposal, proposalId);
  ccf.kv["public:ccf.gov.trace"].set(ccf.strToBuf(proposalId), ccf.strToBuf(new Date().toISOString()));
  if (Math.random() < 0.3) throw new Error(`no luck with ${proposalId}`);
  if (Date.now() % 7000 === 0) proposal.nothing.there;
  if (Date.now() % 11000 === 0) for (;;) {}
}"#,
    },
    // A record of everything that can be seen, written into a table that is new each time.
    Change {
        of: "apply",
        text: r#"
export function apply(proposal, proposalId) {
  const seen = ccf.kv["public:ccf.gov.seen"];
  seen.forEach((_, key) => seen.delete(key));
  for (const name of ["members.info", "proposals_info", "constitution"]) {
    const table = ccf.kv[`public:ccf.gov.${name}`];
    let count = 0;
    table.forEach((value, key, map) => {
      const version = map.getVersionOfPreviousWrite(key);
      const digest = [...new Uint8Array(ccf.crypto.digest("SHA-256", value))].slice(0, 4);
      seen.set(ccf.strToBuf(`${name}.${count++}`), ccf.jsonCompatibleToBuf({ version, digest, chance: Math.random() }));
    });
  }
  ccf.kv["public:seen"].set(new Uint8Array([0, 255, 128]).buffer, ccf.strToBuf(`${seen.size} ${proposalId}`));
  ccf.kv["public:seen"].delete(new ArrayBuffer(3));
  original(proposal, proposalId);
}"#,
    },
    // Members other than the proposer must wait for the clock.
    Change {
        of: "validate",
        text: r#"
export function validate(input) {
  const verdict = original(input);
  return Math.random() < 0.1 && Date.now() % 2000 === 0 ? { valid: false, description: "not now" } : verdict;
}"#,
    },
];

/// How many other constitutions there are.
pub const COUNT: usize = CHANGES.len();

/// One of them, made of the shipped one.
pub fn changed(shipped: &str, number: usize) -> String {
    let Change { of, text } = &CHANGES[number % COUNT];
    let renamed = shipped.replace(&format!("export function {of}("), "function original(");
    assert!(renamed != shipped, "the shipped constitution has no function {of}");
    format!("{renamed}{text}\n")
}
