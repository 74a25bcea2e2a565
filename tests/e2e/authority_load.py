"""Many clients at once against the authority: python3 authority_load.py [SECONDS [CLIENTS]], HOMEOSTAT_BIN set.

Each client posts, approves, rejects and reads over a connection of its own, with a token of its own. Prints the latencies, and
fails if anything that was acknowledged is lost, or anything is applied twice.
"""

import asyncio
import json
import random
import subprocess
import sys
import time

from homeostat_e2e import HOMEOSTAT, Scratch

LOOPS = 8
PAUSE = 0.4  # seconds between two requests of one client, mean

NODE = """
apiVersion: homeostat/v1
kind: Node
metadata: {{name: load}}
spec:
  store: {{path: {folder}/audit.db}}
  api: {{listen: "127.0.0.1:0", tokens_file: {folder}/tokens}}
"""

LOOP = """---
apiVersion: homeostat/v1
kind: Source
metadata: {{name: s{n}}}
spec:
  command:
    sense: [/bin/echo, "latency_mean_ms 10\\nrequests 100"]
    apply: [/bin/sh, -c, "echo $HOMEOSTAT_KNOB_SIZE > {folder}/v{n}"]
    read_back: [/bin/sh, -c, "echo size $(cat {folder}/v{n} 2>/dev/null || echo 50)"]
  interval: 2s
  patience: 2s
---
apiVersion: homeostat/v1
kind: Loop
metadata: {{name: l{n}}}
spec:
  source: s{n}
  objective: {{minimize: latency_mean_ms}}
  knobs: [{{name: size, type: integer, min: 1, max: 1000, default: 50}}]
  safe_mode: {{telemetry_timeout: 1m}}
  pattern: proposal-gated
"""


class Client:
    def __init__(self, address, token, seen):
        self.host, self.port = address.split(":")
        self.token, self.seen, self.mine = token, seen, []

    async def call(self, kind, method, path, body=None):
        text = json.dumps(body) if body is not None else ""
        begin = time.perf_counter()
        self.writer.write((f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
                           f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}").encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = int(next(l for l in head.lower().split("\r\n") if l.startswith("content-length:")).split(":")[1])
        answer = await self.reader.readexactly(length)
        code = int(head.split()[1])
        self.seen.setdefault(kind, []).append((time.perf_counter() - begin, code))
        return code, json.loads(answer)

    async def run(self, until):
        self.reader, self.writer = await asyncio.open_connection(self.host, int(self.port), limit=1 << 24)
        await asyncio.sleep(random.random() * PAUSE)
        while time.monotonic() < until:
            dice = random.random()
            if dice < 0.3:
                code, got = await self.call("propose", "POST", "/api/v1/proposals",
                                            {"changes": [{"loop": f"l{random.randrange(LOOPS)}",
                                                          "knobs": {"size": random.randint(1, 140)}}], "evidence": "load"})
                if code == 201:
                    self.mine.append(got["id"])
                    ids.append(got["id"])
            elif dice < 0.45 and ids:
                verb = random.choice(["approve", "approve", "reject", "ack"])
                await self.call("decide", "POST", f"/api/v1/proposals/{random.choice(ids[-60:])}/{verb}", {})
            elif dice < 0.5 and self.mine:
                await self.call("decide", "POST", f"/api/v1/proposals/{self.mine.pop()}/withdraw", {})
            elif dice < 0.7 and ids:
                await self.call("read", "GET", f"/api/v1/proposals/{random.choice(ids)}")
            else:
                await self.call("read", "GET", random.choice(["/api/v1/recommendations", "/api/v1/drift", "/api/v1/status"]))
            await asyncio.sleep(random.expovariate(1 / PAUSE))
        self.writer.close()


ids = []


def load(seconds, clients):
    scratch = Scratch()
    scratch.setUp()
    try:
        text = NODE.format(folder=scratch.folder) + "".join(LOOP.format(n=n, folder=scratch.folder) for n in range(LOOPS))
        scratch.config.write_text(text)
        tokens = [subprocess.run([HOMEOSTAT, "token", "create", f"c{n}", "--role", "admin", "--file", scratch.folder / "tokens"],
                                 capture_output=True, text=True, check=True).stdout.strip() for n in range(clients)]
        daemon = scratch.start()
        time.sleep(2)
        seen = {}

        async def everybody():
            until = time.monotonic() + seconds
            await asyncio.gather(*(Client(daemon.address, t, seen).run(until) for t in tokens))

        asyncio.run(everybody())
        daemon.kill()  # what was acknowledged is there afterwards
        again = scratch.start()
        time.sleep(3)
        lost = []

        async def ask():
            several = [Client(again.address, token, {}) for token in tokens[:25]]  # each has a request limit of its own
            for client in several:
                client.reader, client.writer = await asyncio.open_connection(client.host, int(client.port), limit=1 << 24)
            for n, number in enumerate(ids[-1500:]):  # the rest may have been forgotten for age
                client = several[n % len(several)]
                while (answer := await client.call("after", "GET", f"/api/v1/proposals/{number}"))[0] == 429:
                    await asyncio.sleep(0.1)
                if answer[0] != 200:
                    lost.append(number)
            for client in several:
                client.writer.close()

        asyncio.run(ask())
        again.kill()
        scratch_records = scratch.records()
        intents = [r["evidence"].split(":")[0] for r in scratch_records if r["kind"] == "intent" and r["evidence"].startswith("proposal")]
        verified = subprocess.run([HOMEOSTAT, "audit", "verify", "--store", scratch.store], capture_output=True, text=True)
        for kind, all_of_it in sorted(seen.items()):
            took = sorted(t for t, _ in all_of_it)
            codes = {}
            for _, code in all_of_it:
                codes[code] = codes.get(code, 0) + 1
            print(f"{kind:8} {len(took):6} requests  p50 {took[len(took) // 2] * 1e3:7.2f} ms  p99 {took[int(len(took) * 0.99)] * 1e3:7.2f} ms  "
                  f"max {took[-1] * 1e3:7.2f} ms  {codes}")
        print(f"acknowledged {len(ids)}, lost {len(lost)}; steps applied {len(intents)}, twice {len(intents) - len(set(intents))}; "
              f"audit {'intact' if verified.returncode == 0 else 'BROKEN'}")
        return not lost and len(intents) == len(set(intents)) and verified.returncode == 0
    finally:
        scratch.tearDown()


if __name__ == "__main__":
    sys.exit(0 if load(int((sys.argv + ["60"])[1]), int((sys.argv + ["60", "100"])[2])) else 1)
