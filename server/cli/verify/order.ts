/**
 * `ringtap verify --order`: do the stamps of each file's packets ever step back, how often, how far? A recorder
 * of one queue keeps its order (bound 0); one that merges several may state a bound. Reads any capture file.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../../../asm/host/index.js';
import { loadEngine, readCapture } from '../capture.js';
import type { Check, Finding } from './check.js';

export interface Order {
  packets: number;
  /** Packets without a stamp: they have no order. */
  untimed: number;
  /** Packets older than one before them. */
  outOfOrder: number;
  /** How far the oldest of these lies behind the newest before it; 0 when in order. */
  stepBackNs: bigint;
  /** Number of that packet in its file, from 1; null when in order. */
  stepBackAt: number | null;
}

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => name.endsWith('.pcapng'))
    .sort()
    .map((name) => join(path, name));
}

/** Reads one file. `error` says why it could not be read to its end; what came before counts. */
export async function orderOf(engine: Engine, file: string): Promise<Order & { error: string | null }> {
  const order: Order = { packets: 0, untimed: 0, outOfOrder: 0, stepBackNs: 0n, stepBackAt: null };
  let newestNs: bigint | null = null;
  const error = await readCapture(engine, file, (rows) => {
    for (let i = 0; i < rows.length; i++) {
      order.packets++;
      const tsNs = rows.tsNs(i);
      if (tsNs === null) {
        order.untimed++;
      } else if (newestNs === null || tsNs >= newestNs) {
        newestNs = tsNs;
      } else {
        order.outOfOrder++;
        if (newestNs - tsNs <= order.stepBackNs) continue;
        order.stepBackNs = newestNs - tsNs;
        order.stepBackAt = order.packets;
      }
    }
    return true;
  });
  return { ...order, error };
}

function sentence({ packets, untimed, outOfOrder, stepBackNs, stepBackAt }: Order): string {
  const stamped = untimed ? `${packets} packets, ${untimed} without a stamp` : `${packets} packets`;
  if (stepBackAt === null) return `${stamped}, in order`;
  return `${stamped}, ${outOfOrder} out of order, largest step back ${stepBackNs} ns at packet ${stepBackAt}`;
}

async function* run(paths: string[], boundNs: bigint): AsyncGenerator<Finding> {
  const engine = await loadEngine();
  for (const path of paths.flatMap(filesOf)) {
    const { error, ...found } = await orderOf(engine, path);
    const over = found.stepBackNs > boundNs;
    const limit = over && boundNs > 0n ? `, over the bound of ${boundNs} ns` : '';
    yield {
      check: 'order',
      path,
      ok: !over && error === null,
      message: `${sentence(found)}${limit}${error === null ? '' : `; ${error}`}`,
      details: { ...found, stepBackNs: String(found.stepBackNs), boundNs: String(boundNs), error },
    };
  }
}

/** One finding per file: directories stand for their segments. */
export const order = (boundNs: bigint): Check => ({ name: 'order', run: (paths) => run(paths, boundNs) });
