/**
 * `ringtap/engine/worker`: an engine in another thread behind promises. The thread runs serveEngine(),
 * the caller holds an EngineClient; how their messages travel is a ChannelEnd, so that neither knows
 * whether it lives in Node or a browser. Requests are answered in order.
 */
import { Engine } from './engine.js';
import { EngineError, FilterError } from './errors.js';
import type { PacketRows } from './rows.js';
import type {
  ChannelEnd,
  Operation,
  Operations,
  PacketColumns,
  Problem,
  Pushed,
  Reply,
  Request,
} from './worker-messages.js';

export { EngineClient } from './worker-client.js';
export type { ChannelEnd, PacketColumns, Pushed, Snapshot } from './worker-messages.js';

/** A Web Worker, its own global scope inside of it, or a MessagePort. */
export interface WebPort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  start?(): void;
  terminate?(): void;
  close?(): void;
}

export function webEnd(port: WebPort): ChannelEnd {
  return {
    post: (message, transfer) => port.postMessage(message, transfer),
    listen(onMessage, onFailure) {
      port.addEventListener('message', (event: { data: unknown }) => onMessage(event.data));
      port.addEventListener('error', (event: { message?: string }) => onFailure(event.message ?? 'unknown'));
      port.start?.();
    },
    close: () => (port.terminate ?? port.close)?.call(port),
  };
}

/** A Worker or parentPort of Node's worker_threads. */
export interface NodePort {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  // biome-ignore lint/suspicious/noExplicitAny: as in Node's own types, which differ by event
  on(event: string, listener: (value: any) => void): unknown;
  terminate?(): unknown;
  close?(): unknown;
}

export function nodeEnd(port: NodePort): ChannelEnd {
  return {
    post: (message, transfer) => port.postMessage(message, transfer),
    listen(onMessage, onFailure) {
      port.on('message', (message: unknown) => onMessage(message));
      port.on('error', (error: Error) => onFailure(error.message));
      port.on('exit', (code: number) => onFailure(`it exited with ${code}`));
    },
    close: () => void (port.terminate ?? port.close)?.call(port),
  };
}

/** Serves one engine until the channel closes. Never throws: what goes wrong is the request's answer. */
export function serveEngine(end: ChannelEnd): void {
  const server = new EngineServer();
  let last: Promise<void> = Promise.resolve();
  const answer = async ({ id, operation, argument }: Request): Promise<void> => {
    const transfer: ArrayBuffer[] = [];
    let reply: Reply;
    try {
      reply = { id, result: await server.run(operation, argument, transfer) };
    } catch (error) {
      reply = { id, problem: problemOf(error as Error) };
    }
    end.post(reply, transfer);
  };
  end.listen(
    (message) => {
      last = last.then(() => answer(message as Request));
    },
    () => {},
  );
}

function problemOf(error: Error): Problem {
  if (error instanceof FilterError)
    return { name: 'FilterError', message: error.message, position: error.position };
  return {
    name: error instanceof EngineError ? 'EngineError' : 'Error',
    message: error.message,
    position: null,
  };
}

type Handlers = {
  [K in Operation]: (
    argument: Operations[K]['argument'],
    transfer: ArrayBuffer[],
  ) => Operations[K]['result'] | Promise<Operations[K]['result']>;
};

class EngineServer {
  #engine: Engine | null = null;

  readonly #handlers: Handlers = {
    load: async ({ source, options }) => {
      this.#engine = await Engine.load(source, options);
    },
    begin: () => this.#loaded.begin(),
    push: (argument, transfer) => this.#push(argument, transfer),
    end: () => this.#loaded.end(),
    reset: () => this.#loaded.reset(),
    setFilter: (expression) => this.#loaded.setFilter(expression),
    snapshot: () => {
      const { format, matched, flowCount, flowsEvicted, filterProblem } = this.#loaded;
      return { totals: this.#loaded.totals(), format, matched, flowCount, flowsEvicted, filterProblem };
    },
    flows: (options) => this.#loaded.flows(options),
    series: (sinceSec) => this.#loaded.series(sinceSec),
    decode: ({ linktype, bytes, wirelen }) => this.#loaded.decode(linktype, bytes, wirelen),
  };

  run(operation: Operation, argument: unknown, transfer: ArrayBuffer[]): unknown {
    if (!Object.hasOwn(this.#handlers, operation))
      throw new EngineError(`there is no operation ${operation}: take client and worker from the same build`);
    return (this.#handlers[operation] as (argument: unknown, transfer: ArrayBuffer[]) => unknown)(
      argument,
      transfer,
    );
  }

  get #loaded(): Engine {
    if (!this.#engine) throw new EngineError('the engine is not loaded: call load first');
    return this.#engine;
  }

  #push(
    { buffer, offset, length, packets }: Operations['push']['argument'],
    transfer: ArrayBuffer[],
  ): Pushed {
    const engine = this.#loaded;
    const columns: PacketColumns[] = [];
    const collect = (rows: PacketRows) => {
      columns.push(columnsOf(rows));
    };
    engine.push(new Uint8Array(buffer, offset, length), packets ? collect : undefined);
    const joined = packets ? join(columns) : null;
    transfer.push(buffer, ...(joined ? buffersOf(joined) : []));
    return { buffer, packets: joined, error: engine.error };
  }
}

function emptyColumns(length: number): PacketColumns {
  return {
    length,
    tsNs: new BigInt64Array(length),
    timed: new Uint8Array(length),
    caplen: new Uint32Array(length),
    wirelen: new Uint32Array(length),
    linktype: new Uint32Array(length),
    ifindex: new Uint16Array(length),
    flowId: new Int32Array(length),
    matched: new Uint8Array(length),
  };
}

function columnsOf(rows: PacketRows): PacketColumns {
  const columns = emptyColumns(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const ts_ns = rows.tsNs(i);
    columns.tsNs[i] = ts_ns ?? 0n;
    columns.timed[i] = ts_ns === null ? 0 : 1;
    columns.caplen[i] = rows.caplen(i);
    columns.wirelen[i] = rows.wirelen(i);
    columns.linktype[i] = rows.linktype(i);
    columns.ifindex[i] = rows.ifindex(i);
    columns.flowId[i] = rows.flowId(i);
    columns.matched[i] = rows.matched(i) ? 1 : 0;
  }
  return columns;
}

const COLUMNS = ['tsNs', 'timed', 'caplen', 'wirelen', 'linktype', 'ifindex', 'flowId', 'matched'] as const;

/** A push hands rows out in several portions when there are many. */
function join(parts: PacketColumns[]): PacketColumns {
  if (parts.length === 1) return parts[0]!;
  const whole = emptyColumns(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    for (const name of COLUMNS) (whole[name] as Uint8Array).set(part[name] as Uint8Array, at);
    at += part.length;
  }
  return whole;
}

function buffersOf(columns: PacketColumns): ArrayBuffer[] {
  return COLUMNS.map((name) => columns[name].buffer as ArrayBuffer);
}
