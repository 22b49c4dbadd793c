/**
 * The API's client: one method per operation, typed, on `fetch` alone, for the dashboard and for
 * `ringtap --url`. Keeps no state. Whoever calls owns signals and streams.
 */
import type {
  CaptureQuery,
  ErrorAnswer,
  ExportFormat,
  FlowDetail,
  FlowPage,
  FlowStream,
  JobAnswer,
  JobList,
  JobRequest,
  Operation,
  PacketDetail,
  PacketPage,
  PacketTree,
  SegmentsAnswer,
  SqlAnswer,
  SqlRequest,
  SummaryAnswer,
  TimelineAnswer,
} from './api.js';
import { OPERATIONS } from './api.js';

export interface ClientOptions {
  /** Of the gateway, for example `http://127.0.0.1:8474`; the page's own host by default. */
  url?: string;
  /** Sent as Bearer; a browser that is logged in needs none. */
  token?: string;
  fetch?: typeof fetch;
}

/** The gateway answered with an error, or not at all (`status` 0). The message is for people. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  /** Index into the filter expression, when that was wrong. */
  readonly position: number | null;
  constructor(status: number, message: string, position: number | null) {
    super(message);
    this.status = status;
    this.position = position;
  }
}

export interface PageOptions {
  limit?: number;
  cursor?: string;
}

export interface ExportOptions {
  format?: ExportFormat;
  limit?: number;
  /** Goes on behind the packet of this id. */
  after?: string;
}

export interface FlowPageOptions extends PageOptions {
  sort?: string;
  order?: 'asc' | 'desc';
}

type Given = Record<string, string | number | boolean | undefined>;

export class Client {
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #fetch: typeof fetch;

  constructor({ url = '', token, fetch: given }: ClientOptions = {}) {
    this.#url = url.replace(/\/+$/, '');
    this.#token = token;
    this.#fetch = given ?? ((input, init) => fetch(input, init));
  }

  status = (signal?: AbortSignal) => this.#json<Record<string, unknown>>('status', {}, {}, signal);
  openapi = (signal?: AbortSignal) => this.#json<Record<string, unknown>>('openapi', {}, {}, signal);

  packets = (query: CaptureQuery & PageOptions, signal?: AbortSignal) =>
    this.#json<PacketPage>('packets', {}, { ...query }, signal);
  packet = (id: string, signal?: AbortSignal) => this.#json<PacketDetail>('packet', { id }, {}, signal);
  packetTree = (id: string, signal?: AbortSignal) => this.#json<PacketTree>('packetTree', { id }, {}, signal);
  exportPackets = (query: CaptureQuery & ExportOptions & { bytes?: boolean }, signal?: AbortSignal) =>
    this.#body('exportPackets', {}, { ...query }, signal);

  flows = (query: CaptureQuery & FlowPageOptions, signal?: AbortSignal) =>
    this.#json<FlowPage>('flows', {}, { ...query }, signal);
  flow = (id: string, signal?: AbortSignal) => this.#json<FlowDetail>('flow', { id }, {}, signal);
  flowStream = (id: string, options: { max_bytes?: number } = {}, signal?: AbortSignal) =>
    this.#json<FlowStream>('flowStream', { id }, { ...options }, signal);
  exportFlows = (query: CaptureQuery & { format?: ExportFormat; limit?: number }, signal?: AbortSignal) =>
    this.#body('exportFlows', {}, { ...query }, signal);

  sql = (request: SqlRequest, signal?: AbortSignal) => this.#json<SqlAnswer>('sql', {}, {}, signal, request);
  summary = (query: CaptureQuery & { bins?: number }, signal?: AbortSignal) =>
    this.#json<SummaryAnswer>('summary', {}, { ...query }, signal);
  segments = (signal?: AbortSignal) => this.#json<SegmentsAnswer>('segments', {}, {}, signal);
  timeline = (query: { from?: string; to?: string; bins?: number }, signal?: AbortSignal) =>
    this.#json<TimelineAnswer>('timeline', {}, { ...query }, signal);
  /** pcapng, as it is found; its last block's comment says what it covers. */
  slice = (query: CaptureQuery & { limit?: number; after?: string }, signal?: AbortSignal) =>
    this.#body('slice', {}, { ...query }, signal);

  createQuery = (request: JobRequest, signal?: AbortSignal) =>
    this.#json<JobAnswer>('createQuery', {}, {}, signal, request);
  queries = (signal?: AbortSignal) => this.#json<JobList>('queries', {}, {}, signal);
  query = (id: string, signal?: AbortSignal) => this.#json<JobAnswer>('query', { id }, {}, signal);
  /** Cancels it if it runs, and forgets it. */
  deleteQuery = async (id: string, signal?: AbortSignal): Promise<void> => {
    await this.#send('deleteQuery', { id }, {}, signal);
  };
  queryResults = (id: string, options: { format?: ExportFormat } = {}, signal?: AbortSignal) =>
    this.#body('queryResults', { id }, { ...options }, signal);

  /** The job each time it moves, until it is over. */
  async *queryEvents(id: string, signal?: AbortSignal): AsyncGenerator<JobAnswer> {
    const body = await this.#body('queryEvents', { id }, {}, signal);
    for await (const line of lines(body))
      if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length)) as JobAnswer;
  }

  async #json<T>(
    operation: Operation,
    path: Record<string, string>,
    query: Given,
    signal?: AbortSignal,
    body?: unknown,
  ): Promise<T> {
    return (await (await this.#send(operation, path, query, signal, body)).json()) as T;
  }

  async #body(operation: Operation, path: Record<string, string>, query: Given, signal?: AbortSignal) {
    const { body } = await this.#send(operation, path, query, signal);
    if (!body) throw new ApiError(0, 'the gateway sent an answer without a body', null);
    return body;
  }

  /** Throws ApiError unless the answer is a good one. */
  async #send(
    operation: Operation,
    path: Record<string, string>,
    query: Given,
    signal?: AbortSignal,
    body?: unknown,
  ): Promise<Response> {
    const [method, template] = OPERATIONS[operation];
    const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ''));
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const headers: Record<string, string> = {};
    if (this.#token) headers.authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const url = `${this.#url}${filled}${given.length ? `?${search}` : ''}`;
    const init: RequestInit = { method: method.toUpperCase(), headers };
    if (signal) init.signal = signal;
    if (body !== undefined) init.body = JSON.stringify(body);
    const response = await this.#fetch(url, init).catch((error: Error) => {
      if (signal?.aborted) throw error;
      throw new ApiError(0, `${this.#url || 'the gateway'} does not answer: ${causeOf(error)}`, null);
    });
    if (!response.ok) throw await errorOf(response);
    return response;
  }
}

const causeOf = (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message);

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  try {
    const { message, position } = JSON.parse(text) as ErrorAnswer;
    return new ApiError(response.status, message, position ?? null);
  } catch {
    return new ApiError(response.status, `the gateway answered ${response.status}`, null);
  }
}

/** Lines of a body, without their ends; a last one without an end included. */
export async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const parts = rest.split('\n');
      rest = done ? '' : (parts.pop() as string);
      for (const part of parts) if (part !== '' || !done) yield part;
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
