/** Hello, checked: sizes and text a hostile probe could abuse. Throws RefusalError, keeps nothing. */
import type { FrameFields } from '../../proto/frame.js';
import { nanoseconds } from '../../proto/frame.js';
import { PROTOCOL_VERSION } from '../../proto/gen/constants.js';
import type { Limits } from '../limits.js';
import { refuse } from '../refusal.js';

/** A probe's description of itself; owns its bytes. */
export interface ProbeHello {
  runId: string;
  name: string;
  interfaceName: string;
  linktype: number;
  source: string;
  synthetic: boolean;
  filter: string;
  uplinkSnaplen: number;
  /** pcapng SHB + IDB(s) every payload of the run refers to. */
  section: Uint8Array;
  startedTsNs: bigint;
}

const RUN_ID_BYTES = 16;
/** An SHB and one IDB without options. */
const SECTION_BYTES_MIN = 28 + 20;

function text(value: string | null | undefined, field: string, maxChars: number): string {
  const checked = value ?? '';
  if (checked.length > maxChars)
    throw refuse.protocol(`Hello.${field} is longer than ${maxChars} characters`);
  if (/\p{Cc}/u.test(checked)) throw refuse.protocol(`Hello.${field} holds control characters`);
  return checked;
}

export function checkHello(hello: NonNullable<FrameFields['hello']>, limits: Limits): ProbeHello {
  if (hello.protocol !== PROTOCOL_VERSION) throw refuse.version(hello.protocol ?? 0);
  const runId = Buffer.from(hello.runId ?? []);
  if (runId.length !== RUN_ID_BYTES) throw refuse.protocol(`Hello.run_id must be ${RUN_ID_BYTES} bytes`);
  const section = Uint8Array.from(hello.section ?? []);
  if (section.length < SECTION_BYTES_MIN || section.length > limits.section_bytes) {
    throw refuse.protocol(
      `Hello.section is ${section.length} bytes: expected ${SECTION_BYTES_MIN} to ${limits.section_bytes}`,
    );
  }
  const name = text(hello.probeName, 'probe_name', limits.name_chars);
  if (!name) throw refuse.protocol('Hello.probe_name is empty');
  return {
    runId: runId.toString('hex'),
    name,
    interfaceName: text(hello.interfaceName, 'interface_name', limits.name_chars),
    linktype: hello.linktype ?? 0,
    source: text(hello.source, 'source', limits.name_chars),
    synthetic: hello.synthetic ?? false,
    filter: text(hello.filter, 'filter', limits.filter_chars),
    uplinkSnaplen: hello.uplinkSnaplen ?? 0,
    section,
    startedTsNs: nanoseconds(hello.startedTsNs),
  };
}
