/**
 * Everything the engine says of a stream, as one text and its SHA-256: the same module in Node and in a page
 * imports this very file. Chunks are of the size given, so both sides cut alike, though results do not depend
 * on it. No imports: the engine's class is handed in.
 */
const text = (value) =>
  JSON.stringify(value, (_key, inner) =>
    typeof inner === 'bigint' ? `${inner}n` : inner instanceof Uint8Array ? [...inner] : inner,
  );

/** What is compared, part by part, so that a difference has a name. */
export async function fingerprint(Engine, wasm, bytes, { filter = null, chunk = 65536, packets = 200 } = {}) {
  const engine = await Engine.load(wasm, { seed: 7n });
  engine.setFilter(filter);
  engine.emitFiltersAfter(0);
  const trees = [];
  for (let at = 0; at < bytes.length; at += chunk)
    engine.push(bytes.subarray(at, at + chunk), (rows) => {
      for (let i = 0; i < rows.length && trees.length < packets; i++) {
        const packet = [rows.linktype(i), rows.bytes(i).slice(), rows.wirelen(i)];
        trees.push([
          rows.tsNs(i),
          rows.matched(i),
          engine.decode(...packet),
          engine.describe(...packet),
          engine.keyFields(...packet),
        ]);
      }
    });
  const error = engine.end();
  const parts = {
    stream: text([error, engine.format, engine.matched, engine.flowCount, engine.filterProblem]),
    totals: text(engine.totals()),
    flows: text(engine.flows()),
    series: text(engine.series()),
    talkers: text(['source', 'destination', 'port', 'flow'].map((by) => engine.topTalkers({ by, k: 50 }))),
    distinct: text([engine.distinct(), engine.distinctSketch()]),
    trees: text(trees),
  };
  const hashes = {};
  for (const [name, part] of Object.entries(parts)) hashes[name] = await sha256(part);
  return { packets: engine.totals().packets, hashes };
}

async function sha256(part) {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(part));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
