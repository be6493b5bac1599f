//! Ballots of all kinds that a member may think of.

/// A ballot that agrees.
pub const YES: &str = "export function vote() { return true }";

/// All ballots, as modules.
pub fn all() -> Vec<String> {
    let kinds = KINDS.iter().map(|(_, text)| module(text));
    kinds.chain(LIMITED.iter().map(|&text| text.to_owned())).collect()
}

/// Ballots by kind: what `vote` does, or the whole module where it begins with `export` or `import`.
const KINDS: [(&str, &str); 34] = [
    ("yes", "return true"),
    ("no", "return false"),
    ("nothing", ""),
    ("zero", "return 0"),
    ("minus zero", "return -0"),
    ("not a number", "return NaN"),
    ("infinite", "return Infinity"),
    ("a word", "return 'no'"),
    ("an empty word", "return new String('')"),
    ("an object", "return {}"),
    ("an empty list", "return []"),
    ("half a character", "return '\\ud800'"),
    ("a large number", "return 1n"),
    ("a promise", "return Promise.resolve(false)"),
    ("the number of actions", "return JSON.parse(proposal).actions.length === 1"),
    ("the length of the text", "return proposal.length % 2 === 0"),
    ("who proposed", "return proposerId < 'a'"),
    ("an even second", "return Date.now() % 2000 === 0"),
    ("the weekday", "return new Date().getUTCDay() + new Date().getHours() > 12"),
    (
        "the time as text",
        "return ccf.strToBuf(new Date().toString()).byteLength % 2 === Number(`${Date()}`.length > 30)",
    ),
    ("chance", "return Math.random() < 0.7"),
    ("several chances", "let n = 0; for (let i = 0; i < 9; i++) n += Math.random(); return n > 4"),
    ("the members", "return ccf.kv['public:ccf.gov.members.info'].size > 3"),
    (
        "the order of a table",
        "let text = ''; ccf.kv['public:ccf.gov.members.info'].forEach((value, key) => { text += ccf.bufToStr(key); }); \
         const digest = new Uint8Array(ccf.crypto.digest('SHA-256', ccf.strToBuf(text))); return digest[0] < 200",
    ),
    (
        "a version",
        "return ccf.kv['public:ccf.gov.constitution'].getVersionOfPreviousWrite(new ArrayBuffer(8)) % 2 === 0",
    ),
    ("an error", "throw new Error(`boom ${proposerId}`)"),
    ("a thrown text", "throw 'just ' + 'text'"),
    ("a fault", "return proposal.nothing.there"),
    ("no function", "return proposal()"),
    ("a write", "ccf.kv['public:ccf.gov.members.info'].clear()"),
    ("a private table", "return ccf.kv['secrets'].has(new ArrayBuffer(1))"),
    ("a reserved name", "return ccf.kv['ccf.gov.x']"),
    ("a deep recursion", "const deeper = () => deeper() + 1; return deeper()"),
    (
        "a vote that is not always there",
        "export const vote = Math.random() < 0.5 || Date.now() % 3000 === 0 ? () => true : undefined",
    ),
];

/// Ballots that hit a limit: they take half a second and more each.
const LIMITED: [&str; 3] = [
    "export function vote() { for (;;) {} }",
    "export function vote() { const all = []; for (;;) all.push(new ArrayBuffer(1 << 22)) }",
    "for (;;) {} export function vote() {}",
];

fn module(text: &str) -> String {
    match text.starts_with("export") {
        true => text.to_owned(),
        false => format!("export function vote(proposal, proposerId) {{ {text} }}"),
    }
}
