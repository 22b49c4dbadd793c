/** `ringtap/engine`: the typed engine over the WASM module. No fs, no DOM: the same in Node, worker and browser. */
export type { PackedIndex } from './block-index.js';
export { BlockIndexer, INDEX_EXTENTS_MAX } from './block-index.js';
export type { BlockScan, Gathered } from './blocks.js';
export { BlockScanner } from './blocks.js';
export type { FlowTuple } from './community-id.js';
export { communityId } from './community-id.js';
export type { Description } from './describe.js';
export type { EngineOptions, IdleTimeouts, TopTalkersOptions } from './engine.js';
export { Engine } from './engine.js';
export { EngineError, FilterError } from './errors.js';
export type { Explanation, IndexCondition } from './filter/explain.js';
export { explainFilter, indexConditionOf } from './filter/explain.js';
export type { FlowsOptions } from './flows.js';
export type { KeyFields } from './keyfields.js';
export type { PacketOption } from './packet-options.js';
export { PacketRows } from './rows.js';
export { distinctOf, mergeSketches, mergeTopTalkers } from './talkers.js';
export * from './types.js';
