/** Capture files for benchmarks, made by the probe's own synth source and kept under build/bench. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Traffic {
  file: string;
  bytes: number;
  packets: number;
  label: string;
}

/** A pcapng file of `packets` frames; `size` and `flows` as in `ringtapd --synth`. */
export function traffic(label: string, spec: { size: string; flows: number; packets: number }): Traffic {
  const directory = join('build', 'bench');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${label.replace(/\W+/g, '-')}-${spec.packets}.pcapng`);
  if (!existsSync(file)) {
    const synth = `seed=1,size=${spec.size},flows=${spec.flows},count=${spec.packets},pps=0`;
    const args = ['--ring=synth', '--synth', synth, '-w', `${file}.part`, '--stats', '/dev/null'];
    process.stderr.write(`bench: writing ${file}\n`);
    const { status, stderr } = spawnSync('build/native/ringtapd', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`could not make ${file}: ${stderr}`);
    renameSync(`${file}.part`, file);
  }
  return { file, bytes: statSync(file).size, packets: spec.packets, label };
}
