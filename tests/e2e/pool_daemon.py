"""A daemon with a pool that decides on transfers, and a machine that uses it."""

import math
import time

from homeostat_e2e import Scratch

POOL = """
---
apiVersion: homeostat/v1
kind: Pool
metadata: {name: tensors}
spec:
  transfer:
    goal: minimize_latency
    minimum_threshold: 4 KiB
    threshold_overrides: {text: 50 MiB}
    cpu_pressure_threshold: 1 # never: what else runs on this machine is not the test's business
    memory_pressure_threshold: 1
    rules:
      - {name: text by night, when: "type_text && hour > 30", use: zero_copy, priority: 3}
      - {name: compressed, when: "compressed && data_size > 8192", use: grpc, priority: 1}
"""
KIB, MIB = 1024, 1024 * 1024


class PoolDaemon(Scratch):
    def setUp(self):
        super().setUp()
        self.config.write_text(self.config.read_text() + POOL)
        self.daemon = self.start()

    def decide(self, size, **more):
        return self.post("/api/v1/pools/tensors/decide", {"size": size, **more})

    def report(self, size, method, latency_us, **more):
        return self.post("/api/v1/pools/tensors/outcomes",
                         {"outcomes": [{"data": {"size": size}, "method": method, "latencyUs": latency_us, **more}]})

    def settled(self):
        """Outcomes reach decisions within a look, 20 ms."""
        before = self.pool()["thresholds"]
        time.sleep(0.3)
        return before

    def pool(self):
        return self.get("/api/v1/pools/tensors")

    def learn(self, size=2 * MIB, grpc_us=9000, zero_copy_us=300):
        for _ in range(8):
            self.report(size, "grpc", grpc_us)
            self.report(size, "zero_copy", zero_copy_us)
        self.settled()

    def transfers(self, count, rnd):
        """Reports transfers of a machine whose methods cross at about 350 KB."""
        batch = []
        for _ in range(count):
            size = int(8 * KIB * 8192 ** rnd.random())
            method = "zero_copy" if (size > 350_000) != (rnd.random() < 0.3) else "grpc"
            latency = (150 + size * 0.0025 if method == "grpc" else 900 + size * 0.0003) * math.exp(rnd.gauss(0, 0.04))
            batch.append({"data": {"size": size}, "method": method, "latencyUs": latency, "cpuUs": 10, "memory": size})
            if len(batch) == 250:
                self.assertEqual(self.post("/api/v1/pools/tensors/outcomes", {"outcomes": batch})["taken"], "250")
                batch = []
                time.sleep(0.05)

    def wait_model(self, condition, what):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            model = self.pool()["model"]
            if condition(model):
                return model
            time.sleep(0.2)
        self.fail(f"not within 60 s: {what}; {model}")
