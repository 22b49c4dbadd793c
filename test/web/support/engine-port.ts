/** The page's end of a worker conversation, recorded instead of served, for tests of the store. */
import type { EnginePort } from '../../../web/data/engine-client.js';
import type { Report, Request } from '../../../web/worker/messages.js';

export class RecordingPort implements EnginePort {
  readonly requests: Request[] = [];
  #listener: ((report: Report) => void) | null = null;

  send(request: Request): void {
    this.requests.push(request);
  }

  listen(listener: (report: Report) => void): void {
    this.#listener = listener;
  }

  report(report: Report): void {
    this.#listener?.(report);
  }

  of<Type extends Request['type']>(type: Type): Extract<Request, { type: Type }>[] {
    return this.requests.filter(
      (request): request is Extract<Request, { type: Type }> => request.type === type,
    );
  }
}
