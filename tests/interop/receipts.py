#!/usr/bin/env python3
"""Verifies receipts (V.S.json in a folder) with CCF's Python package, against a service certificate."""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import ccf.receipt
from cryptography.x509 import load_pem_x509_certificate


def root_of(receipt):
    """The Merkle root that the receipt leads to."""
    if "leaf" in receipt:
        return ccf.receipt.root(receipt["leaf"], receipt["proof"])
    parts = receipt["leaf_components"]
    evidence = hashlib.sha256(parts["commit_evidence"].encode()).digest()
    whole = bytes.fromhex(parts["write_set_digest"]) + evidence + bytes.fromhex(parts["claims_digest"])
    return ccf.receipt.root(hashlib.sha256(whole).hexdigest(), receipt["proof"])


def verify(receipt, service):
    node = load_pem_x509_certificate(receipt["cert"].encode())
    endorsements = [load_pem_x509_certificate(pem.encode()) for pem in receipt.get("service_endorsements", [])]
    ccf.receipt.verify(root_of(receipt), receipt["signature"], node)
    ccf.receipt.check_endorsements(node, service, endorsements)


def refuses_what_was_changed(receipt, service):
    """The check is worth something only if it can fail."""
    changed = json.loads(json.dumps(receipt))
    if "leaf" in changed:
        return True
    claims = bytearray.fromhex(changed["leaf_components"]["claims_digest"])
    claims[0] ^= 1
    changed["leaf_components"]["claims_digest"] = claims.hex()
    try:
        verify(changed, service)
    except Exception:  # the package raises what the cryptography below it raises
        return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("receipts", metavar="DIR")
    parser.add_argument("--service-cert", metavar="PEM", required=True)
    args = parser.parse_args()
    service = load_pem_x509_certificate(Path(args.service_cert).read_bytes())
    files = sorted(Path(args.receipts).glob("*.json"))
    if not files:
        sys.exit(f"no receipts in {args.receipts}")
    for path in files:
        receipt = json.loads(path.read_text())
        try:
            verify(receipt, service)
        except Exception as error:  # as above
            sys.exit(f"{path.name} does not verify: {type(error).__name__} {error}")
        if not refuses_what_was_changed(receipt, service):
            sys.exit(f"{path.name}: a changed receipt verifies too")
    print(f"{len(files)} receipts verify")


if __name__ == "__main__":
    main()
