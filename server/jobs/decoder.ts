/**
 * The gateway's side of the decoding thread: asks and answers in order, sessions that hold an engine each.
 * The thread starts with the first question and again after a crash. Callers wait for an answer before
 * they feed more, so that at most a group per question is on its way.
 */
import { Worker } from 'node:worker_threads';
import type { TreeNode } from '../../asm/host/index.js';
import type { PacketHit } from '../store/types.js';
import type {
  Answers,
  Ask,
  DecoderData,
  FromDecoder,
  SummaryParts,
  Want,
  WantedFlow,
} from './decoder-messages.js';
import { Packer } from './pack.js';

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export class Decoder {
  readonly #wasmFile: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #lastId = 0;
  #lastSession = 0;

  constructor(wasmFile: string) {
    this.#wasmFile = wasmFile;
  }

  tree({ linktype, bytes, wirelen }: PacketHit): Promise<TreeNode[]> {
    return this.#ask({ op: 'tree', linktype, bytes, wirelen }) as Promise<TreeNode[]>;
  }

  /** Close it: a session holds an engine of some megabytes. */
  async session(wanted: WantedFlow[] | null = null): Promise<DecoderSession> {
    const session = ++this.#lastSession;
    await this.#ask({ op: 'open', session, wanted });
    return new DecoderSession((ask) => this.#ask(ask), session);
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #ask(ask: Ask, transfer: ArrayBuffer[] = []): Promise<unknown> {
    this.#worker ??= this.#start();
    const id = ++this.#lastId;
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref(); // only what somebody waits for keeps the process
      worker.postMessage({ id, ...ask }, transfer);
    });
  }

  #start(): Worker {
    const workerData: DecoderData = { wasmFile: this.#wasmFile };
    const worker = new Worker(new URL('./decoder-worker.js', import.meta.url), { workerData });
    let reason = 'it was stopped';
    worker.on('message', (message: FromDecoder) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (this.#waiting.size === 0) worker.unref();
      if ('failure' in message) waiting?.reject(new Error(message.failure));
      else waiting?.resolve(message.answer);
    });
    worker.on('error', (error) => {
      reason = error.message;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null;
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the decoding thread ended: ${reason}`));
      this.#waiting.clear();
    });
    return worker;
  }
}

/** One stream of packets in the decoding thread. */
export class DecoderSession {
  readonly #ask: (ask: Ask) => Promise<unknown>;
  readonly #session: number;
  readonly #packer = new Packer();

  constructor(ask: (ask: Ask) => Promise<unknown>, session: number) {
    this.#ask = ask;
    this.#session = session;
  }

  /** Hits must have their bytes. */
  feed<W extends Want>(hits: readonly PacketHit[], want: W): Promise<Answers[W]> {
    const bytes = this.#packer.pack(hits);
    return this.#ask({ op: 'feed', session: this.#session, bytes, want }) as Promise<Answers[W]>;
  }

  summary(talkers: number): Promise<SummaryParts> {
    return this.#ask({ op: 'summary', session: this.#session, talkers }) as Promise<SummaryParts>;
  }

  async close(): Promise<void> {
    await this.#ask({ op: 'close', session: this.#session }).catch(() => {}); // it went with its thread
  }
}
