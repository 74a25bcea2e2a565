// What happens, as it happens: server-sent events read with fetch (an EventSource cannot send a token), or polling where
// the daemon has no event stream. Reconnects by itself; records that were missed in between are fetched.
import { Problem, api, fetch_ok } from "./api.js";

const poll_ms = 2000;
const first_tail = 1000;
const silence_ms = 30000;   // a stream that says nothing for so long is dead
const longest_wait_ms = 10000;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Splits a stream of text into events {type, data, id}. */
export class EventParser {
  constructor(emit) { this.emit = emit; this.rest = ""; this.reset(); }
  reset() { this.type = "message"; this.data = []; }
  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }
  line(line) {
    if (line === "") {
      if (this.data.length > 0) this.emit({ type: this.type, data: this.data.join("\n") });
      return this.reset();
    }
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment keeps the connection open
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.type = value;
    else if (field === "data") this.data.push(value);
  }
}

export class Events {
  /** @param on  {status(message), audit([entries, oldest first], live), connection(state, problem)};
   *  states: "live", "polling", "lost", "signed out". */
  constructor(on) { this.on = on; this.last = 0; this.running = false; this.run_number = 0; }

  async start() {
    const mine = ++this.run_number;
    let wait = 1000;
    while (this.run_number === mine) {
      try {
        await this.catch_up(first_tail);
        this.on.status(await api.status());
        wait = 1000;
        if (!(await this.stream(mine))) await this.poll(mine);
      } catch (problem) {
        if (problem.status === 401) return this.on.connection("signed out", problem);
        if (!(problem instanceof Problem)) console.error(problem); // ours: not to be taken for a lost connection in silence
        if (this.run_number === mine) this.on.connection("lost", problem);
      }
      if (this.run_number !== mine) return;
      await sleep(wait);
      wait = Math.min(wait * 2, longest_wait_ms);
    }
  }

  stop() { this.run_number++; this.abort?.abort(); }

  async catch_up(count) {
    const { entries = [] } = await api.audit(count);
    // A store that was replaced begins again.
    if (entries.length > 0 && Number(entries.at(-1).sequence) < this.last) this.last = 0;
    this.take(entries, false);
  }

  take(entries, live) {
    const fresh = entries.filter((e) => Number(e.sequence) > this.last);
    if (fresh.length === 0) return;
    this.last = Number(fresh.at(-1).sequence);
    this.on.audit(fresh, live);
  }

  /** @returns false where there is no event stream. Throws when the stream ends. */
  async stream(mine) {
    this.abort = new AbortController();
    let watchdog;
    const alive = () => { clearTimeout(watchdog); watchdog = setTimeout(() => this.abort.abort(), silence_ms); };
    alive();
    try {
      let answer;
      try {
        answer = await fetch_ok("/api/v1/events", { headers: { Accept: "text/event-stream" }, signal: this.abort.signal });
      } catch (problem) {
        if ([404, 405, 406, 501].includes(problem.status)) return false;
        throw problem;
      }
      if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream")) { this.abort.abort(); return false; }
      this.on.connection("live");
      // What was recorded between our first look and the stream's beginning is in neither, so that the first event is a
      // reason to look again, as is one that the daemon had to drop.
      let missed = false, begun = false;
      const parser = new EventParser(({ type, data }) => {
        if (!begun || type === "lost") missed = begun = true;
        if (type === "status") this.on.status(JSON.parse(data));
        if (type !== "audit") return;
        const entry = JSON.parse(data);
        if (Number(entry.sequence) > this.last + 1) missed = true;
        else this.take([entry], true);
      });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read().catch(() => ({ done: true })); // cut off, or given up by the watchdog
        if (done || this.run_number !== mine) break;
        alive();
        parser.feed(value);
        if (missed) { missed = false; await this.catch_up(first_tail); }
      }
    } finally {
      clearTimeout(watchdog);
      this.abort.abort();
    }
    throw new Problem(0, "the stream ended");
  }

  async poll(mine) {
    for (;;) {
      this.on.connection("polling");
      await sleep(poll_ms);
      if (this.run_number !== mine) return;
      const before = this.last;
      const { entries = [] } = await api.audit(50);
      if (entries.length > 0 && Number(entries[0].sequence) > before + 1) await this.catch_up(first_tail);
      else this.take(entries, true);
      this.on.status(await api.status());
    }
  }
}
