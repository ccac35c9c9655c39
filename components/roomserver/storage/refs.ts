/** Keys of several columns as one text, so that many of them go into one `IN`. JSON, because no separator is safe in Matrix identifiers. */

export function stateRef(roomId: string, type: string, stateKey: string): string {
  return JSON.stringify([roomId, type, stateKey]);
}

/** `threadId` is empty for an unthreaded receipt. */
export function receiptRef(roomId: string, userId: string, receiptType: string, threadId: string): string {
  return JSON.stringify([roomId, userId, receiptType, threadId]);
}
