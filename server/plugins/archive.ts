/** The routes about stored captures. Without a store they are there and say what is missing. */
import type { FastifyInstance } from 'fastify';
import type { Archive } from '../jobs/archive.js';
import type { Limits } from '../limits.js';
import { registerFlows } from './flows.js';
import { registerPackets } from './packets.js';
import { registerQueries } from './queries.js';
import { registerSlice } from './slice.js';
import { registerSql } from './sql.js';
import { registerSummary } from './summary.js';

export function registerArchive(app: FastifyInstance, archive: Archive | null, limits: Limits): void {
  registerQueries(app, archive, limits);
  registerPackets(app, archive, limits);
  registerFlows(app, archive, limits);
  registerSummary(app, archive, limits);
  registerSlice(app, archive, limits);
  registerSql(app, archive, limits);
}
