// ---------------------------------------------------------------------------------------------------------------------
// Records
//
// How the tables of the consortium are read and written. A record is a JSON value under the identifier of its subject.
// All tables named here are public: everybody can read them in the ledger.
// ---------------------------------------------------------------------------------------------------------------------

// The key of tables that hold a single record.
const ONLY = new ArrayBuffer(8);

function tableOf(name) {
  return ccf.kv[`public:ccf.gov.${name}`];
}

function keyOf(id) {
  return id === ONLY ? ONLY : ccf.strToBuf(id);
}

function hasRecord(name, id) {
  return tableOf(name).has(keyOf(id));
}

// The record, or undefined.
function readRecord(name, id) {
  const bytes = tableOf(name).get(keyOf(id));
  return bytes === undefined ? undefined : ccf.bufToJsonCompatible(bytes);
}

function writeRecord(name, id, record) {
  tableOf(name).set(keyOf(id), ccf.jsonCompatibleToBuf(record));
}

// Certificates and keys are kept as they are, not as JSON.
function writeText(name, id, text) {
  tableOf(name).set(keyOf(id), ccf.strToBuf(text));
}

function removeRecord(name, id) {
  if (hasRecord(name, id)) {
    tableOf(name).delete(keyOf(id));
  }
}

// Visits each identifier with its record.
function forEachRecord(name, visit) {
  tableOf(name).forEach((bytes, key) => visit(ccf.bufToStr(key), ccf.bufToJsonCompatible(bytes)));
}

// Visits each proposal that is open, with its record. Resolved proposals stay in the ledger for good, so the service
// keeps a list of those that are open; what a proposal is, its record says.
function forEachOpenProposal(visit) {
  ccf.kv["public:ccf.internal.cgs_open_proposals"].forEach((_, key) => {
    const id = ccf.bufToStr(key);
    const proposal = readRecord("proposals_info", id);
    if (proposal?.state === OPEN) {
      visit(id, proposal);
    }
  });
}

// The state of the service: its certificate and whether it is Opening, Open or recovering.
function serviceInfo() {
  const info = readRecord("service.info", ONLY);
  check(info !== undefined, "Service information could not be found");
  return info;
}

function serviceConfiguration() {
  return readRecord("service.config", ONLY) ?? {};
}
