/**
 * The caller's side of an engine in a worker: the Engine's methods as promises. One call after another
 * or many at once, they are answered in order. Await each push: that is the backpressure.
 */
import type { EngineOptions } from './engine.js';
import { EngineError, FilterError } from './errors.js';
import type { FlowsOptions } from './flows.js';
import type { Flow, SeriesPoint, StreamError, TreeNode } from './types.js';
import type {
  ChannelEnd,
  Operation,
  Operations,
  Problem,
  Pushed,
  Reply,
  Snapshot,
} from './worker-messages.js';

interface Waiting {
  resolve(result: never): void;
  reject(error: Error): void;
}

export class EngineClient {
  readonly #end: ChannelEnd;
  readonly #waiting = new Map<number, Waiting>();
  /** Buffers that moved to the worker: their objects here stay empty. */
  readonly #sent = new WeakSet<ArrayBuffer>();
  #next = 0;
  #gone: EngineError | null = null;

  private constructor(end: ChannelEnd) {
    this.#end = end;
    end.listen(
      (message) => this.#answered(message as Reply),
      (reason) => this.#lose(new EngineError(`the engine's worker is gone: ${reason}`)),
    );
  }

  /**
   * Loads an engine in the worker at the other end, which must run serveEngine(). A compiled module is
   * shared, bytes are copied. Throws EngineError as Engine.load does, and when the worker fails.
   */
  static async open(
    end: ChannelEnd,
    source: WebAssembly.Module | ArrayBuffer,
    options: EngineOptions = {},
  ): Promise<EngineClient> {
    const client = new EngineClient(end);
    await client.#ask('load', { source, options });
    return client;
  }

  async begin(): Promise<void> {
    await this.#ask('begin', null);
  }

  /**
   * Feeds bytes. The chunk's whole buffer moves to the worker and comes back in the answer, so it must
   * not be used meanwhile. With `packets`, what became whole comes as columns.
   */
  async push(chunk: Uint8Array<ArrayBuffer>, { packets = false } = {}): Promise<Pushed> {
    const { buffer, byteOffset: offset, length } = chunk;
    if (this.#sent.has(buffer))
      throw new EngineError('this buffer was pushed already: use the one that came back in the answer');
    this.#sent.add(buffer);
    return this.#ask('push', { buffer, offset, length, packets }, [buffer]);
  }

  /** The stream's error, a cut tail included, or null when it was whole. */
  end(): Promise<StreamError | null> {
    return this.#ask('end', null);
  }

  async reset(): Promise<void> {
    await this.#ask('reset', null);
  }

  /** Throws FilterError with its position. */
  async setFilter(expression: string | null): Promise<void> {
    await this.#ask('setFilter', expression);
  }

  /** Totals and the engine's other figures at one moment. */
  snapshot(): Promise<Snapshot> {
    return this.#ask('snapshot', null);
  }

  flows(options: FlowsOptions = {}): Promise<Flow[]> {
    return this.#ask('flows', options);
  }

  series(sinceSec = Number.NEGATIVE_INFINITY): Promise<SeriesPoint[]> {
    return this.#ask('series', sinceSec);
  }

  decode(linktype: number, bytes: Uint8Array, wirelen = bytes.length): Promise<TreeNode[]> {
    return this.#ask('decode', { linktype, bytes, wirelen });
  }

  /** Ends the worker. What is unanswered is rejected. */
  close(): void {
    this.#lose(new EngineError('the engine was closed'));
    this.#end.close();
  }

  #ask<K extends Operation>(
    operation: K,
    argument: Operations[K]['argument'],
    transfer: ArrayBuffer[] = [],
  ): Promise<Operations[K]['result']> {
    return new Promise((resolve, reject) => {
      if (this.#gone) return reject(this.#gone);
      const id = this.#next++;
      this.#end.post({ id, operation, argument }, transfer);
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #answered(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('problem' in reply) waiting?.reject(errorOf(reply.problem));
    else waiting?.resolve(reply.result as never);
  }

  #lose(error: EngineError): void {
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

function errorOf({ name, message, position }: Problem): Error {
  if (name === 'FilterError') return new FilterError(message, position ?? 0);
  return name === 'EngineError' ? new EngineError(message) : new Error(message);
}
