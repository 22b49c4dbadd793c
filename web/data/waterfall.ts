/**
 * The loss ledger as rows to draw: each stage with its exact count and the stretch of the bar it
 * takes. Three accounts that each balance: the recorder's, the uplink's, and this browser's. Pure.
 */
import type { LedgerView, ProbeView } from './probe.js';

export interface WaterfallRow {
  /** Stable name for tests and styles, as in proto/ringtap.proto. */
  field: string;
  label: string;
  /** null: unknown. */
  value: number | null;
  /** `total` starts or ends an account, `minus` is taken from it, `check` must be 0, `aside` is outside of it. */
  kind: 'total' | 'minus' | 'check' | 'aside';
  /** Taken away on purpose or for now (a filter, in flight), or lost. */
  loss: boolean;
  /** The bar's stretch as shares of the account's first total, 0 to 1. */
  from: number;
  to: number;
  /** What the row means, for a tooltip. */
  hint: string;
}

export interface WaterfallAccount {
  name: string;
  rows: WaterfallRow[];
}

type Spec = [
  field: string,
  label: string,
  value: number | null,
  kind: WaterfallRow['kind'],
  loss: boolean,
  hint: string,
];

function account(name: string, whole: number | null, specs: readonly Spec[]): WaterfallAccount {
  const scale = whole && whole > 0 ? whole : 1;
  const share = (value: number) => Math.min(1, Math.max(0, value / scale));
  let rest = whole ?? 0;
  const rows = specs.map(([field, label, value, kind, loss, hint]): WaterfallRow => {
    let from = 0;
    let to = kind === 'total' ? share(value ?? 0) : 0;
    if (kind === 'minus' && value) {
      to = share(rest);
      rest -= value;
      from = share(rest);
    }
    return { field, label, value, kind, loss, from, to, hint };
  });
  return { name, rows };
}

/** What shaping removed; its rows are there only where something was. */
function shaped(ledger: LedgerView | null): Spec[] {
  if (!ledger) return [];
  const specs: Spec[] = [
    [
      'cutoff',
      'Flow cutoff',
      ledger.cutoff,
      'minus',
      false,
      'Removed on purpose: their flow had had its first bytes (--flow-cutoff).',
    ],
    [
      'duplicates',
      'Duplicates',
      ledger.duplicates,
      'minus',
      false,
      'Removed on purpose: the same bytes had come a moment before (--dedup).',
    ],
  ];
  return specs.filter(([, , value]) => value !== 0);
}

/** Neither takes a packet from the account: bytes cut off kept packets, and why a ring dropped. */
function shapedAside(ledger: LedgerView | null): Spec[] {
  if (!ledger) return [];
  const specs: Spec[] = [
    [
      'sliced_bytes',
      'Bytes sliced off',
      ledger.slicedBytes,
      'aside',
      false,
      'Bytes cut off packets that were kept (--slice, --flow-cutoff); not packets.',
    ],
    [
      'ring_starved',
      'Ring starved',
      ledger.ringStarved ?? 0,
      'aside',
      true,
      'Times the driver had no free frame to receive into; the packets it lost are in the ring drops.',
    ],
  ];
  return specs.filter(([, , value]) => value !== 0);
}

function recorder(probe: ProbeView): WaterfallAccount {
  const ledger = probe.ledger;
  const of = (value: number | null | undefined) => value ?? null;
  return account('Recorder', of(ledger?.ringReceived), [
    [
      'if_drops',
      'Lost before the ring',
      of(ledger?.ifDrops),
      'aside',
      true,
      'Dropped by the interface before the ring saw them; not part of the account below.',
    ],
    [
      'ring_received',
      'Received',
      of(ledger?.ringReceived),
      'total',
      false,
      'Packets the capture source delivered, or dropped for want of room.',
    ],
    [
      'filtered',
      'Filtered out',
      of(ledger?.filtered),
      'minus',
      false,
      'Rejected by the capture filter. Unknown where the kernel filters before the ring.',
    ],
    ...shaped(ledger),
    [
      'unrecorded',
      'Not recorded',
      of(ledger?.unrecorded),
      'minus',
      false,
      'Nobody asked to record them: the probe only streams, or its packet limit was reached.',
    ],
    ['ring_drops', 'Ring drops', of(ledger?.ringDrops), 'minus', true, 'The ring was full.'],
    [
      'pool_drops',
      'Pool drops',
      of(ledger?.poolDrops),
      'minus',
      true,
      'No free block: the drives did not keep up.',
    ],
    [
      'store_drops',
      'Store drops',
      of(ledger?.storeDrops),
      'minus',
      true,
      'In blocks whose write failed for good.',
    ],
    [
      'in_flight',
      'In flight',
      of(ledger?.inFlight),
      'minus',
      false,
      'Read from the ring, write not yet completed.',
    ],
    [
      'stored',
      'Stored',
      of(ledger?.stored),
      'total',
      false,
      'In blocks whose write completed: what the files hold.',
    ],
    [
      'unaccounted',
      'Unaccounted',
      of(ledger?.unaccounted),
      'check',
      true,
      'Received minus everything above. Anything but 0 is a defect.',
    ],
    ...shapedAside(ledger),
  ]);
}

function uplink(probe: ProbeView): WaterfallAccount {
  const ledger = probe.ledger;
  const of = (value: number | null | undefined) => value ?? null;
  return account('Uplink', of(ledger?.offered), [
    [
      'offered',
      'Offered',
      of(ledger?.offered),
      'total',
      false,
      'Packets the recorder offered to the uplink.',
    ],
    ['sampled_out', 'Sampled out', of(ledger?.sampledOut), 'minus', false, 'Left out on purpose.'],
    [
      'uplink_drops',
      'Uplink drops',
      of(ledger?.uplinkDrops),
      'minus',
      true,
      'Shed because the gateway did not keep up. They are recorded all the same.',
    ],
    [
      'uplink_pending',
      'Pending',
      of(ledger?.uplinkPending),
      'minus',
      false,
      'Waiting to be sent or acknowledged.',
    ],
    ['sent', 'Sent', of(ledger?.sent), 'total', false, 'In batches the gateway acknowledged.'],
  ]);
}

function browser(probe: ProbeView): WaterfallAccount {
  const { before, end, missed, received } = probe.sequence;
  const here = (value: number) => (before === null ? null : value);
  return account('This browser', here(end), [
    [
      'streamed',
      'Streamed so far',
      here(end),
      'total',
      false,
      'Packets in all batches up to the last one received here.',
    ],
    ['before', 'Before this page', before, 'minus', false, 'Sent before this page was opened.'],
    [
      'missed',
      'Missed here',
      here(missed),
      'minus',
      true,
      'In batches that never reached this page. They are recorded all the same.',
    ],
    ['received', 'Received here', here(received), 'total', false, 'Packets in the batches this page got.'],
    [
      'shed',
      'Shed here',
      here(probe.shedPackets),
      'minus',
      true,
      'Received, but this browser could not keep up with parsing.',
    ],
    [
      'parsed',
      'Parsed here',
      here(probe.parsed),
      'total',
      false,
      'Packets the engine in this page has decoded.',
    ],
    [
      'gateway_parsed',
      'Parsed by gateway',
      probe.gateway?.packets ?? null,
      'aside',
      false,
      'The gateway’s own parse of the whole stream, for comparison.',
    ],
  ]);
}

/** The three accounts of one probe. */
export function waterfall(probe: ProbeView): WaterfallAccount[] {
  return [recorder(probe), uplink(probe), browser(probe)];
}

/** Packets lost to the recording; null while any of the counts is unknown. */
export function recordedLoss(probe: ProbeView): number | null {
  const { ledger } = probe;
  if (!ledger || ledger.ringDrops === null) return null;
  return ledger.ringDrops + ledger.poolDrops + ledger.storeDrops;
}
