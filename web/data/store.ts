/**
 * Everything the page knows, from frames and worker reports to one immutable state that elements
 * read. Knows neither Lit nor the DOM nor sockets. Changes are gathered and published by the
 * injected scheduler, once per animation frame at most, however fast frames arrive.
 */
import { count, GapCause, optionalCount } from '../../proto/frame.js';
import type { ringtap } from '../../proto/gen/messages.js';
import type { EngineStats, FlowSort } from '../worker/messages.js';
import { Absences } from './absence.js';
import type { ConnectionState } from './connection.js';
import type { EngineClient } from './engine-client.js';
import { type EventEntry, type EventLevel, EventLog } from './events.js';
import { formatCount } from './format.js';
import { GapLog } from './gap-log.js';
import {
  applyLedger,
  applyUplinkTotals,
  cleanText,
  identityOf,
  newRun,
  type ProbeIdentity,
  type ProbeRun,
  type ProbeView,
  viewOf,
} from './probe.js';

export interface EngineState {
  phase: 'loading' | 'ready' | 'failed';
  /** What went wrong, for people; null unless failed. */
  message: string | null;
}

export interface LiveState {
  connection: ConnectionState;
  engine: EngineState;
  /** Connected first, then by name. Each entry is a new object whenever it changed. */
  probes: readonly ProbeView[];
  /** The probe on display, null while none is known. */
  shown: ProbeView | null;
  flowSort: FlowSort;
  events: readonly EventEntry[];
  /** Messages from the gateway that were no frames. */
  damagedFrames: number;
}

export interface StoreOptions {
  now: () => number;
  /** Runs the function soon, once; the browser's requestAnimationFrame. */
  schedule: (publish: () => void) => void;
}

/** Runs remembered; the oldest one that is gone is forgotten first. */
export const PROBES_KEPT = 16;
const GAP_MARKS_KEPT = 100;

export class LiveStore {
  readonly #options: StoreOptions;
  readonly #log = new EventLog();
  readonly #listeners = new Set<() => void>();
  readonly #runs = new Map<number, ProbeRun>();
  readonly #byNumber = new Map<number, ProbeRun>();
  readonly #absences = new Absences(this.#log);
  readonly #gaps = new GapLog(this.#log);
  #engine: EngineClient | null = null;
  #nextKey = 1;
  #chosen = false;
  #shownKey: number | null = null;
  #scheduled = false;
  #connection: ConnectionState;
  #engineState: EngineState = { phase: 'loading', message: null };
  #flowSort: FlowSort = 'bytes';
  #damagedFrames = 0;
  state: LiveState;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#connection = {
      phase: 'stopped',
      sinceMs: options.now(),
      retryAtMs: null,
      failures: 0,
      reason: null,
    };
    this.state = this.#snapshot();
  }

  /** The worker client that batches go to; called once, before any frame. */
  use(engine: EngineClient): void {
    this.#engine = engine;
  }

  /** Called after every publication. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Put a probe on display and keep it there. */
  select(key: number): void {
    if (!this.#runs.has(key)) return;
    this.#shownKey = key;
    this.#chosen = true;
    this.#show();
  }

  sortFlows(sort: FlowSort): void {
    this.#flowSort = sort;
    this.#show();
  }

  // --- the connection ---

  onConnection(state: ConnectionState): void {
    const now = this.#options.now();
    if (state.phase === 'open') {
      this.#absences.returned(now, this.#runs.values());
    } else if (this.#connection.phase === 'open') {
      this.#absences.lost(now, state.reason);
      this.#byNumber.clear();
      for (const run of this.#runs.values()) run.connected = false;
    }
    this.#connection = state;
    this.#changed();
  }

  onDamage(reason: string): void {
    this.#damagedFrames++;
    if (this.#damagedFrames <= 5) {
      this.#tell('warning', 'A message from the gateway could not be read', reason);
    }
    this.#changed();
  }

  // --- frames ---

  onFrame(frame: ringtap.Frame, message: ArrayBuffer): void {
    if (frame.batch) this.#onBatch(frame.batch as ringtap.Batch, message);
    else if (frame.ledger) this.#onLedger(frame.ledger as ringtap.Ledger);
    else if (frame.summary) this.#onSummary(frame.summary as ringtap.Summary);
    else if (frame.probeUp) this.#onProbeUp(frame.probeUp as ringtap.ProbeUp);
    else if (frame.probeDown) this.#onProbeDown(frame.probeDown as ringtap.ProbeDown);
    else if (frame.gap) this.#onGap(frame.gap as ringtap.Gap);
    else if (frame.refusal) {
      this.#tell('alarm', 'The gateway refused', cleanText(frame.refusal.message ?? '', 300));
    }
    this.#changed();
  }

  #onProbeUp(up: ringtap.ProbeUp): void {
    if (!up.hello) {
      this.onDamage('a probe was announced without its introduction');
      return;
    }
    const identity = identityOf(up.hello);
    let run = this.#find((other) => other.identity.runId === identity.runId);
    if (!run) run = this.#newRun(identity, up.hello.section ?? new Uint8Array());
    else if (up.connected && !run.connected && run.downReason !== null) {
      this.#tell('info', `${identity.name} is back`, 'The same recording goes on.');
    }
    run.identity = identity;
    run.connected = up.connected ?? false;
    if (run.connected) run.downReason = null;
    this.#byNumber.set(up.probe ?? 0, run);
    this.#show();
  }

  #newRun(identity: ProbeIdentity, section: Uint8Array): ProbeRun {
    const same = (run: ProbeRun) =>
      !run.connected &&
      run.identity.name === identity.name &&
      run.identity.interfaceName === identity.interfaceName;
    const previous = this.#find(same);
    const run = newRun(this.#nextKey++, identity);
    this.#runs.set(run.key, run);
    this.#engine?.start(run.key, section);
    this.#introduce(identity, previous !== undefined);
    if (previous) {
      this.#forget(previous);
      if (this.#shownKey === null) this.#shownKey = run.key;
    }
    while (this.#runs.size > PROBES_KEPT) {
      this.#forget(this.#find((old) => !old.connected && old !== run) ?? this.#runs.values().next().value!);
    }
    return run;
  }

  #introduce({ name, interfaceName, synthetic }: ProbeIdentity, again: boolean): void {
    const what = `${name} on ${interfaceName}`;
    if (again) this.#tell('warning', `${what} was restarted`, 'A new recording began; counts start again.');
    else if (synthetic) {
      this.#tell('info', `${what} sends synthetic traffic`, 'Packets are generated, not captured.');
    } else this.#tell('info', `${what} is recording`);
  }

  #forget(run: ProbeRun): void {
    this.#runs.delete(run.key);
    this.#absences.forget(run);
    for (const [number, other] of this.#byNumber) if (other === run) this.#byNumber.delete(number);
    if (this.#shownKey === run.key) this.#shownKey = null;
    this.#engine?.stop(run.key);
  }

  #onProbeDown(down: ringtap.ProbeDown): void {
    const run = this.#byNumber.get(down.probe ?? 0);
    if (!run) return;
    run.connected = false;
    run.downReason = cleanText(down.reason || 'the probe closed its connection', 300);
    const ended = run.ledger?.final === true;
    this.#tell(
      ended ? 'info' : 'warning',
      `${run.identity.name} ${ended ? 'stopped' : 'left'}`,
      `${run.downReason}.${ended ? '' : ' It may still be recording.'}`,
    );
  }

  #onLedger(ledger: ringtap.Ledger): void {
    const run = this.#byNumber.get(ledger.probe ?? 0);
    if (!run) return;
    const before = run.ledger;
    run.dataAtMs = this.#options.now();
    applyLedger(run, ledger, run.dataAtMs);
    this.#reportAlarms(run, before?.alarms ?? []);
    if ((before?.unaccounted ?? 0) === 0 && run.ledger!.unaccounted !== 0) {
      const detail = `${formatCount(run.ledger!.unaccounted)} packets are in no account of ${run.identity.name}. This is a defect; please report it.`;
      this.#tell('alarm', 'The ledger does not balance', detail);
    }
    this.#absences.stored(run, run.ledger!.stored);
  }

  // An alarm that only counts on is the same alarm.
  #reportAlarms(run: ProbeRun, before: readonly string[]): void {
    const shape = (alarm: string) => alarm.replace(/\d+/g, '#');
    const known = new Set(before.map(shape));
    for (const alarm of run.ledger!.alarms) {
      if (!known.has(shape(alarm))) this.#tell('alarm', alarm, `Reported by ${run.identity.name}.`);
    }
  }

  #onSummary(summary: ringtap.Summary): void {
    const run = this.#byNumber.get(summary.probe ?? 0);
    if (!run) return;
    run.gateway = {
      packets: count(summary.packets),
      flows: count(summary.flows),
      malformed: count(summary.malformed),
      viewers: count(summary.viewers),
    };
  }

  #onGap(gap: ringtap.Gap): void {
    const run = this.#byNumber.get(gap.probe ?? 0);
    if (!run) return;
    const packets = optionalCount(gap.packets);
    const first = count(gap.firstSeq);
    const last = count(gap.lastSeq);
    // Only what this page would have got next is news: a gateway that was restarted announces
    // everything before its own start, most of which was received here. The next batch knows exactly.
    if (run.sequence.before === null || first <= run.sequence.lastSeq) return;
    run.sequence.gap(last, packets);
    if (this.#absences.explains(run, this.#options.now())) return;
    this.#mark(run);
    this.#gaps.add(run, gap.cause ?? GapCause.UNKNOWN, packets, this.#options.now());
  }

  #onBatch(batch: ringtap.Batch, message: ArrayBuffer): void {
    const run = this.#byNumber.get(batch.probe ?? 0);
    if (!run) {
      this.onDamage('packets of a probe that was never announced');
      return;
    }
    const packets = batch.packets ?? 0;
    const packetsBefore = count(batch.packetsBefore);
    const arrival = run.sequence.batch(count(batch.seq), packets, packetsBefore);
    if (arrival.kind === 'duplicate') return;
    run.dataAtMs = this.#options.now();
    applyUplinkTotals(run, batch);
    this.#explainMissing(run, arrival);
    const payload = batch.payload ?? new Uint8Array();
    if (!this.#engine || this.#engineState.phase === 'failed') return;
    if (!this.#engine.batch(run.key, message, payload, packetsBefore + 1, packets)) this.#shed(run, packets);
  }

  #explainMissing(run: ProbeRun, arrival: { missing: number; announced: boolean }): void {
    const now = this.#options.now();
    if (arrival.missing) this.#mark(run);
    if (this.#absences.missed(run, arrival.missing, now) || !arrival.missing || arrival.announced) return;
    this.#gaps.add(run, 'jump', arrival.missing, now);
  }

  #shed(run: ProbeRun, packets: number): void {
    run.shedPackets += packets;
    this.#mark(run);
    this.#gaps.add(run, 'shed', packets, this.#options.now());
  }

  #mark(run: ProbeRun): void {
    if (run.ledger && run.ledgerAtMs !== null) {
      const at = run.ledger.tsMs + (this.#options.now() - run.ledgerAtMs);
      run.gapMarksMs = [...run.gapMarksMs.slice(-(GAP_MARKS_KEPT - 1)), at];
    }
  }

  // --- the worker ---

  onEngineReady(): void {
    this.#engineState = { phase: 'ready', message: null };
    this.#changed();
  }

  onEngineFailed(message: string): void {
    if (this.#engineState.phase !== 'failed') this.#tell('alarm', 'The packet engine failed', message);
    this.#engineState = { phase: 'failed', message };
    this.#changed();
  }

  onTaken(key: number, packets: number, damage: string | null): void {
    const run = this.#runs.get(key);
    if (!run) return;
    run.parsed += packets;
    if (damage !== null && run.damagedBatches++ < 5) {
      this.#tell('warning', `A damaged batch from ${run.identity.name}`, `${damage}.`);
    }
    this.#changed();
  }

  onStats(stats: EngineStats): void {
    const run = this.#runs.get(stats.probe);
    if (run) run.stats = stats;
    this.#changed();
  }

  #tell(level: EventLevel, title: string, detail = ''): void {
    this.#log.add(this.#options.now(), level, title, detail);
  }

  // --- publishing ---

  #find(test: (run: ProbeRun) => boolean): ProbeRun | undefined {
    for (const run of this.#runs.values()) if (test(run)) return run;
    return undefined;
  }

  // What the user chose stays; otherwise a connected probe, and the same one as long as it is.
  #show(): void {
    const current = this.#shownKey === null ? undefined : this.#runs.get(this.#shownKey);
    if (!current || (!this.#chosen && !current.connected)) {
      this.#chosen = false;
      const best = this.#find((run) => run.connected) ?? current ?? this.#find(() => true);
      this.#shownKey = best?.key ?? null;
    }
    this.#engine?.show(this.#shownKey, this.#flowSort);
    this.#changed();
  }

  #changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.schedule(() => {
      this.#scheduled = false;
      this.state = this.#snapshot();
      for (const listener of this.#listeners) listener();
    });
  }

  #snapshot(): LiveState {
    const probes = [...this.#runs.values()].map(viewOf);
    probes.sort(
      (a, b) => Number(b.connected) - Number(a.connected) || a.identity.name.localeCompare(b.identity.name),
    );
    return {
      connection: this.#connection,
      engine: this.#engineState,
      probes,
      shown: probes.find((run) => run.key === this.#shownKey) ?? null,
      flowSort: this.#flowSort,
      events: this.#log.entries,
      damagedFrames: this.#damagedFrames,
    };
  }
}
