#!/usr/bin/env python3
"""Reads a ledger with CCF's Python package, verifies every signature, and expects it to be verified to its end.

With --secret-chain, CCF's check of the chain of ledger secrets runs too. With --receipts DIR, each receipt in it
(V.S.json) must fit the entry of that transaction. With --deprecated, entries of the types of old services are accepted.
With --snapshot FILE, a snapshot and its receipt are verified too.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import ccf.ledger
import ccf.verify_ledger_secrets_chain
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate


def transactions(directory):
    """All of them, those of the chunk that is still open included."""
    for chunk in ccf.ledger.Ledger([str(directory)], committed_only=False):
        yield from chunk


def verify(directory, deprecated):
    """The last verified and the last sequence number, and the number of signatures."""
    validator = ccf.ledger.LedgerValidator(accept_deprecated_entry_types=deprecated)
    last = 0
    for transaction in transactions(directory):
        validator.add_transaction(transaction)
        number = transaction.get_public_domain().get_seqno()
        if number != last + 1 or number != transaction.gcm_header.seqno:
            sys.exit(f"seqno {number} (IV {transaction.gcm_header.seqno}) follows {last}")
        last = number
    return validator.last_verified_seqno, last, validator.signature_count


def check_receipts(directory, receipts):
    """The write set digest of a receipt is the digest of the entry, its claims digest the entry's."""
    wanted = {path.stem: json.loads(path.read_text()) for path in sorted(Path(receipts).glob("*.json"))}
    for transaction in transactions(directory):
        receipt = wanted.pop(transaction.get_txid(), None)
        if receipt is None:
            continue
        components = receipt["leaf_components"]
        digest = transaction.get_write_set_digest().hex()
        if components["write_set_digest"] != digest:
            sys.exit(f"{transaction.get_txid()}: the receipt is for {components['write_set_digest']}, not {digest}")
        evidence = hashlib.sha256(components["commit_evidence"].encode()).digest()
        public = transaction.get_public_domain()
        if evidence != public.get_commit_evidence_digest():
            sys.exit(f"{transaction.get_txid()}: the commit evidence of the receipt is not the entry's")
        if bytes.fromhex(components["claims_digest"]) != public.get_claims_digest():
            sys.exit(f"{transaction.get_txid()}: the claims digest of the receipt is not the entry's")
    if wanted:
        sys.exit(f"not in the ledger: {', '.join(wanted)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("ledger", metavar="DIR")
    parser.add_argument("--secret-chain", action="store_true")
    parser.add_argument("--deprecated", action="store_true")
    parser.add_argument("--receipts", metavar="DIR")
    parser.add_argument("--snapshot", metavar="FILE")
    parser.add_argument("--service-cert", metavar="PEM", help="the certificate that the ledger must name in the end")
    args = parser.parse_args()
    verified, last, signatures = verify(args.ledger, args.deprecated)
    print(f"{last} transactions, {signatures} signatures, verified until {verified}")
    if verified != last or last == 0:
        sys.exit(f"verified until {verified} of {last}: the ledger must end with a signature")
    if args.secret_chain and not ccf.verify_ledger_secrets_chain.run([args.ledger], uncommitted=True):
        sys.exit("the chain of ledger secrets is broken")
    if args.snapshot:
        # Reading its public tables parses the body; the receipt is verified before that.
        ccf.ledger.Snapshot(args.snapshot).get_public_domain().get_tables()
    if args.receipts:
        check_receipts(args.ledger, args.receipts)
    if args.service_cert:
        check_service(args.ledger, Path(args.service_cert).read_bytes())


def check_service(directory, pem):
    """The last certificate in the table of the service is the one that clients trust."""
    named = None
    for transaction in transactions(directory):
        for value in transaction.get_public_domain().get_tables().get(ccf.ledger.SERVICE_INFO_TABLE_NAME, {}).values():
            named = json.loads(value)["cert"]
    der = [load_pem_x509_certificate(text).public_bytes(Encoding.DER) for text in (named.encode(), pem)]
    if der[0] != der[1]:
        sys.exit("the ledger names another service certificate than the one that clients trust")


if __name__ == "__main__":
    main()
