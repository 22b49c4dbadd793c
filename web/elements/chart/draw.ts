/**
 * Draws throughput on a canvas: two panels over one time axis. A span without ledgers is hatched
 * with its exact mean dashed through it, because its shape is unknown; so is the time since the last
 * ledger. Pure drawing: no state, no DOM beyond the context.
 */

import { formatClock, formatScaled } from '../../data/format.js';
import type { ThroughputPoint } from '../../data/throughput.js';
import { niceCeiling, timeTicks } from './scale.js';

export interface ChartColors {
  packets: string;
  bits: string;
  grid: string;
  muted: string;
  hatch: string;
  warning: string;
}

/** Where times lie on the canvas, in CSS pixels. */
export interface Geometry {
  startMs: number;
  /** The right edge: now, on the probe's clock. */
  endMs: number;
  width: number;
  height: number;
}

export interface ChartModel extends Geometry {
  points: readonly ThroughputPoint[];
  /** Where this page missed packets. */
  marksMs: readonly number[];
  synthetic: boolean;
  hoverMs: number | null;
  colors: ChartColors;
  font: string;
}

interface Panel {
  title: string;
  color: string;
  value: (point: ThroughputPoint) => number;
  top: number;
  bottom: number;
  max: number;
}

export const LEFT = 52;
export const RIGHT = 14;
const AXIS_HEIGHT = 22;
const PANEL_GAP = 22;
const TITLE_HEIGHT = 18;
/** Later than this the last point is no longer "now". */
const STALE_MS = 3000;

export function xOf(model: Geometry, ms: number): number {
  const share = (ms - model.startMs) / (model.endMs - model.startMs);
  return LEFT + share * (model.width - LEFT - RIGHT);
}

export function msAt(model: Geometry, x: number): number {
  return model.startMs + ((x - LEFT) / (model.width - LEFT - RIGHT)) * (model.endMs - model.startMs);
}

/** The point under the pointer, or null beside the data. */
export function pointAt(points: readonly ThroughputPoint[], ms: number): ThroughputPoint | null {
  return points.find((point) => ms >= point.startMs && ms <= point.endMs) ?? null;
}

export function drawChart(context: CanvasRenderingContext2D, model: ChartModel): void {
  context.clearRect(0, 0, model.width, model.height);
  context.font = model.font;
  const half = (model.height - AXIS_HEIGHT - PANEL_GAP) / 2;
  const visible = model.points.filter((point) => point.endMs >= model.startMs);
  const panels: Panel[] = [
    panel('packets/s', model.colors.packets, (point) => point.packetsPerSecond, 0, half, visible),
    panel('bit/s', model.colors.bits, (point) => point.bitsPerSecond, half + PANEL_GAP, half, visible),
  ];
  drawTimeAxis(context, model);
  if (model.synthetic) drawSynthetic(context, model, panels[0]!);
  for (const each of panels) {
    drawGrid(context, model, each);
    context.save();
    context.beginPath();
    context.rect(LEFT, each.top - 2, model.width - LEFT - RIGHT, each.bottom - each.top + 4);
    context.clip();
    drawSeries(context, model, each, visible);
    context.restore();
  }
  drawMarks(context, model, panels[1]!.bottom);
  drawHover(context, model, panels);
}

function panel(
  title: string,
  color: string,
  value: (point: ThroughputPoint) => number,
  offset: number,
  height: number,
  points: readonly ThroughputPoint[],
): Panel {
  const highest = points.reduce((most, point) => Math.max(most, value(point)), 0);
  return {
    title,
    color,
    value,
    top: offset + TITLE_HEIGHT,
    bottom: offset + height,
    max: niceCeiling(highest * 1.05),
  };
}

const yOf = (panel: Panel, value: number) => panel.bottom - (value / panel.max) * (panel.bottom - panel.top);
/** On the half pixel, where a line of one pixel is sharp. */
const crisp = (value: number) => Math.round(value) + 0.5;

function drawTimeAxis(context: CanvasRenderingContext2D, model: ChartModel): void {
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  for (const tick of timeTicks(model.startMs, model.endMs, model.width - LEFT - RIGHT, 92)) {
    const x = crisp(xOf(model, tick));
    context.strokeStyle = model.colors.grid;
    line(context, x, TITLE_HEIGHT, x, model.height - AXIS_HEIGHT);
    if (x < LEFT + 24 || x > model.width - RIGHT - 20) continue;
    context.fillStyle = model.colors.muted;
    context.fillText(formatClock(tick), x, model.height - 6);
  }
}

function drawGrid(context: CanvasRenderingContext2D, model: ChartModel, panel: Panel): void {
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const share of [0, 0.5, 1]) {
    const y = crisp(yOf(panel, panel.max * share));
    context.strokeStyle = model.colors.grid;
    line(context, LEFT, y, model.width - RIGHT, y);
    context.fillStyle = model.colors.muted;
    context.fillText(formatScaled(panel.max * share), LEFT - 8, y);
  }
  context.textAlign = 'left';
  context.textBaseline = 'alphabetic';
  context.fillStyle = panel.color;
  context.fillText(panel.title, LEFT, panel.top - 7);
}

function drawSeries(
  context: CanvasRenderingContext2D,
  model: ChartModel,
  panel: Panel,
  points: readonly ThroughputPoint[],
): void {
  for (const point of points) if (point.gap) drawGap(context, model, panel, point);
  for (const run of runs(points)) drawRun(context, model, panel, run);
  const last = points.at(-1);
  if (last && model.endMs - last.endMs > STALE_MS) {
    hatch(context, model, xOf(model, last.endMs), xOf(model, model.endMs), panel);
  }
}

/** Points without a gap between them. */
function runs(points: readonly ThroughputPoint[]): ThroughputPoint[][] {
  const all: ThroughputPoint[][] = [];
  let current: ThroughputPoint[] = [];
  for (const point of points) {
    if (!point.gap) {
      current.push(point);
      continue;
    }
    if (current.length) all.push(current);
    current = [];
  }
  if (current.length) all.push(current);
  return all;
}

function drawRun(
  context: CanvasRenderingContext2D,
  model: ChartModel,
  panel: Panel,
  run: readonly ThroughputPoint[],
): void {
  const path = new Path2D();
  const firstX = xOf(model, run[0]!.startMs);
  path.moveTo(firstX, yOf(panel, panel.value(run[0]!)));
  for (const point of run) path.lineTo(xOf(model, point.endMs), yOf(panel, panel.value(point)));
  const area = new Path2D(path);
  area.lineTo(xOf(model, run.at(-1)!.endMs), panel.bottom);
  area.lineTo(firstX, panel.bottom);
  context.globalAlpha = 0.13;
  context.fillStyle = panel.color;
  context.fill(area);
  context.globalAlpha = 1;
  context.strokeStyle = panel.color;
  context.lineWidth = 1.75;
  context.lineJoin = 'round';
  context.stroke(path);
  context.lineWidth = 1;
}

function drawGap(
  context: CanvasRenderingContext2D,
  model: ChartModel,
  panel: Panel,
  gap: ThroughputPoint,
): void {
  const from = xOf(model, gap.startMs);
  const to = xOf(model, gap.endMs);
  hatch(context, model, from, to, panel);
  const y = crisp(yOf(panel, panel.value(gap)));
  context.strokeStyle = panel.color;
  context.setLineDash([4, 4]);
  line(context, from, y, to, y);
  context.setLineDash([]);
}

function hatch(
  context: CanvasRenderingContext2D,
  model: ChartModel,
  from: number,
  to: number,
  panel: Panel,
): void {
  context.save();
  context.beginPath();
  context.rect(from, panel.top, to - from, panel.bottom - panel.top);
  context.clip();
  context.strokeStyle = model.colors.hatch;
  const height = panel.bottom - panel.top;
  for (let x = from - height - ((from - height) % 7); x < to; x += 7) {
    line(context, x, panel.bottom, x + height, panel.top);
  }
  context.restore();
}

function drawMarks(context: CanvasRenderingContext2D, model: ChartModel, bottom: number): void {
  context.fillStyle = model.colors.warning;
  for (const mark of model.marksMs) {
    if (mark < model.startMs || mark > model.endMs) continue;
    const x = xOf(model, mark);
    context.beginPath();
    context.moveTo(x, bottom - 1);
    context.lineTo(x - 4, bottom + 6);
    context.lineTo(x + 4, bottom + 6);
    context.fill();
  }
}

function drawHover(context: CanvasRenderingContext2D, model: ChartModel, panels: readonly Panel[]): void {
  if (model.hoverMs === null) return;
  const point = pointAt(model.points, model.hoverMs);
  const x = crisp(xOf(model, point ? point.endMs : model.hoverMs));
  context.strokeStyle = model.colors.muted;
  line(context, x, panels[0]!.top, x, panels[1]!.bottom);
  if (!point) return;
  for (const panel of panels) {
    context.fillStyle = panel.color;
    context.beginPath();
    context.arc(x - 0.5, yOf(panel, panel.value(point)), 3.5, 0, 2 * Math.PI);
    context.fill();
  }
}

// Faint, behind the data, where nobody can crop it out of a screenshot of the chart.
function drawSynthetic(context: CanvasRenderingContext2D, model: ChartModel, panel: Panel): void {
  context.save();
  context.globalAlpha = 0.2;
  context.fillStyle = model.colors.warning;
  const size = Math.min(44, (model.width - LEFT - RIGHT) / 12);
  context.font = model.font.replace('11px', `700 ${size}px`);
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText('SYNTHETIC TRAFFIC', (LEFT + model.width - RIGHT) / 2, (panel.top + panel.bottom) / 2);
  context.restore();
}

function line(context: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}
