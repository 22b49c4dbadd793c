/**
 * Runs a query's first tasks on the thread that asks, for a command that has nothing else to do: its first packets
 * come before scanning threads would have started, and a query that an index answers needs none.
 */
import { BlockScanner } from '../../asm/host/blocks.js';
import type { ScanResult, ScanTask } from './messages.js';
import type { TaskRunner } from './pool.js';
import { OpenFiles, runTask } from './scan-task.js';

export class InlineRunner implements TaskRunner {
  readonly #scanner: Promise<BlockScanner>;
  readonly #files = new OpenFiles();

  constructor(module: WebAssembly.Module) {
    this.#scanner = BlockScanner.load(module);
  }

  /** Throws FilterError. */
  async run(task: Omit<ScanTask, 'id'>): Promise<ScanResult> {
    return runTask(await this.#scanner, this.#files, { ...task, id: 0 });
  }

  release(): void {}

  close(): void {
    this.#files.closeAll();
  }
}
