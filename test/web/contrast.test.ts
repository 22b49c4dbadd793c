/** WCAG AA for both themes, computed from the tokens: text needs 4.5:1 on every ground it is used on. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const css = readFileSync('web/static/app.css', 'utf8');
const tokens = new Map<string, [light: string, dark: string]>();
for (const [, name, light, dark] of css.matchAll(/--([\w-]+): light-dark\((#[\da-f]{6}), (#[\da-f]{6})\)/g)) {
  tokens.set(name!, [light!, dark!]);
}

function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(text: string, ground: string, theme: 0 | 1): number {
  const [a, b] = [luminance(tokens.get(text)![theme]), luminance(tokens.get(ground)![theme])];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const PAIRS: [texts: string[], grounds: string[]][] = [
  [
    ['strong', 'text', 'muted'],
    ['ground', 'surface', 'raised', 'hover'],
  ],
  [['good', 'warning', 'alarm', 'packets', 'bits'], ['surface']],
  [['strong', 'text', 'muted'], ['accent-soft']],
  [
    ['p-tcp', 'p-udp', 'p-icmp', 'p-arp', 'p-dns', 'p-web', 'p-other'],
    ['surface', 'hover', 'accent-soft'],
  ],
  [['warning', 'text'], ['warning-soft']],
  [['alarm', 'text'], ['alarm-soft']],
  [['strong'], ['mark', 'mark-soft']],
  [['on-accent'], ['accent']],
];

for (const theme of [0, 1] as const) {
  test(`${theme ? 'dark' : 'light'} text is readable on every ground`, () => {
    for (const [texts, grounds] of PAIRS) {
      for (const text of texts) {
        for (const ground of grounds) {
          const ratio = contrast(text, ground, theme);
          assert.ok(ratio >= 4.5, `--${text} on --${ground} has ${ratio.toFixed(2)}:1`);
        }
      }
    }
  });
}

test.run();
