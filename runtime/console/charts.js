// One chart: values over time with its bounds, its baseline, safe mode and the marks of changes. On Chart.js, with a plain
// number axis for time, so that no date library is needed.
/* global Chart */
import { clock, number } from "./dom.js";
import { mark_text } from "./history.js";

const max_shown_probes = 80;   // beyond it dots are a smear, and the live line shows them
const tick_steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400].map((s) => s * 1000);

export const colours = {};
export function read_colours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["text", "muted", "line", "live", "base", "band", "bound", "baseline", "ok", "bad", "warn", "frozen", "panel"])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  Chart.defaults.font.family = style.getPropertyValue("font-family") || "sans-serif";
  Chart.defaults.font.size = 11;
}

/** @param call  called when light turns to dark or back. */
export function when_theme_changes(call) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { read_colours(); call(); });
}

/** The chart of a knob shows a log axis where its bounds span two decades or near it. */
export const is_log = (knob) => knob.min > 0 && knob.max / knob.min >= 50;

export function time_ticks(scale) {
  const width = scale.max - scale.min;
  const wanted = width / Math.max(2, Math.min(8, scale.width / 90));
  const step = tick_steps.find((s) => s >= wanted) ?? 86400000;
  const zone = new Date(scale.min).getTimezoneOffset() * 60000;
  const first = Math.ceil((scale.min - zone) / step) * step + zone;
  scale.ticks = [];
  for (let t = first; t <= scale.max; t += step) scale.ticks.push({ value: t });
}

function knob_ticks(knob, scale) {
  const middle = is_log(knob) ? Math.sqrt(knob.min * knob.max) : (knob.min + knob.max) / 2;
  scale.ticks = [knob.min, Number(middle.toPrecision(2)), knob.max].map((value) => ({ value }));
}

// Behind the lines: the band between the bounds, the baseline, the times in safe mode.
const background = (view) => ({
  id: "background",
  beforeDatasetsDraw(chart) {
    const { ctx, chartArea: area, scales: { x, y } } = chart;
    const { knob, frozen } = view;
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.width, area.height);
    ctx.clip();
    if (knob) {
      const top = y.getPixelForValue(knob.max), bottom = y.getPixelForValue(knob.min);
      ctx.fillStyle = colours.band;
      ctx.fillRect(area.left, top, area.width, bottom - top);
      ctx.strokeStyle = colours.bound;
      ctx.lineWidth = 1;
      for (const at of [top, bottom]) line(ctx, area, at);
    }
    for (const { from, to } of frozen) {
      const left = x.getPixelForValue(from), right = to === null ? area.right : x.getPixelForValue(to);
      if (right < area.left) continue;
      ctx.fillStyle = colours.frozen;
      ctx.fillRect(left, area.top, right - left, area.height);
      ctx.fillRect(left, area.top, right - left, 3);
    }
    if (knob) {
      ctx.strokeStyle = colours.baseline;
      ctx.lineWidth = 1.5;
      ctx.setLineDash([6, 4]);
      line(ctx, area, y.getPixelForValue(knob.baseline));
    }
    ctx.restore();
  },
});

function line(ctx, area, at) {
  ctx.beginPath();
  ctx.moveTo(area.left, Math.round(at) + 0.5);
  ctx.lineTo(area.right, Math.round(at) + 0.5);
  ctx.stroke();
}

// Shapes differ, not only colours: dot, small dot, cross, triangle.
const mark_styles = {
  applied: () => ({ pointStyle: "circle", radius: 4, backgroundColor: colours.ok, borderColor: colours.panel, borderWidth: 1 }),
  probe: () => ({ pointStyle: "circle", radius: 1.8, backgroundColor: colours.muted, borderWidth: 0 }),
  rejected: () => ({ pointStyle: "crossRot", radius: 5, borderColor: colours.bad, borderWidth: 2 }),
  "rolled back": () => ({ pointStyle: "triangle", rotation: 180, radius: 6, backgroundColor: colours.warn, borderColor: colours.panel, borderWidth: 1 }),
};
const mark_order = ["probe", "applied", "rejected", "rolled back"];
const depth = { "rolled back": 0, rejected: 1, applied: 2, base: 3, objective: 3, probe: 4, live: 5 };   // 0 is in front

export function paint_scales(chart) {
  const { x, y } = chart.options.scales;
  for (const scale of [x, y]) {
    scale.ticks.color = colours.muted;
    scale.grid = { color: colours.line, borderColor: colours.line, tickLength: 3 };
  }
}

export class Chart_view {
  /** @param index  of the knob in its loop; null: the objective. */
  constructor(canvas, index) {
    if (!colours.text) read_colours();
    this.index = index;
    this.knob = null;
    this.frozen = [];
    const lines = [{ type: "line", label: index === null ? "objective" : "live" }, { type: "line", label: "base" }];
    this.chart = new Chart(canvas, {
      type: "scatter",
      data: { datasets: [...lines, ...mark_order.map((label) => ({ type: "scatter", label }))].map((d) => ({ ...d, order: depth[d.label], data: [] })) },
      options: {
        animation: false, parsing: false, normalized: true, maintainAspectRatio: false, responsive: true,
        layout: { padding: 0 },
        elements: { point: { radius: 0, hoverRadius: 3 } }, // of lines; marks have their own
        interaction: { mode: "nearest", axis: "x", intersect: false },
        plugins: {
          legend: { display: false },
          tooltip: {
            displayColors: false, boxPadding: 4, filter: (item, i, all) => all.findIndex((other) => other.datasetIndex === item.datasetIndex) === i,
            itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
            callbacks: { title: (items) => (items[0] ? clock(items[0].parsed.x) : ""), label: (item) => this.tooltip(item) },
          },
        },
        scales: {
          x: { type: "linear", afterBuildTicks: time_ticks, ticks: { maxRotation: 0, autoSkip: false, callback: (t) => clock(t) } },
          y: { type: "linear", ticks: { autoSkip: false, callback: (v) => number(v) } },
        },
      },
      plugins: [background(this)],
    });
    this.paint();
  }

  paint() {
    const [live, base, ...marks] = this.chart.data.datasets;
    const stepped = this.index !== null;
    Object.assign(live, { borderColor: stepped ? colours.live : colours.base, borderWidth: stepped ? 1 : 1.5, stepped });
    Object.assign(base, { borderColor: colours.base, borderWidth: 2.5, stepped });
    marks.forEach((m) => {
      const style = mark_styles[m.label]();
      Object.assign(m, style, { hoverRadius: (style.radius ?? 3) + 1, hoverBorderColor: style.borderColor });
    });
    paint_scales(this.chart);
  }

  tooltip(item) {
    if (item.raw.mark) return mark_text(item.raw.mark, this.knobs, this.index);
    return `${item.dataset.label} ${number(item.parsed.y)}`;
  }

  /** @param loop  its status. @param span_ms  time shown; 0: all there is. */
  update(loop, history, now, span_ms) {
    this.knobs = loop.knobs;
    const knob = this.index === null ? null : loop.knobs[this.index];
    const series = knob ? history.knob(this.index) : { live: history.objective, base: null };
    const begin = span_ms > 0 ? now - span_ms : Math.min(now - 60000, series.live.points[0]?.x ?? now);
    const { datasets } = this.chart.data, { x, y } = this.chart.options.scales;
    this.knob = knob;
    this.frozen = history.frozen;
    x.min = begin;
    x.max = now;
    datasets[0].data = shown(series.live, begin, knob ? now : null);
    datasets[1].data = series.base ? shown(series.base, begin, now) : [];
    mark_order.forEach((kind, i) => {
      let marks = history.marks[kind].filter((m) => m.x >= begin && m.x <= now);
      if (kind === "probe" && (!knob || marks.length > max_shown_probes)) marks = [];
      datasets[2 + i].data = marks.map((mark) => ({ x: mark.x, y: this.height(mark, series.live), mark })).filter((p) => Number.isFinite(p.y));
    });
    if (knob) this.fit_knob(knob, y); else fit_objective(datasets[0].data, y);
    this.chart.update("none");
  }

  /** A refused value may lie outside the bounds: its mark then stands at the edge. */
  height(mark, live) {
    if (this.index === null) return live.at(mark.x); // nothing before its first value
    const knob = this.knobs[this.index], value = mark.record.after?.[this.index] ?? live.at(mark.x) ?? knob.baseline;
    return Math.min(knob.max, Math.max(knob.min, value));
  }

  fit_knob(knob, y) {
    const log = is_log(knob);
    y.type = log ? "logarithmic" : "linear";
    const room = log ? Math.pow(knob.max / knob.min, 0.06) : (knob.max - knob.min) * 0.06;
    y.min = log ? knob.min / room : knob.min - room;
    y.max = log ? knob.max * room : knob.max + room;
    y.afterBuildTicks = (scale) => knob_ticks(knob, scale);
  }

  repaint() { this.paint(); this.chart.update("none"); }
  destroy() { this.chart.destroy(); }
}

/** The points since `begin`, with the value that held at the left edge and, for values that hold on, at the right one. */
function shown(series, begin, now) {
  const points = series.points.filter((p) => p.x >= begin);
  const before = series.points.length > points.length ? series.at(begin) : undefined;
  if (before !== undefined) points.unshift({ x: begin, y: before });
  if (now !== null && points.length > 0) points.push({ x: now, y: points.at(-1).y });
  return points;
}

function fit_objective(points, y) {
  let low = Infinity, high = -Infinity;
  for (const p of points) { low = Math.min(low, p.y); high = Math.max(high, p.y); }
  if (low > high) [low, high] = [0, 1];
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  y.min = low - room;
  y.max = high + room;
  y.afterBuildTicks = (scale) => { scale.ticks = [low, (low + high) / 2, high].map((v) => ({ value: Number(v.toPrecision(3)) })); };
}
