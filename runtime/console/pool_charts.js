// A pool's two charts: its thresholds over the axis of sizes, and the latency by method over the last hour.
/* global Chart */
import { colours, paint_scales, read_colours, time_ticks } from "./charts.js";
import { clock, microseconds, size } from "./dom.js";

const base = () => ({ animation: false, parsing: false, normalized: true, maintainAspectRatio: false, responsive: true });
const tooltip = (title, label) => ({ displayColors: false, boxPadding: 4, callbacks: { title, label } });

class Chart_of {
  constructor(canvas, config) {
    if (!colours.text) read_colours();
    this.chart = new Chart(canvas, config);
    this.repaint();
  }
  repaint() { paint_scales(this.chart); this.paint(); this.chart.update("none"); }
  destroy() { this.chart.destroy(); }
}

// Left of the least size always grpc, right of the largest always zero_copy.
const quick_path = (view) => ({
  id: "quick",
  beforeDatasetsDraw({ ctx, chartArea: area, scales: { x } }) {
    if (!view.policy) return;
    const left = x.getPixelForValue(Math.max(x.min, Number(view.policy.minimum_threshold)));
    const right = x.getPixelForValue(Math.min(x.max, Number(view.policy.maximum_threshold)));
    ctx.save();
    ctx.fillStyle = colours.band;
    ctx.fillRect(area.left, area.top, left - area.left, area.height);
    ctx.fillRect(right, area.top, area.right - right, area.height);
    ctx.strokeStyle = colours.bound;
    for (const at of [left, right]) {
      ctx.beginPath();
      ctx.moveTo(Math.round(at) + 0.5, area.top);
      ctx.lineTo(Math.round(at) + 0.5, area.bottom);
      ctx.stroke();
    }
    ctx.restore();
  },
});

function size_ticks(scale) {
  const first = Math.ceil(Math.log2(scale.min)), last = Math.floor(Math.log2(scale.max));
  const step = [1, 2, 5, 10].find((s) => (last - first) / s <= Math.max(2, scale.width / 70)) ?? 10;
  scale.ticks = [];
  for (let power = Math.ceil(first / step) * step; power <= last; power += step) scale.ticks.push({ value: 2 ** power });
}

export class Threshold_chart extends Chart_of {
  constructor(canvas) {
    const view = {};
    super(canvas, {
      type: "scatter",
      data: { datasets: ["threshold", "configured", "before"].map((label) => ({ label, data: [] })) },
      options: {
        ...base(), interaction: { mode: "nearest", intersect: false },
        plugins: { legend: { display: false }, tooltip: tooltip((items) => items[0]?.raw.type ?? "", (item) => item.raw.words) },
        scales: {
          x: { type: "logarithmic", afterBuildTicks: size_ticks, ticks: { maxRotation: 0, autoSkip: false, callback: (v) => size(v) } },
          y: { type: "linear", reverse: true, afterBuildTicks: (s) => { s.ticks = (view.types ?? []).map((_, value) => ({ value })); },
               ticks: { autoSkip: false, callback: (v) => view.types?.[v] ?? "" } },
        },
      },
      plugins: [quick_path(view)],
    });
    this.view = view;
  }

  paint() {
    const [now, configured, before] = this.chart.data.datasets;
    Object.assign(now, { pointStyle: "circle", radius: 6, hoverRadius: 7, backgroundColor: colours.base, borderColor: colours.panel });
    Object.assign(configured, { pointStyle: "crossRot", radius: 6, hoverRadius: 7, borderColor: colours.baseline, borderWidth: 2 });
    Object.assign(before, { pointStyle: "circle", radius: 2.5, hoverRadius: 4, backgroundColor: colours.muted, borderWidth: 0 });
  }

  update(pool) {
    const { thresholds = [], changes = [], policy } = pool, types = thresholds.map((t) => t.type);
    Object.assign(this.view, { policy, types });
    const { x, y } = this.chart.options.scales, [now, configured, before] = this.chart.data.datasets;
    x.min = Math.max(256, Number(policy.minimum_threshold) / 8);
    x.max = Math.max(x.min * 4, Number(policy.maximum_threshold) * 2);
    y.min = -0.6;
    y.max = types.length - 0.4;
    const inside = (v) => Math.min(x.max, Math.max(x.min, Number(v)));
    now.data = thresholds.map((t, i) => ({ x: inside(t.threshold), y: i, type: t.type, words: `threshold ${size(t.threshold)}` }));
    configured.data = thresholds.map((t, i) => ({ x: inside(t.base), y: i, type: t.type, words: `configured ${size(t.base)}` }));
    before.data = changes.map((c) => ({ x: inside(c.from), y: types.indexOf(c.type), type: c.type, words: `was ${size(c.from)}: ${c.rationale}` }));
    this.chart.update("none");
  }
}

const lines = [["grpc", "p50_us", false], ["grpc", "p99_us", true], ["zero_copy", "p50_us", false], ["zero_copy", "p99_us", true]];
const line_words = ([method, field]) => `${method} ${field.slice(0, 3)}`;

export class Latency_chart extends Chart_of {
  constructor(canvas) {
    super(canvas, {
      type: "line",
      data: { datasets: lines.map((l) => ({ label: line_words(l), data: [] })) },
      options: {
        ...base(), interaction: { mode: "index", intersect: false },
        plugins: { legend: { display: false },
                   tooltip: tooltip((items) => (items[0] ? clock(items[0].parsed.x) : ""), (item) => `${item.dataset.label} ${microseconds(item.parsed.y)}`) },
        scales: {
          x: { type: "linear", afterBuildTicks: time_ticks, ticks: { maxRotation: 0, autoSkip: false, callback: (t) => clock(t).slice(0, 5) } },
          y: { type: "logarithmic", ticks: { maxTicksLimit: 6, callback: (v) => microseconds(v) } },
        },
      },
    });
  }

  paint() {
    lines.forEach(([method, , tail], i) => {
      const colour = method === "grpc" ? colours.base : colours.baseline;
      Object.assign(this.chart.data.datasets[i], { borderColor: colour, backgroundColor: colour, borderWidth: tail ? 1 : 2.5,
                                                   borderDash: tail ? [5, 4] : [], spanGaps: true,
                                                   pointRadius: 1.5, pointBorderWidth: 0, pointBackgroundColor: colour });
    });
  }

  /** @param by_method  points of the last hour. @param now  the daemon's clock, in ms. */
  update(by_method, now) {
    const { x } = this.chart.options.scales;
    x.min = now - 3600000;
    x.max = now;
    lines.forEach(([method, field], i) => {
      this.chart.data.datasets[i].data = (by_method[method] ?? []).filter((p) => Number(p.delivered) > 0)
        .map((p) => ({ x: Number(p.time_us) / 1000, y: p[field] }));
    });
    this.chart.update("none");
  }
}
