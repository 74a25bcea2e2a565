// Elements and text. Nothing here builds markup from strings: what the daemon says is always text.

/** An element: h("button", {class: "x", onclick: f, aria-label: "y"}, "text", child, ...). Null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return e;
}

export const by_id = (id) => document.getElementById(id);

/** Sets text only where it differs, so that screen readers and the layout are left in peace. */
export function set_text(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function set_state(element, name, text) {
  if (element.dataset.state !== name) element.dataset.state = name;
  set_text(element, text);
}

/** A button that a press only reaches while it is enabled; disabled ones keep their place in the focus order. */
export function enable(button, enabled) {
  button.setAttribute("aria-disabled", enabled ? "false" : "true");
}

/** Four significant digits: what fits a label and what an operator compares. */
export function number(value) {
  const v = Number(value);
  if (!Number.isFinite(v)) return "–";
  if (Number.isInteger(v) && Math.abs(v) < 1e7) return String(v);
  return Math.abs(v) >= 1e7 || Math.abs(v) < 1e-4 ? v.toPrecision(4) : String(Number(v.toPrecision(4)));
}

export const with_unit = (value, unit) => (unit ? `${number(value)} ${unit}` : number(value));

const size_units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
/** 10485760 -> "10 MiB" */
export function size(bytes) {
  const v = Number(bytes);
  const unit = v < 1 ? 0 : Math.min(size_units.length - 1, Math.floor(Math.log2(v) / 10));
  return `${Number((v / 2 ** (10 * unit)).toPrecision(3))} ${size_units[unit]}`;
}

/** 3200 -> "3.2 ms" */
export function microseconds(us) {
  const v = Number(us), three = (n) => Number(n.toPrecision(3));
  return v >= 1e6 ? `${three(v / 1e6)} s` : v >= 1e3 ? `${three(v / 1e3)} ms` : `${three(v)} µs`;
}

/** Protobuf's JSON writes 64-bit integers as text. */
export const us_to_ms = (us) => Number(us) / 1000;

const pad = (n) => String(n).padStart(2, "0");
export function clock(ms) {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

/** The time of day, with the date when it is another day. */
export function moment(ms) {
  const d = new Date(ms);
  const day = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  return d.toDateString() === new Date().toDateString() ? clock(ms) : `${day} ${clock(ms)}`;
}

/** 75000 -> "1 min 15 s" */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Says it to screen readers. */
export function announce(text) {
  by_id("announce").textContent = text;
}
