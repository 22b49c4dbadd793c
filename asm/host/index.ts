/** `ringtap/engine`: the typed engine over the WASM module. No fs, no DOM: the same in Node, worker and browser. */
export type { Description } from './describe.js';
export type { EngineOptions } from './engine.js';
export { Engine } from './engine.js';
export { EngineError, FilterError } from './errors.js';
export type { FlowsOptions } from './flows.js';
export type { KeyFields } from './keyfields.js';
export { PacketRows } from './rows.js';
export * from './types.js';
