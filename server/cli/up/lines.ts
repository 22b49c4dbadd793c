/** Splits a child's output into lines of bounded length. */
import type { Readable } from 'node:stream';

const LINE_CHARS_MAX = 64 * 1024;

export function onLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() as string).slice(-LINE_CHARS_MAX);
    for (const line of lines) if (line) onLine(line);
  });
  stream.on('end', () => {
    if (rest) onLine(rest);
  });
}
