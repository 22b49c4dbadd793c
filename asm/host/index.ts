/** `ringtap/engine`: the typed engine over the WASM module. No fs, no DOM: the same in Node, worker and browser. */
export type { Description, EngineOptions, FlowsOptions } from './engine.js';
export { Engine } from './engine.js';
export { EngineError, FilterError } from './errors.js';
export { PacketRows } from './rows.js';
export * from './types.js';
