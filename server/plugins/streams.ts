/** Sends generators as streams: what the client does not take is not read, and a client that stalls is cut off. */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface StreamOptions {
  type: string;
  /** Offered as a download under this name. */
  filename?: string;
  stall_ms: number;
  /** Called once when the stream is over, however it ended: also when it never began. */
  ended?: () => void;
}

type Pieces = AsyncGenerator<Uint8Array | string, void, void>;

/** Counts as taken when the next piece is asked for. */
class StallWatch {
  readonly #timer: NodeJS.Timeout;
  #waiting_since_ms: number | null = null;

  constructor(stall_ms: number, stalled: () => void) {
    const check = () => {
      if (this.#waiting_since_ms !== null && performance.now() - this.#waiting_since_ms > stall_ms) stalled();
    };
    this.#timer = setInterval(check, Math.max(10, stall_ms / 4));
    this.#timer.unref();
  }

  async *watch(pieces: Pieces): Pieces {
    for await (const piece of pieces) {
      this.#waiting_since_ms = performance.now();
      yield piece;
      this.#waiting_since_ms = null;
    }
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** An error in the middle cuts the connection: a cut-off answer must not look whole. */
export function sendStream(
  request: FastifyRequest,
  reply: FastifyReply,
  pieces: Pieces,
  { type, filename, stall_ms, ended }: StreamOptions,
): FastifyReply {
  const watch = new StallWatch(stall_ms, () =>
    stream.destroy(new Error('the client took nothing for too long')),
  );
  const stream: Readable = Readable.from(watch.watch(pieces), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  });
  stream.on('error', (error) => {
    request.log.warn(`stream of ${request.url.split('?')[0]} ended early: ${error.message}`);
    reply.raw.destroy();
  });
  stream.on('close', () => {
    watch.end();
    ended?.();
  });
  reply.header('content-type', type).header('cache-control', 'no-store');
  if (filename) reply.header('content-disposition', `attachment; filename="${filename}"`);
  return reply.send(stream);
}

/** Aborted when the client goes away before it was answered. */
export function abortSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
