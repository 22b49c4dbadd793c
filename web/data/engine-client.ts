/**
 * The page's side of the worker: typed calls, batches handed over without a copy, and a bound on
 * what may wait in the worker's queue. Beyond the bound a batch is refused, which the caller counts:
 * a slow browser sheds, it does not grow.
 */
import type {
  EngineStats,
  FlowSort,
  OpenedPacket,
  PacketWindow,
  Report,
  Request,
} from '../worker/messages.js';

/** A Worker, or a MessagePort in Node. */
export interface EnginePort {
  send(request: Request, transfer: ArrayBuffer[]): void;
  listen(listener: (report: Report) => void): void;
}

export const IN_FLIGHT_BYTES_MAX = 32 << 20;

export interface FilterProblem {
  message: string;
  position: number;
}

export interface EngineEvents {
  onReady(): void;
  onFailed(message: string): void;
  onTaken(probe: number, packets: number, damage: string | null): void;
  onStats(stats: EngineStats): void;
}

export class EngineClient {
  readonly #port: EnginePort;
  readonly #waiting = new Map<number, (report: Report) => void>();
  #windowListener: ((window: PacketWindow) => void) | null = null;
  #nextId = 1;
  inFlightBytes = 0;

  constructor(port: EnginePort, events: EngineEvents) {
    this.#port = port;
    port.listen((report) => this.#receive(report, events));
  }

  /** The section is copied: it lies in a frame whose buffer may be handed over later. */
  start(probe: number, section: Uint8Array): void {
    this.#send({ type: 'start', probe, section: section.slice() });
  }

  stop(probe: number): void {
    this.#send({ type: 'stop', probe });
  }

  /** Hands over `message` whole; afterwards it is detached. False: too much is waiting, not taken. */
  batch(probe: number, message: ArrayBuffer, payload: Uint8Array, firstNo: number, packets: number): boolean {
    if (this.inFlightBytes + payload.length > IN_FLIGHT_BYTES_MAX) return false;
    this.inFlightBytes += payload.length;
    const { byteOffset: offset, length } = payload;
    this.#send({ type: 'batch', probe, buffer: message, offset, length, firstNo, packets }, [message]);
    return true;
  }

  show(probe: number | null, sort: FlowSort): void {
    this.#send({ type: 'show', probe, sort });
  }

  /** Rows wanted from now on; while following the tail only `count` matters. */
  view(first: number, count: number): void {
    this.#send({ type: 'view', first, count });
  }

  /** Hold the list as it is; resolves to the anchor's row index and the number of rows. */
  async freeze(anchorNo: number | null): Promise<{ index: number; total: number }> {
    const report = await this.#ask((id) => ({ type: 'freeze', id, anchorNo }));
    return report.type === 'frozen' ? report : { index: 0, total: 0 };
  }

  thaw(): void {
    this.#send({ type: 'thaw' });
  }

  /** Resolves to null when the filter is in force, otherwise to what is wrong with it and where. */
  async filter(expression: string | null): Promise<FilterProblem | null> {
    const report = await this.#ask((id) => ({ type: 'filter', id, expression }));
    return report.type === 'filtered' ? report.error : null;
  }

  /** Resolves to null when the packet is no longer retained. */
  async open(no: number): Promise<OpenedPacket | null> {
    const report = await this.#ask((id) => ({ type: 'open', id, no }));
    return report.type === 'opened' ? report.packet : null;
  }

  /** One listener: the packet list. Returns how to stop. */
  onWindow(listener: (window: PacketWindow) => void): () => void {
    this.#windowListener = listener;
    return () => {
      if (this.#windowListener === listener) this.#windowListener = null;
    };
  }

  #ask(request: (id: number) => Request): Promise<Report> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#send(request(id));
    });
  }

  #send(request: Request, transfer: ArrayBuffer[] = []): void {
    this.#port.send(request, transfer);
  }

  #receive(report: Report, events: EngineEvents): void {
    switch (report.type) {
      case 'ready':
        events.onReady();
        break;
      case 'failed':
        events.onFailed(report.message);
        break;
      case 'taken':
        this.inFlightBytes -= report.bytes;
        events.onTaken(report.probe, report.packets, report.damage);
        break;
      case 'stats':
        events.onStats(report.stats);
        break;
      case 'window':
        this.#windowListener?.(report.window);
        break;
      default:
        this.#waiting.get(report.id)?.(report);
        this.#waiting.delete(report.id);
    }
  }
}
