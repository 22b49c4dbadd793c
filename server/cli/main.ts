#!/usr/bin/env node
/**
 * The `ringtap` command: finds the command, prints help, turns errors into one line and an exit code
 * (0 done, 1 failed, 2 wrong usage). Commands are loaded when asked for, so that reading a file does
 * not wait for the gateway's packages.
 */
import { VERSION } from '../paths.js';
import { type Command, Failure, UsageError } from './command.js';
import { flush, note, OutputClosed, printLine } from './output.js';

const commands: Record<string, () => Promise<Command>> = {
  up: async () => (await import('./up/up.js')).up,
  gateway: async () => (await import('./gateway.js')).gateway,
  summary: async () => (await import('./summary.js')).summary,
  packets: async () => (await import('./packets.js')).packets,
  count: async () => (await import('./count.js')).count,
  decode: async () => (await import('./decode.js')).decode,
  slice: async () => (await import('./slice.js')).slice,
  flows: async () => (await import('./flows.js')).flows,
  query: async () => (await import('./query.js')).query,
  import: async () => (await import('./import.js')).importFiles,
  verify: async () => (await import('./verify.js')).verify,
};

async function printHelp(): Promise<void> {
  printLine('Usage: ringtap COMMAND [ARGUMENTS]\n');
  printLine('Records every packet of an interface, shows it live in a browser, reads capture files.\n');
  for (const [name, load] of Object.entries(commands)) {
    printLine(`  ${name.padEnd(9)} ${(await load()).summary}`);
  }
  printLine('\nringtap COMMAND --help tells more. --version prints the version.');
  printLine('Exit codes: 0 done, 1 failed, 2 wrong usage.');
}

function asksForHelp(args: string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}

async function runCommand(name: string | undefined, args: string[]): Promise<number> {
  if (name === '--version') {
    printLine(VERSION);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') {
    await printHelp();
    return 0;
  }
  if (name === undefined) throw new UsageError('a command is missing');
  if (!Object.hasOwn(commands, name)) throw new UsageError(`there is no command ${name}`);
  const command = await (commands[name] as () => Promise<Command>)();
  if (!asksForHelp(args)) return command.run(args);
  printLine(command.help.trimEnd());
  return 0;
}

/** One line for people; a stack only for what we did not foresee, and only when asked for. */
function report(error: Error, name: string | undefined): number {
  const known = name !== undefined && Object.hasOwn(commands, name);
  if (error instanceof UsageError) {
    note(`ringtap${known ? ` ${name}` : ''}: ${error.message}`);
    note(`Try: ringtap ${known ? `${name} ` : ''}--help`);
    return 2;
  }
  note(`ringtap: ${error.message}`);
  if (!(error instanceof Failure) && process.env.RINGTAP_DEBUG) note(String(error.stack));
  return 1;
}

process.on('uncaughtException', (error) => process.exit(report(error, undefined)));

const [name, ...args] = process.argv.slice(2);
try {
  process.exitCode = await runCommand(name, args);
  flush();
} catch (error) {
  // Nobody reads our output any more: `ringtap packets FILE | head` has what it wanted.
  if (error instanceof OutputClosed) process.exit(0);
  process.exitCode = report(error as Error, name);
}
