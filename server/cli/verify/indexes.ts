/**
 * `ringtap verify`: every index is whole and its segment's own. Speaks only of those that are not; that one is not
 * made yet is nothing wrong. --repair makes anew what is damaged, and what is missing.
 */
import { statSync, unlinkSync } from 'node:fs';
import { checkIndexes, type IndexFinding, isMendable } from '../../store/index-check.js';
import { openStore } from '../../store/open.js';
import type { Check, Finding, VerifyOptions } from './check.js';

/** Stripes elsewhere are told, but nothing is wrong with what is here. */
const isWrong = ({ state }: IndexFinding): boolean =>
  !['whole', 'missing', 'partial', 'stripes'].includes(state);
const isTold = (finding: IndexFinding): boolean => isWrong(finding) || finding.state === 'stripes';

function tell(finding: IndexFinding, note = ''): Finding {
  const { path, state, message } = finding;
  return {
    check: 'indexes',
    path,
    ok: !isWrong(finding),
    message: `index: ${message}${note}`,
    details: { state },
  };
}

/** Makes what is missing or damaged anew; says what failed. */
async function rebuild(directories: string[], findings: readonly IndexFinding[]): Promise<string[]> {
  for (const { path, state } of findings) if (state === 'damaged' || state === 'orphan') unlinkSync(path);
  const problems: string[] = [];
  const store = await openStore(directories, { threads: 1 });
  try {
    await store.indexAll({ nice: 0, onProblem: (problem) => problems.push(problem) });
  } finally {
    await store.close();
  }
  return problems;
}

async function* run(paths: string[], { repair }: VerifyOptions): AsyncGenerator<Finding> {
  const directories = paths.filter((path) => statSync(path).isDirectory());
  const findings = [...checkIndexes(directories)];
  const wrong = findings.filter(isMendable);
  if (!repair || wrong.length === 0) {
    yield* findings.filter(isTold).map((finding) => tell(finding));
    return;
  }
  const problems = await rebuild(directories, wrong);
  const mended = new Set(wrong.map(({ path }) => path));
  for (const finding of checkIndexes(directories))
    if (isTold(finding)) yield tell(finding);
    else if (mended.has(finding.path) && finding.state === 'whole') yield tell(finding, '; made anew');
  for (const { path } of wrong.filter(({ state }) => state === 'orphan'))
    yield {
      check: 'indexes',
      path,
      ok: true,
      message: 'index: of no segment, deleted',
      details: { state: 'orphan' },
    };
  for (const problem of problems)
    yield { check: 'indexes', path: directories[0]!, ok: false, message: problem };
}

export const indexes: Check = { name: 'indexes', run };
