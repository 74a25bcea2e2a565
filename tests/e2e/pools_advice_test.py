"""Advice on a pool from the records to the applied change: real minutes pass, since advice needs two of them."""

import time
import unittest

from homeostat_e2e import Scratch

POOLS = "".join(f"""
---
apiVersion: homeostat/v1
kind: Pool
metadata: {{name: {name}}}
spec: {{transfer: {{learning_enabled: false}}}}
""" for name in ("tensors", "frames"))


class Advice(Scratch):
    def setUp(self):
        super().setUp()
        self.config.write_text(self.config.read_text() + POOLS)
        self.daemon = self.start()

    def wait(self, condition, what, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.2)
        self.fail(f"not within {seconds} s: {what}")

    def command(self, *arguments, code=0):
        result = self.daemon.run(*arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout if code == 0 else result.stderr

    def report(self, pool, count):
        one = {"data": {"size": 2 << 20}, "method": "grpc", "latencyUs": 4000}
        for _ in range(count // 300):
            self.assertEqual(self.post(f"/api/v1/pools/{pool}/outcomes", {"outcomes": [one] * 300})["taken"], "300")

    def advice(self, pool):
        return next((a for a in self.get(f"/api/v1/pools/{pool}/recommendations").get("advice", []) if a["key"] == "learning_enabled"), None)

    def test_advice_becomes_a_proposal_and_is_measured_and_what_is_dismissed_stays_so(self):
        for pool in ("tensors", "frames"):
            self.report(pool, 600)
        time.sleep(60 - time.time() % 60 + 0.5)
        for pool in ("tensors", "frames"):
            self.report(pool, 600)
        advised = {pool: self.wait(lambda p=pool: self.advice(p), f"advice on {pool}") for pool in ("tensors", "frames")}
        self.assertIn("learning_enabled: false -> true", self.command("pools", "advice", "tensors"))
        self.assertIn("kind: Pool", advised["tensors"]["snippet"])

        said = self.command("pools", "advice", "frames", "dismiss", advised["frames"]["id"], "--text", "not here")
        self.assertIn("is dismissed", said)
        self.assertIn("is dismissed, by", self.command("pools", "advice", "frames", "accept", advised["frames"]["id"], code=1))
        said = self.command("pools", "advice", "tensors", "accept", advised["tensors"]["id"], "--text", "as advised")
        proposal = self.advice("tensors")["proposal"]
        self.assertIn(f"proposal {proposal} waits", said)
        self.assertFalse(self.get("/api/v1/pools/tensors")["policy"]["learning_enabled"], "the authority decides")
        self.assertEqual(self.get(f"/api/v1/proposals/{proposal}")["rationale"], "as advised")

        self.post(f"/api/v1/proposals/{proposal}/approve", {"actor": "bob", "text": "go ahead"})
        self.wait(lambda: self.get("/api/v1/pools/tensors")["policy"]["learning_enabled"], "the policy changed")
        applied = self.wait(lambda: (a := self.advice("tensors")).get("applied_us") and a, "the advice is applied")
        self.assertEqual(applied["state"], "accepted")
        measured = self.wait(lambda: self.advice("tensors").get("outcome"), "a first measurement")
        self.assertEqual(measured["verdict"], "too_early")
        self.assertRegex(self.command("pools", "advice", "tensors"), "since it was applied: too_early so far: 1 observations before")

        self.daemon.kill()
        self.daemon = self.start()
        again = self.advice("tensors")
        self.assertEqual((again["applied_us"], again["proposal"]), (applied["applied_us"], proposal), "after kill -9")
        dismissed = self.advice("frames")
        self.assertEqual((dismissed["state"], dismissed["decision"]), ("dismissed", "not here"))
        texts = [r.get("text", "") for r in self.records()]
        self.assertTrue(any("dismissed. not here" in t for t in texts), texts)


if __name__ == "__main__":
    unittest.main()
