"""A small stand-in for the daemon's API, for what a real plant gives only after hours: proposals of each risk, drift,
advice, a broken chain, tokens. It serves the console's own files, under the daemon's own security policy."""

import http.server
import json
import pathlib
import re
import threading
import time

CONSOLE = pathlib.Path(__file__).resolve().parents[2] / "runtime" / "console"
CHART = pathlib.Path("/usr/share/javascript/chart.js/chart.min.js")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def now_us(seconds=0):
    return str(int((time.time() + seconds) * 1e6))  # 64-bit integers are text in Protobuf's JSON


def proposal(number, risk, age_s, **more):
    return {"id": str(number), "version": "1", "state": "pending", "risk": risk,
            "risk_terms": [{"text": f"pool_size is {risk}", "steps": 0}, {"text": "in production", "steps": 1}],
            "changes": [{"loop": "pool", "base_revision": "7", "steps_taken": 0, "done": False,
                         "knobs": [{"knob": "pool_size", "unit": "connections", "before": 20, "after": 8, "before_text": "20", "after_text": "8"},
                                   {"knob": "mode", "unit": "", "before": 0, "after": 1, "before_text": "session", "after_text": "transaction"}]}],
            "classification": "proposal", "source": "nightly-study", "author": "ada", "rationale": "fewer lock waits",
            "evidence": "p99 41 ms at 8, 97 ms at 20 <b>over a week</b>", "confidence": 0.83, "expected_gain": 0.31,
            "created_us": now_us(-age_s), "next_us": now_us(240), "next": "applies by itself", "decided_by": "", "decision": "", **more}


MIB = 1 << 20


def pool_view():
    """A pool as the daemon shows it once it has decided for some hours."""
    change = {"time_us": now_us(-300), "type": "tensor", "from": str(10 * MIB), "to": str(4 * MIB), "performance_factor": 0.4, "resource_factor": 1,
              "rationale": "measured crossover <b>4 MiB</b>"}
    return {"name": "tensors", "pressure": "none", "decisions": "9000", "transfers": "8000", "grpc": "2000", "zero_copy": "6000", "explored": "300", "failed": "2",
            "lost": "0", "predicted": "5000", "within_15": 0.93, "cpu_load": 0.3, "memory_used": 0.5, "metrics_refused": "0", "metrics_error": "",
            "policy": {"goal": "minimize_latency", "zero_copy_threshold": str(10 * MIB), "minimum_threshold": str(MIB), "maximum_threshold": str(1024 * MIB),
                       "learning_enabled": True, "exploration_rate": 0.05, "exploration_budget": 0.01, "marginal_benefit": 0.03,
                       "memory_pressure_threshold": 0.8, "cpu_pressure_threshold": 0.8, "rules": [], "threshold_overrides": {}},
            "thresholds": [{"type": t, "base": str(10 * MIB), "threshold": str((4 if t == "tensor" else 10) * MIB), "performance_factor": 0.4 if t == "tensor" else 1}
                           for t in ("binary", "tensor", "dataframe", "text", "other")],
            "changes": [change], "model": {"step": "high_confidence", "model": "7", "parent": "6", "samples": "4000", "drifts": "1", "gate": "passed", "failure": "", "training": False}}


def latency(method):
    level = 4000 if method == "grpc" else 900
    points = [{"time_us": now_us(-60 * i), "delivered": "40", "failed": "0", "p50_us": level + 10 * i, "p99_us": 3 * level} for i in range(50, 0, -1)]
    return {"points": points, "total": {"delivered": "2000", "p50_us": level, "p99_us": 3 * level}, "complete": True}


def advice(number, **more):
    return {"id": number, "state": "open", "key": "zero_copy_threshold", "before": str(10 * MIB), "value": str(4 * MIB), "snippet": "apiVersion: homeostat/v1\nkind: Pool\n",
            "evidence": "a threshold of 4 MiB saves 12 %", "gain": 0.12, "gain_low": 0.1, "gain_high": 0.14, "effort": 1, "score": 0.1, "first_seen_us": now_us(-7200),
            "last_seen_us": now_us(-60), "seen": 9, "decided_by": "", "decision": "", "proposal": "", **{k: v for k, v in more.items() if v is not None},
            **({"gain": None} if "gain" in more else {})}


class FakeApi:
    """Serves until closed. `posts` holds every POST: path, headers, body."""

    def __init__(self, token=None, absent=()):
        self.token = token
        self.absent = absent  # paths that this daemon does not have
        self.posts = []
        self.proposals = [proposal(1, "LOW", 900), proposal(2, "HIGH", 60, next="expires"), proposal(3, "MEDIUM", 500), proposal(4, "HIGH", 600, next="expires")]
        self.drifts = [{"loop": "pool", "revision": "9", "found_us": now_us(-30), "tags": ["break-glass", "requires-review"],
                        "knobs": [{"knob": "pool_size", "unit": "connections", "before": 20, "after": 35, "before_text": "20", "after_text": "35"}]}]
        self.recommendations = [{"id": "r-1", "state": "open", "loop": "pool", "source": "advisor", "evidence": "idle connections", "confidence": 0.6,
                                 "knobs": [{"knob": "pool_size", "unit": "connections", "before": 20, "after": 12, "before_text": "20", "after_text": "12"}],
                                 "first_seen_us": now_us(-7200), "last_seen_us": now_us(-60), "seen": 4, "decided_by": "", "decision": ""}]
        self.verdict = {"intact": False, "checked": "3", "head_sequence": "3", "head_hash": "00", "store_id": "x", "findings_total": "1",
                        "findings": [{"fault": "altered", "sequence": "2", "expected": "aa", "found": "bb"}]}
        self.pools = [pool_view()]
        self.pool_advice = [advice("a-1"), advice("a-2", key="exploration_rate", before="0.05", value="0.025", score=0.02, gain=None)]
        self.streams = 0
        self.unstreamed = []  # records from between the page's first look and the stream
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *_): pass
            def do_GET(self): fake.get(self)
            def do_POST(self): fake.post(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.open = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.open = False
        self.server.shutdown()
        self.server.server_close()

    def status(self):
        return {"name": "fake", "version": "0", "audit": "ok", "loops": [
            {"name": "pool", "pool": "default", "state": "running", "generation": "5", "revision": "7", "applied": "4", "rejected": {}, "rollbacks": "0",
             "safe_mode_entries": "0", "windows": "9", "digests": "90", "digest_faults": {}, "text": "", "restarts": "0", "safe_mode_reasons": [], "objective": 41.5,
             "knobs": [{"name": "pool_size", "unit": "connections", "value": 20, "base": 20, "baseline": 20, "min": 1, "max": 100}]}]}

    def audit(self):
        kinds = [("started", ""), ("rejected", ""), ("operator_command", "pause")]
        return [{"sequence": str(i + 1), "hash": f"{i:064x}",
                 "record": {"time_us": now_us(-10 + i), "kind": kind, "loop": "pool", "generation": "5", "revision": "7", "change": "no_change",
                            "classification": "operator", "source": "", "actor": "ada", "evidence": "", "before": [], "after": [], "text": text}}
                for i, (kind, text) in enumerate(kinds + (self.unstreamed if self.streams else []))]

    @staticmethod
    def answer(request, status, body, content_type="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(data)), "Cache-Control": "no-store", **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    def problem(self, request, status, title, detail=""):
        self.answer(request, status, {"title": title, "status": status, "detail": detail}, "application/problem+json")

    def refused(self, request):
        if self.token is None or request.headers.get("Authorization") == f"Bearer {self.token}":
            return False
        self.problem(request, 401, "no token", "this needs a token")
        return True

    def get(self, request):
        path = request.path.split("?")[0]
        name = "index.html" if path == "/" else path.removeprefix("/console/")
        file = CHART if name == "chart.js" else CONSOLE / name
        if (path == "/" or path.startswith("/console/")) and file.is_file():
            return self.answer(request, 200, file.read_bytes(), TYPES[file.suffix], **{"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})
        if self.refused(request):
            return None
        if path in self.absent:
            return self.problem(request, 404, "no such page")
        if path == "/api/v1/events":
            return self.stream(request)
        pages = {"/api/v1/status": self.status, "/api/v1/audit": lambda: {"entries": self.audit()}, "/api/v1/audit/verify": lambda: self.verdict,
                 "/api/v1/proposals": lambda: {"proposals": self.proposals}, "/api/v1/drift": lambda: {"drifts": self.drifts},
                 "/api/v1/recommendations": lambda: {"recommendations": self.recommendations},
                 "/api/v1/pools": lambda: {"pools": self.pools}, "/api/v1/pools/tensors/recommendations": lambda: {"advice": self.pool_advice},
                 "/api/v1/pools/tensors/metrics": lambda: latency(re.search(r"method=(\w+)", request.path).group(1)),
                 "/api/v1/pools/tensors/regressions": lambda: {"findings": [{"text": "grpc tensor 8 MiB takes 1.4 times as long <i>since noon</i>"}]}}
        return self.answer(request, 200, pages[path]()) if path in pages else self.problem(request, 404, "no such page")

    def stream(self, request):
        self.streams += 1
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        try:
            while self.open:
                # A line end of each kind, and an event cut in two, as a network may do.
                request.wfile.write(b": still here\r\nevent: status\n" + f"data: {json.dumps(self.status())}".encode())
                request.wfile.flush()
                time.sleep(0.05)
                request.wfile.write(b"\n\n")
                request.wfile.flush()
                time.sleep(0.3)
        except OSError:
            pass

    def post(self, request):
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])) or b"{}")
        if self.refused(request):
            return None
        self.posts.append((request.path, dict(request.headers), body))
        if match := re.fullmatch(r"/api/v1/proposals/(\d+)/(ack|approve|reject|withdraw)", request.path):
            return self.decide(request, match.group(1), match.group(2), body)
        if re.fullmatch(r"/api/v1/drift/pool/9/(accept|revert)", request.path):
            self.drifts = []
            return self.answer(request, 200, {})
        if match := re.fullmatch(r"/api/v1/pools/tensors/recommendations/(a-\d)/(accept|dismiss|snooze)", request.path):
            one = next(a for a in self.pool_advice if a["id"] == match.group(1))
            one.update(state={"accept": "accepted", "dismiss": "dismissed", "snooze": "snoozed"}[match.group(2)], decided_by="console", decision=body["text"])
            if match.group(2) == "accept":
                one.update(proposal="12", applied_us=now_us(-5), outcome={"verdict": "as_predicted", "text": "measured 11 % (9 % to 13 %), predicted 12 %", "final": False})
            return self.answer(request, 200, one)
        if request.path == "/api/v1/pools/tensors/rules":
            self.pools[0]["policy"]["learning_enabled"] = False
            self.pools[0]["model"] = {"step": "", "model": "0"}
            return self.answer(request, 200, self.pools[0])
        if match := re.fullmatch(r"/api/v1/recommendations/r-1/(accept|dismiss|snooze)", request.path):
            self.recommendations[0]["state"] = {"accept": "accepted", "dismiss": "dismissed", "snooze": "snoozed"}[match.group(1)]
            return self.answer(request, 200, self.recommendations[0])
        return self.problem(request, 404, "no such page")

    def decide(self, request, number, verb, body):
        one = next(p for p in self.proposals if p["id"] == number)
        if request.headers.get("If-Match") != f'"{one["version"]}"':
            return self.problem(request, 412, "changed meanwhile", "the version is another one")
        if verb == "withdraw":
            return self.problem(request, 409, "not yours", "only its author withdraws a proposal")
        one.update(version=str(int(one["version"]) + 1), decided_by="console", decision=body["text"],
                   state={"ack": "acknowledged", "approve": "applied", "reject": "rejected"}[verb])
        return self.answer(request, 200, one)
