/** Why a peer is cut off. Thrown by the checks, sent once as a Refusal frame, then the close code. */
import {
  CLOSE_BUSY,
  CLOSE_PROTOCOL,
  CLOSE_SEQUENCE,
  CLOSE_TOO_BIG,
  CLOSE_UNAUTHORIZED,
  CLOSE_VERSION,
  PROTOCOL_VERSION,
} from '../proto/gen/constants.js';

export class RefusalError extends Error {
  override name = 'RefusalError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export const refuse = {
  protocol: (message: string) => new RefusalError(CLOSE_PROTOCOL, message),
  sequence: (message: string) => new RefusalError(CLOSE_SEQUENCE, message),
  tooBig: (message: string) => new RefusalError(CLOSE_TOO_BIG, message),
  busy: (message: string) => new RefusalError(CLOSE_BUSY, message),
  version: (theirs: number) =>
    new RefusalError(
      CLOSE_VERSION,
      `protocol ${theirs} is not spoken here, only ${PROTOCOL_VERSION}: run the same Ringtap version on both sides`,
    ),
  unauthorized: () =>
    new RefusalError(CLOSE_UNAUTHORIZED, 'a token is needed: send the one from the gateway’s token file'),
};
