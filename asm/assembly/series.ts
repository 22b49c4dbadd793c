// Packets and bytes per second in a ring of SERIES_SECONDS buckets. A second newer than its bucket's
// takes it over; packets older than the window are counted as late and shown nowhere.
import { Bucket, SERIES_BASE, SERIES_SECONDS, STATE_BASE, Totals } from './layout';

const SECOND: u64 = 1000000000;
/** Start of the second whose bucket is at hand, in nanoseconds: most packets need no division. */
let currentStart: i64 = 0;
let current: usize = 0;

export function seriesReset(): void {
  current = 0;
  memory.fill(SERIES_BASE, 0, SERIES_SECONDS * offsetof<Bucket>());
}

@inline
export function seriesAdd(ts: i64, wirelen: u32): void {
  if ((!current || <u64>(ts - currentStart) >= SECOND) && !select(ts)) return;
  const bucket = changetype<Bucket>(current);
  bucket.packets++;
  bucket.bytes += wirelen;
}

@inline
function floorSeconds(ts: i64): i64 {
  return ts >= 0 ? ts / 1000000000 : (ts - 999999999) / 1000000000;
}

function select(ts: i64): bool {
  const sec = floorSeconds(ts);
  const at = SERIES_BASE + (<usize>sec & (SERIES_SECONDS - 1)) * offsetof<Bucket>();
  const bucket = changetype<Bucket>(at);
  if (bucket.used && bucket.sec > sec) {
    changetype<Totals>(STATE_BASE).seriesLate++;
    return false;
  }
  if (!bucket.used || bucket.sec != sec) {
    bucket.sec = sec;
    bucket.packets = 0;
    bucket.bytes = 0;
    bucket.used = 1;
  }
  currentStart = sec * SECOND;
  current = at;
  return true;
}
