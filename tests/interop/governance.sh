#!/usr/bin/env bash
# Opens a service the way an operator with CCF's tools would: ccf_cose_sign1 signs, curl sends.
#
#   governance.sh URL SERVICE_CERT KEYS BIN
#
# KEYS holds memberN_cert.pem and memberN_privk.pem, BIN the programs of the Python package `ccf`.
set -euo pipefail

url=$1 ca=$2 keys=$3 bin=$4
api="api-version=2024-07-01"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# sign NUMBER TYPE CONTENT [PROPOSAL]: a COSE_Sign1 message on standard output.
sign() {
  local arguments=(
    --ccf-gov-msg-type "$2" --ccf-gov-msg-created-at "$(date -uIs)" --content "$3"
    --signing-cert "$keys/member$1_cert.pem" --signing-key "$keys/member$1_privk.pem"
  )
  [ $# -lt 4 ] || arguments+=(--ccf-gov-msg-proposal-id "$4")
  "$bin/ccf_cose_sign1" "${arguments[@]}"
}

# post PATH: sends what comes in, prints the answer; fails on any status but 2xx.
post() {
  curl --silent --show-error --fail-with-body --cacert "$ca" --data-binary @- \
    --header 'content-type: application/cose' "$url$1"
}

member_id() {
  openssl x509 -in "$keys/member$1_cert.pem" -outform der | openssl dgst -sha256 -r | cut -d' ' -f1
}

field() {
  "$bin/python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

: >"$work/empty"
for number in 0 1 2; do
  id=$(member_id $number)
  sign $number state_digest "$work/empty" | post "/gov/members/state-digests/$id:update?$api" >"$work/digest"
  sign $number ack "$work/digest" | post "/gov/members/state-digests/$id:ack?$api"
done

"$bin/python" - "$ca" >"$work/proposal" <<'PYTHON'
import json, sys
certificate = open(sys.argv[1]).read()
action = {"name": "transition_service_to_open", "args": {"next_service_identity": certificate}}
print(json.dumps({"actions": [action]}))
PYTHON
echo '{"ballot": "export function vote (proposal, proposerId) { return true }"}' >"$work/ballot"

sign 0 proposal "$work/proposal" | post "/gov/members/proposals:create?$api" >"$work/state"
proposal=$(field proposalId <"$work/state")
for number in 0 1 2; do
  [ "$(field proposalState <"$work/state")" = Open ] || break
  sign $number ballot "$work/ballot" "$proposal" |
    post "/gov/members/proposals/$proposal/ballots/$(member_id $number):submit?$api" >"$work/state"
done
[ "$(field proposalState <"$work/state")" = Accepted ] || { cat "$work/state"; exit 1; }
echo "proposal $proposal is accepted"
