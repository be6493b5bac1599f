// The tables that this program knows by name.

export const CONSTITUTION = "public:ccf.gov.constitution";
export const COSE_HISTORY = "public:ccf.gov.cose_history";
export const RECENT_PROPOSALS = "public:ccf.gov.cose_recent_proposals";
export const MEMBERS_ACKS = "public:ccf.gov.members.acks";
export const MEMBERS_CERTS = "public:ccf.gov.members.certs";
export const MEMBERS_INFO = "public:ccf.gov.members.info";
export const MEMBERS_KEYS = "public:ccf.gov.members.encryption_public_keys";
export const NODES_CERTIFICATES = "public:ccf.gov.nodes.endorsed_certificates";
export const NODES_INFO = "public:ccf.gov.nodes.info";
export const PROPOSALS = "public:ccf.gov.proposals";
export const PROPOSALS_INFO = "public:ccf.gov.proposals_info";
export const SERVICE_CONFIG = "public:ccf.gov.service.config";
export const SERVICE_INFO = "public:ccf.gov.service.info";

// Written by the service only.
export const ENDORSEMENT = "public:ccf.internal.previous_service_identity_endorsement";
export const NODE_SECRETS = "public:ccf.internal.encrypted_ledger_secrets";
export const OPEN_PROPOSALS = "public:ccf.internal.cgs_open_proposals";
export const RECENT_PROPOSERS = "public:ccf.internal.cgs_recent_proposers";
export const RECOVERY_SHARES = "public:ccf.internal.recovery_shares";
export const SECRETS = "public:ccf.internal.historical_encrypted_ledger_secret";
export const SIGNATURES = "public:ccf.internal.signatures";
