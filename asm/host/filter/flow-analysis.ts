/** What is known at each instruction of a program without backward jumps: one pass forward, one backward. */
import type { Insn } from './program.js';

export interface FlowAnalysis {
  /** Instructions that are jumped to, ascending, and the rank of each. */
  targets: readonly number[];
  ordinals: ReadonlyMap<number, number>;
  /** Captured bytes that every way to the instruction has already asked for. */
  checked: readonly number[];
  /**
   * For a load into A of which only a comparison with a constant (behind at most one AND with a
   * constant) is ever seen: where that jump is, and the mask.
   */
  rawTest(pc: number): { jump: number; mask: number | null } | null;
}

const isJump = (insn: Insn): boolean => (insn.code & 7) === 5;
const isReturn = (insn: Insn): boolean => (insn.code & 7) === 6;

export function analyse(program: readonly Insn[]): FlowAnalysis {
  const jumped = new Set<number>();
  program.forEach((insn, pc) => {
    if (isJump(insn)) for (const next of successors(insn, pc)) if (next !== pc + 1) jumped.add(next);
  });
  const targets = [...jumped].sort((a, b) => a - b);
  const dead = deadAccumulator(program);
  return {
    targets,
    ordinals: new Map(targets.map((target, i) => [target, i])),
    checked: checkedBytes(program),
    rawTest: (pc) => rawTest(program, jumped, dead, pc),
  };
}

function successors(insn: Insn, pc: number): number[] {
  if (isReturn(insn)) return [];
  if (!isJump(insn)) return [pc + 1];
  if ((insn.code & 0xf0) === 0) return [pc + 1 + insn.k];
  return [pc + 1 + insn.jt, pc + 1 + insn.jf];
}

function checkedBytes(program: readonly Insn[]): number[] {
  const checked: number[] = Array(program.length).fill(Number.POSITIVE_INFINITY);
  checked[0] = 0;
  program.forEach((insn, pc) => {
    const after = Math.max(checked[pc]!, bytesAsked(insn));
    for (const next of successors(insn, pc))
      if (next < checked.length) checked[next] = Math.min(checked[next]!, after);
  });
  return checked;
}

/** The end of a load at a fixed place; ancillary loads are far beyond what can be captured. */
function bytesAsked({ code, k }: Insn): number {
  if (code === 0xb1) return k + 1;
  if ((code & 7) !== 0 || ((code & 0xe0) !== 0x20 && (code & 0xe0) !== 0x40)) return 0;
  const size = (code & 0x18) === 0 ? 4 : (code & 0x18) === 8 ? 2 : 1;
  return k > 0x7fffffff ? 0 : k + size;
}

/** Whether A's value before the instruction is never used. */
function deadAccumulator(program: readonly Insn[]): boolean[] {
  const dead: boolean[] = Array(program.length + 1).fill(true);
  for (let pc = program.length - 1; pc >= 0; pc--) {
    const insn = program[pc]!;
    if (usesAccumulator(insn)) dead[pc] = false;
    else if ((insn.code & 7) === 0 || insn.code === 0x87) dead[pc] = true;
    else dead[pc] = successors(insn, pc).every((next) => dead[next] ?? true);
  }
  return dead;
}

function usesAccumulator({ code }: Insn): boolean {
  switch (code & 7) {
    case 2:
    case 4:
      return true;
    case 5:
      return (code & 0xf0) !== 0;
    case 6:
      return (code & 0x18) === 0x10;
    default:
      return code === 0x07;
  }
}

function rawTest(
  program: readonly Insn[],
  jumped: ReadonlySet<number>,
  dead: readonly boolean[],
  pc: number,
): { jump: number; mask: number | null } | null {
  let jump = pc + 1;
  let mask: number | null = null;
  if (program[jump]?.code === 0x54 && !jumped.has(jump)) mask = program[jump++]!.k;
  const insn = program[jump];
  const compares = insn?.code === 0x15 || insn?.code === 0x45;
  if (!insn || !compares || jumped.has(jump)) return null;
  return successors(insn, jump).every((next) => dead[next]) ? { jump, mask } : null;
}
