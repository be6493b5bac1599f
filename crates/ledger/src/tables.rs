//! Names of the tables that CCF defines (keys and values: CCF documentation, "Key-Value Store", and its ledgers).
//!
//! A table of one value keeps it under [`kv::UNIT_KEY`].

/// The node's signature over the Merkle root; JSON, one value.
pub const SIGNATURES: &str = "public:ccf.internal.signatures";
/// The service's COSE signature over the Merkle root; JSON string of base64, one value.
pub const COSE_SIGNATURES: &str = "public:ccf.internal.cose_signatures";
/// The serialised Merkle tree since an earlier signature; raw, one value.
pub const TREE: &str = "public:ccf.internal.tree";
/// Digest and seqno of a snapshot; JSON, one value.
pub const SNAPSHOT_EVIDENCE: &str = "public:ccf.internal.snapshot_evidence";
/// Recovery shares and the ledger secret that they unwrap; JSON, one value.
pub const RECOVERY_SHARES: &str = "public:ccf.internal.recovery_shares";
/// Member id to the share that the member has submitted, under the ledger secret; JSON string of base64.
pub const ENCRYPTED_SUBMITTED_SHARES: &str = "public:ccf.internal.encrypted_submitted_shares";
/// The previous ledger secret under the current one; JSON, one value.
pub const HISTORICAL_ENCRYPTED_LEDGER_SECRET: &str = "public:ccf.internal.historical_encrypted_ledger_secret";
/// Node id to ledger secrets under that node's key; JSON, one value.
pub const ENCRYPTED_LEDGER_SECRETS: &str = "public:ccf.internal.encrypted_ledger_secrets";
/// The previous service identity endorsed by the current one; JSON, one value.
pub const PREVIOUS_SERVICE_IDENTITY_ENDORSEMENT: &str = "public:ccf.internal.previous_service_identity_endorsement";
/// The last Merkle root that the previous service signed; JSON string of hex, one value.
pub const PREVIOUS_SERVICE_LAST_SIGNED_ROOT: &str = "public:ccf.internal.previous_service_last_signed_root";
/// How the ledger secrets were recovered last; JSON string, one value.
pub const LAST_RECOVERY_TYPE: &str = "public:ccf.internal.last_recovery_type";

/// Member id to raw PEM certificate.
pub const MEMBERS_CERTS: &str = "public:ccf.gov.members.certs";
/// Member id to JSON status, data and recovery role.
pub const MEMBERS_INFO: &str = "public:ccf.gov.members.info";
/// Member id to raw PEM of the RSA key that recovery shares are encrypted to.
pub const MEMBERS_ENCRYPTION_PUBLIC_KEYS: &str = "public:ccf.gov.members.encryption_public_keys";
/// Member id to JSON: the state digest that the member has to sign, and the signed request.
pub const MEMBERS_ACKS: &str = "public:ccf.gov.members.acks";
/// User id to raw PEM certificate.
pub const USERS_CERTS: &str = "public:ccf.gov.users.certs";
/// User id to JSON data.
pub const USERS_INFO: &str = "public:ccf.gov.users.info";

/// Node id to JSON: addresses, public key, quote, status.
pub const NODES_INFO: &str = "public:ccf.gov.nodes.info";
/// Node id to raw PEM certificate issued by the service.
pub const NODES_ENDORSED_CERTIFICATES: &str = "public:ccf.gov.nodes.endorsed_certificates";
/// Code that SGX nodes may run (read in old ledgers only).
pub const NODES_CODE_IDS: &str = "public:ccf.gov.nodes.code_ids";
/// Launch measurements that SEV-SNP nodes may have.
pub const NODES_SNP_MEASUREMENTS: &str = "public:ccf.gov.nodes.snp.measurements";
/// Host data (security policy digests) that SEV-SNP nodes may have.
pub const NODES_SNP_HOST_DATA: &str = "public:ccf.gov.nodes.snp.host_data";
/// Issuers of utility-VM endorsements: DID to feed to minimum svn; JSON.
pub const NODES_SNP_UVM_ENDORSEMENTS: &str = "public:ccf.gov.nodes.snp.uvm_endorsements";
/// Minimum firmware versions by processor; JSON.
pub const NODES_SNP_TCB_VERSIONS: &str = "public:ccf.gov.nodes.snp.tcb_versions";
/// Measurements that nodes on the virtual platform may have.
pub const NODES_VIRTUAL_MEASUREMENTS: &str = "public:ccf.gov.nodes.virtual.measurements";
/// Host data that nodes on the virtual platform may have; a set.
pub const NODES_VIRTUAL_HOST_DATA: &str = "public:ccf.gov.nodes.virtual.host_data";

/// Proposal id to the raw text of the proposal.
pub const PROPOSALS: &str = "public:ccf.gov.proposals";
/// Proposal id to JSON: proposer, state, ballots, outcome.
pub const PROPOSALS_INFO: &str = "public:ccf.gov.proposals_info";
/// Member id to the member's last signed governance request; JSON string of base64.
pub const COSE_HISTORY: &str = "public:ccf.gov.cose_history";
/// Replay protection of proposals: creation time and digest to proposal id.
pub const COSE_RECENT_PROPOSALS: &str = "public:ccf.gov.cose_recent_proposals";
/// The constitution's JavaScript; JSON string, one value.
pub const CONSTITUTION: &str = "public:ccf.gov.constitution";

/// Module path to raw JavaScript.
pub const MODULES: &str = "public:ccf.gov.modules";
/// Module path to QuickJS bytecode.
pub const MODULES_QUICKJS_BYTECODE: &str = "public:ccf.gov.modules_quickjs_bytecode";
/// The QuickJS version of the bytecode; one value.
pub const MODULES_QUICKJS_VERSION: &str = "public:ccf.gov.modules_quickjs_version";
/// Makes interpreters start anew when it is written; one value.
pub const INTERPRETER_FLUSH: &str = "public:ccf.gov.interpreter.flush";
/// Limits of JavaScript; JSON, one value.
pub const JS_RUNTIME_OPTIONS: &str = "public:ccf.gov.js_runtime_options";
/// `VERB /path` to JSON endpoint metadata.
pub const ENDPOINTS: &str = "public:ccf.gov.endpoints";

/// Name to raw PEM bundle.
pub const TLS_CA_CERT_BUNDLES: &str = "public:ccf.gov.tls.ca_cert_bundles";
/// Issuer to JSON metadata of JWT issuers.
pub const JWT_ISSUERS: &str = "public:ccf.gov.jwt.issuers";
/// Key id to JSON list of public signing keys.
pub const JWT_PUBLIC_SIGNING_KEYS_METADATA: &str = "public:ccf.gov.jwt.public_signing_keys_metadata_v2";

/// Certificate and status of the service; JSON, one value.
pub const SERVICE_INFO: &str = "public:ccf.gov.service.info";
/// Recovery threshold, validity limits and other settings; JSON, one value.
pub const SERVICE_CONFIG: &str = "public:ccf.gov.service.config";
/// Certificate of the service before a recovery; JSON string of PEM, one value.
pub const SERVICE_PREVIOUS_SERVICE_IDENTITY: &str = "public:ccf.gov.service.previous_service_identity";
