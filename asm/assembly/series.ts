// Packets and bytes per second in a ring of SERIES_SECONDS buckets. A second newer than its bucket's
// takes it over; packets older than the window are counted as late and shown nowhere.
import { Bucket, SERIES_BASE, SERIES_SECONDS, STATE_BASE, Totals } from './layout';

let currentSec: i64 = i64.MIN_VALUE;
let current: usize = 0;

export function seriesReset(): void {
  currentSec = i64.MIN_VALUE;
  current = 0;
  memory.fill(SERIES_BASE, 0, SERIES_SECONDS * offsetof<Bucket>());
}

export function seriesAdd(ts: i64, wirelen: u32): void {
  const sec = floorSeconds(ts);
  if (sec != currentSec && !select(sec)) return;
  const bucket = changetype<Bucket>(current);
  bucket.packets++;
  bucket.bytes += wirelen;
}

@inline
function floorSeconds(ts: i64): i64 {
  return ts >= 0 ? ts / 1000000000 : (ts - 999999999) / 1000000000;
}

function select(sec: i64): bool {
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
  currentSec = sec;
  current = at;
  return true;
}
