/**
 * Where Synapse is known to say something else than the specification. The rooms here have all of it. A difference is excused only if Synapse's own code, with that one thing
 * corrected (`CORRECTIONS` in synapse-oracle.py, by the same names), says exactly what this library says; or, counted as `several`, with all of them corrected.
 *
 * What the specification leaves open the rooms do not have: up to version 9, levels outside `users` that are integers in no form (Synapse fails whenever it looks at them, here
 * they stand for the default) and maps of levels that are none; keys of third-party invites that are no base64 (Synapse fails, here they are no keys); more signatures of such an
 * invite than are tried here.
 */

export interface Deviation {
  readonly name: string;
  /** What Synapse does. */
  readonly what: string;
  /** Where the specification says otherwise. */
  readonly spec: string;
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    name: 'federate-target', what: 'With m.federate false it refuses memberships whose target is of another server than the creator, too.',
    spec: 'rooms/v11, authorisation rule 3 (v12: rule 4): the domains of the sender and of the sender of the create event count, no others.',
  },
  { name: 'federate-value', what: 'Every value of m.federate but true closes the room.', spec: 'rooms/v11, authorisation rule 3 (v12: rule 4): "set to `false`".' },
  {
    name: 'levels-elsewhere', what: 'Power levels with a state key are not compared with the power levels of the room.',
    spec: 'rooms/v11, authorisation rule 9 (v12: rule 10): of every event of type m.room.power_levels; 9.4 passes only where the room has none before.',
  },
  { name: 'loose-integers', what: 'Up to version 9 it takes strings for levels that have no such form, for example "1_0".', spec: 'rooms/v1, "m.room.power_levels events accept values as strings".' },
  {
    name: 'loose-user-ids', what: 'As users in power levels it takes whatever begins with @ and has a colon, whatever follows that.',
    spec: 'rooms/v11, authorisation rule 9.3 (v12: 10.3; up to v9: 10.1 or 9.1): keys that are valid user IDs; appendices, "User Identifiers" and "Server Name".',
  },
  {
    name: 'first-signature', what: 'Of the signatures of a third-party invite it tries, with each key, none after the first that the key does not verify.',
    spec: 'rooms/v11, authorisation rule 4.4.1.7 (v12: 5.4.1.7): "if any signature in signed matches any public key".',
  },
  {
    name: 'redacts-nothing', what: 'In versions 1 and 2 it allows everybody redactions that name no event.',
    spec: 'rooms/v1, authorisation rule 11.3: what neither the redact level (11.1) nor the domain of the redacted event (11.2) allows is rejected.',
  },
  {
    name: 'once-rejected', what: 'Resolution never lets an event into the state that was rejected when it was received.',
    spec: 'rooms/v2, "Rejected events": those that failed by the state before them are handled as usual.',
  },
];
