// Which texts of exceptions say the same.
//
// A text that a script or a host function made must be equal. A text that the engine made is worded differently by V8
// (here) and by QuickJS (in the service): these pairs say the same, and no others do. Traces are not compared at all.

const SAME = [
  [/^TypeError: Cannot read properties of (\w+) \(reading '(.*)'\)$/, "TypeError: cannot read property '$2' of $1"],
  [/^TypeError: Cannot set properties of (\w+) \(setting '(.*)'\)$/, "TypeError: cannot set property '$2' of $1"],
  [/^TypeError: .* is not a function$/s, "TypeError: not a function"],
  [/^TypeError: .* is not a constructor$/s, "TypeError: not a constructor"],
  [/^TypeError: (undefined|null) is not iterable.*$/s, "TypeError: cannot read property 'Symbol.iterator' of $1"],
  [/^TypeError: .* is not iterable.*$/s, "TypeError: value is not iterable"],
  [/^TypeError: Assignment to constant variable\.$/, /^TypeError: '.*' is read-only$/],
  [/^TypeError: Cannot assign to read only property '(.*)' of object .*$/s, "TypeError: '$1' is read-only"],
  [/^TypeError: Cannot add property .*, object is not extensible$/s, "TypeError: object is not extensible"],
  [/^TypeError: Cannot destructure .*$/s, "TypeError: Cannot convert undefined or null to object"],
  [/^TypeError: Do not know how to serialize a BigInt$/, "TypeError: BigInt are forbidden in JSON.stringify"],
  [/^TypeError: Converting circular structure to JSON.*$/s, "TypeError: circular reference"],
  [/^TypeError: Cannot mix BigInt and other types.*$/, "TypeError: cannot convert BigInt to number"],
  [/^ReferenceError: Cannot access '(.*)' before initialization$/, "ReferenceError: $1 is not initialized"],
  [/^RangeError: Invalid array length$/, "RangeError: invalid array length"],
  [/^RangeError: Invalid time value$/, "RangeError: Date value is NaN"],
  [/^RangeError: Maximum call stack size exceeded$/, "InternalError: stack overflow"],
  [/^SyntaxError: .*$/s, /^SyntaxError: .*$/s],
];

// Behind these words the service explains in the words of the libraries that it is made of.
const OWN_WORDS = new RegExp(
  [
    " does not hold what it must: ",
    "^TypeError: \\w+ returned an unusable value: ",
    "^TypeError: the JWK set is not usable: ",
    " cannot be set: ",
    "Failed to make a certificate: ",
    "Failed to convert (?:pem to jwk|jwk to pem): ",
    "Failed to verify signature: ",
    "encryption key of member m\\[[0-9a-f]*\\]: ",
  ].join("|"),
);

// How the service records that a limit of time or memory ended a script.
const LIMITS = [
  /^Operation took too long to complete\.$/,
  /^InternalError: out of memory$/,
  /^the script ended its interpreter: /,
];

const APPLY_FAILED = "Failed to apply(): ";

// Whether `recorded` says what was `found` when the script ran again.
export function saysTheSame(recorded, found) {
  if (recorded === found) {
    return true;
  }
  if (typeof recorded !== "string" || typeof found !== "string") {
    return false;
  }
  if (recorded.startsWith(APPLY_FAILED) && found.startsWith(APPLY_FAILED)) {
    return saysTheSame(recorded.slice(APPLY_FAILED.length), found.slice(APPLY_FAILED.length));
  }
  const own = OWN_WORDS.exec(found);
  if (own !== null && recorded.startsWith(found.slice(0, own.index + own[0].length))) {
    return true;
  }
  return SAME.some(([here, there]) => {
    if (!here.test(found)) {
      return false;
    }
    return typeof there === "string" ? found.replace(here, there) === recorded : there.test(recorded);
  });
}

// Whether a recorded reason is a limit.
export function isLimit(reason) {
  const text = String(reason);
  const bare = text.startsWith(APPLY_FAILED) ? text.slice(APPLY_FAILED.length) : text;
  return LIMITS.some((limit) => limit.test(bare));
}
