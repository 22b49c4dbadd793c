/** A filter program as text, one line per instruction, in the format of `tcpdump -d`. */
import type { Insn } from './program.js';
import { PACKET_TYPE } from './special.js';

const SIZES: Record<number, string> = { 0: 'ld', 8: 'ldh', 16: 'ldb' };
const JUMPS: Record<number, string> = { 16: 'jeq', 32: 'jgt', 48: 'jge', 64: 'jset' };
const ALU: Record<number, string> = {
  0: 'add', 16: 'sub', 32: 'mul', 48: 'div', 64: 'or', 80: 'and', 96: 'lsh', 112: 'rsh', 128: 'neg',
  144: 'mod', 160: 'xor',
}; // biome-ignore format: pairs
/** Operands of these are shown in hexadecimal. */
const BITWISE = new Set([0x40, 0x50, 0xa0]);

export function listProgram(program: readonly Insn[]): string[] {
  return program.map((insn, at) => {
    const [operation, operand] = image(insn, at);
    const start = `(${String(at).padStart(3, '0')}) ${operation.padEnd(8)} `;
    if ((insn.code & 7) !== 5 || (insn.code & 0xf0) === 0) return start + operand;
    return `${start}${operand.padEnd(16)} jt ${at + 1 + insn.jt}\tjf ${at + 1 + insn.jf}`;
  });
}

function image(insn: Insn, at: number): [operation: string, operand: string] {
  const { code, k } = insn;
  const operation = code & 0xf0;
  switch (code & 7) {
    case 0:
    case 1:
      return load(insn);
    case 2:
      return ['st', `M[${k}]`];
    case 3:
      return ['stx', `M[${k}]`];
    case 4: {
      const shown = BITWISE.has(operation) ? `#0x${k.toString(16)}` : `#${k | 0}`;
      return [ALU[operation]!, operation === 0x80 ? '' : code & 8 ? 'x' : shown];
    }
    case 5:
      return operation === 0
        ? ['ja', String(at + 1 + (k | 0))]
        : [JUMPS[operation]!, code & 8 ? 'x' : `#0x${k.toString(16)}`];
    case 6:
      return ['ret', (code & 0x18) === 0x10 ? '' : `#${k | 0}`];
    default:
      return [code & 0x80 ? 'txa' : 'tax', ''];
  }
}

function load({ code, k }: Insn): [operation: string, operand: string] {
  const wide = code & 1 ? 'ldx' : 'ld';
  switch (code & 0xe0) {
    case 0x00:
      return [wide, `#0x${k.toString(16)}`];
    case 0x20:
      return [SIZES[code & 0x18]!, k === PACKET_TYPE ? '[type]' : `[${k | 0}]`];
    case 0x40:
      return [SIZES[code & 0x18]!, `[x + ${k | 0}]`];
    case 0x60:
      return [wide, `M[${k}]`];
    case 0x80:
      return [wide, '#pktlen'];
    default:
      return ['ldxb', `4*([${k | 0}]&0xf)`];
  }
}
