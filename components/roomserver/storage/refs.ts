/** Keys of several columns as one text, so that many of them go into one `IN`. JSON, because no separator is safe in Matrix identifiers. */

export function stateRef(roomId: string, type: string, stateKey: string): string {
  return JSON.stringify([roomId, type, stateKey]);
}

/** `threadId` is empty for an unthreaded receipt. */
export function receiptRef(roomId: string, userId: string, receiptType: string, threadId: string): string {
  return JSON.stringify([roomId, userId, receiptType, threadId]);
}

/** As `events` stores the ID of an event's input: most events of other servers have the input `pdu:<event ID>`, which need not be said twice. */
export function storedInputId(inputId: string, eventId: string): string {
  return inputId === `pdu:${eventId}` ? '' : inputId;
}

export function inputIdOfEvent(stored: string, eventId: string): string {
  return stored === '' ? `pdu:${eventId}` : stored;
}
