// Who holds recovery shares: the active members with a key, participants one each, owners all of it.

import { isEncryptionKey } from "./certificates.mjs";
import { MEMBERS_INFO, MEMBERS_KEYS, SERVICE_CONFIG } from "./names.mjs";
import { ONLY, jsonOf, textOf } from "./state.mjs";

// The ids of those who hold shares; throws if there are too few of them, or one has a key that cannot be used.
export function checkHolders(draft) {
  const { participants, owners } = holdersOf(draft);
  const holders = [...participants, ...owners];
  if (holders.length === 0) {
    throw refusal("no active member has an encryption key, so nobody could recover the service");
  }
  const threshold = participants.length === 0 ? 1 : (jsonOf(draft.get(SERVICE_CONFIG, ONLY))?.recovery_threshold ?? 0);
  if (participants.length > 0 && (threshold === 0 || threshold > participants.length)) {
    throw refusal(`recovery shares: a threshold of ${threshold} cannot be met by ${participants.length} participants`);
  }
  const unusable = holders.find((id) => !isEncryptionKey(textOf(draft.get(MEMBERS_KEYS, id))));
  if (unusable !== undefined) {
    throw refusal(`encryption key of member m[${unusable}]: `);
  }
  return holders;
}

function holdersOf(draft) {
  const holders = { participants: [], owners: [] };
  for (const [id, value] of draft.entries(MEMBERS_INFO)) {
    const info = jsonOf(value);
    const isHolder = info.status === "Active" && draft.get(MEMBERS_KEYS, id) !== undefined;
    const role = isHolder ? (info.recovery_role ?? "Participant") : "NonParticipant";
    if (role === "Participant") {
      holders.participants.push(id);
    } else if (role === "Owner") {
      holders.owners.push(id);
    }
  }
  return holders;
}

function refusal(why) {
  return new Error(`Failed to issue recovery shares: ${why}`);
}
