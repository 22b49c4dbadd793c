/**
 * The probes this gateway knows, connected or gone. Gives each its number: the same interface of the
 * same probe keeps its number over runs; two that are connected at once stay apart. Bounded.
 * Pure data: no sockets, no timers.
 */
import type { Ledger } from '../../proto/frame.js';
import type { Limits } from '../limits.js';
import { refuse } from '../refusal.js';
import type { ProbeHello } from './hello.js';
import { Run } from './run.js';

/** What the analysis thread knows of a probe's current run. */
export interface ProbeSummary {
  packets: number;
  wireBytes: number;
  malformed: number;
  flows: number;
  batches: number;
  protocols: Record<string, number>;
}

/** A connection as the registry sees it: something a newer one can replace. */
export interface ProbeLink {
  replaced(): void;
}

export interface Probe {
  readonly number: number;
  hello: ProbeHello;
  run: Run;
  link: ProbeLink | null;
  /** Latest ledger of this run: the very frame, its content, and performance.now() of its arrival. */
  ledger: { frame: Uint8Array; ledger: Ledger; at_ms: number } | null;
  summary: ProbeSummary | null;
  /** performance.now() of the disconnect; 0 while connected. */
  gone_ms: number;
}

export class ProbeRegistry {
  readonly #limits: Limits;
  readonly #probes = new Map<number, Probe>();
  #lastNumber = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get(number: number): Probe | undefined {
    return this.#probes.get(number);
  }
  all(): Iterable<Probe> {
    return this.#probes.values();
  }

  /** A Hello came on `link`: the probe it belongs to. `forgot` is one that made room. */
  admit(hello: ProbeHello, link: ProbeLink): { probe: Probe; resumed: boolean; forgot: Probe | null } {
    const known = this.#find(hello);
    if (known) {
      const resumed = known.run.id === hello.runId;
      known.link?.replaced();
      if (!resumed) Object.assign(known, { run: new Run(hello.runId), ledger: null, summary: null });
      Object.assign(known, { hello, link, gone_ms: 0 });
      return { probe: known, resumed, forgot: null };
    }
    const forgot = this.#probes.size >= this.#limits.probes ? this.#forgetOne() : null;
    const probe: Probe = {
      number: ++this.#lastNumber,
      hello,
      run: new Run(hello.runId),
      link,
      ledger: null,
      summary: null,
      gone_ms: 0,
    };
    this.#probes.set(probe.number, probe);
    return { probe, resumed: false, forgot };
  }

  /** The connection is over; what is known of the probe stays. False when a newer one took over. */
  leave(probe: Probe, link: ProbeLink): boolean {
    if (probe.link !== link) return false;
    probe.link = null;
    probe.gone_ms = performance.now();
    return true;
  }

  /** The same run (its old connection may be half open), else a gone probe of that name and interface. */
  #find(hello: ProbeHello): Probe | undefined {
    const probes = [...this.#probes.values()];
    return (
      probes.find((probe) => probe.run.id === hello.runId) ??
      probes.find(
        (probe) =>
          !probe.link &&
          probe.hello.name === hello.name &&
          probe.hello.interfaceName === hello.interfaceName &&
          probe.hello.source === hello.source,
      )
    );
  }

  #forgetOne(): Probe {
    const gone = [...this.#probes.values()].filter((probe) => !probe.link);
    const oldest = gone.sort((a, b) => a.gone_ms - b.gone_ms)[0];
    if (!oldest) throw refuse.busy(`${this.#limits.probes} probes are connected: no room for another`);
    this.#probes.delete(oldest.number);
    return oldest;
  }
}
