"""Pools that decide on transfers, in the real daemon: commands and HTTP."""

import json
import pathlib
import time
import unittest
import urllib.error
import urllib.request

from homeostat_e2e import Scratch, run

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


class Pools(Scratch):
    def setUp(self):
        super().setUp()
        self.config.write_text(self.config.read_text() + POOL)
        self.daemon = self.start()

    def post(self, path, body, expect=200):
        request = urllib.request.Request(f"http://{self.daemon.address}{path}", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                code, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            code, text = error.code, error.read().decode()
        self.assertEqual(code, expect, text)
        return json.loads(text)

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
        code, text = self.daemon.get("/api/v1/pools/tensors")
        self.assertEqual(code, 200, text)
        return json.loads(text)

    def command(self, *arguments, code=0):
        result = self.daemon.run(*arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout if code == 0 else result.stderr

    def learn(self, size=2 * MIB, grpc_us=9000, zero_copy_us=300):
        for _ in range(8):
            self.report(size, "grpc", grpc_us)
            self.report(size, "zero_copy", zero_copy_us)
        self.settled()

    def test_thresholds_decide_then_what_was_measured(self):
        self.assertEqual(self.decide(2 * KIB)["reason"], "below_minimum")
        first = self.decide(2 * MIB)
        self.assertEqual((first["method"], first["reason"], first["threshold"]), ("grpc", "threshold", str(10 * MIB)))
        self.assertEqual(self.decide(20 * MIB, type="text")["method"], "grpc", "a threshold of its own")
        self.learn()
        for _ in range(40):
            known = self.decide(2 * MIB)
            if known["reason"] != "exploration":
                break
        self.assertEqual((known["method"], known["reason"]), ("zero_copy", "cost_benefit"))
        self.assertRegex(known["rationale"], r"expected 30\d us, by grpc 9 ms, better for minimize_latency with confidence")
        self.assertEqual(self.pool()["transfers"], "16")
        said = self.command("decide", "tensors", "--size", "2KiB", "--explain")
        self.assertEqual(said, "grpc for 2 KiB of binary: below the minimum threshold of 4 KiB\n")
        self.assertIn("tensors", self.command("pools"))
        self.assertIn("measured crossover", self.command("thresholds", "tensors"))

    def test_rules(self):
        said = self.decide(20 * MIB, compressed=True)
        self.assertEqual((said["method"], said["reason"]), ("grpc", "rule"))
        self.assertIn("rule 'compressed'", said["rationale"])
        self.assertEqual(self.decide(20 * MIB, type="text")["reason"], "threshold", "no hour is above 30")

    def test_a_policy_changes_without_restart_and_what_is_wrong_changes_nothing(self):
        self.command("pools", "set", "tensors", "--threshold", "64KiB", "--override", "tensor=6MiB", "--text", "trial")
        policy = self.pool()["policy"]
        self.assertEqual(policy["zero_copy_threshold"], str(64 * KIB))
        self.assertEqual(policy["threshold_overrides"], {"text": str(50 * MIB), "tensor": str(6 * MIB)})
        self.assertEqual(len(policy["rules"]), 2, "what was left out stays")
        self.assertEqual(self.decide(1 * MIB)["method"], "zero_copy")
        for arguments, what in ((["--threshold", "1KiB"], "zero_copy_threshold is 1024 bytes, expected 4096 to"),
                                (["--goal", "fast"], "goal is 'fast', expected balanced"),
                                (["--override", "tensor"], "expected TYPE=SIZE"),
                                (["--override", "tensors=1MiB"], "thresholdOverrides is 'tensors', expected binary")):
            self.assertIn(what, self.command("pools", "set", "tensors", *arguments, code=1))
        self.assertEqual(self.pool()["policy"], policy)
        self.daemon.terminate()
        texts = [r.get("text", "") for r in self.records() if r.get("source") == "pool tensors"]
        self.assertEqual(len(texts), 1, texts)
        self.assertIn("trial", texts[0])

    def test_rollback_to_rules_with_one_command(self):
        self.learn()
        self.assertIn("thresholds and rules decide", self.command("pools", "rules", "tensors"))
        self.assertEqual(self.decide(2 * MIB)["reason"], "threshold")
        self.learn()
        self.assertEqual(self.decide(2 * MIB)["reason"], "threshold", "learning is off")
        self.assertEqual(self.pool()["thresholds"][0]["threshold"], str(10 * MIB))
        self.command("pools", "set", "tensors", "--learning", "true")

    def test_wrong_input_is_named_and_nothing_of_it_is_taken(self):
        path = "/api/v1/pools/tensors/"
        self.assertIn("type is 'tenser', expected binary, tensor", self.post(path + "decide", {"size": 1, "type": "tenser"}, 400)["detail"])
        self.post(path + "decide", {"size": -1}, 400)
        self.assertIn("no pool 'nope'", self.post("/api/v1/pools/nope/decide", {"size": 1}, 404)["detail"])
        good = {"data": {"size": MIB}, "method": "grpc", "latencyUs": 5}
        for bad, what in (({**good, "latencyUs": 0}, "latencyUs is 0"), ({**good, "latencyUs": "NaN"}, "latencyUs is nan"),
                          ({**good, "method": "smtp"}, "method is 'smtp', expected grpc or zero_copy"),
                          ({"data": {"size": 1}, "latencyUs": 5}, "method is missing")):
            self.assertIn(what, self.post(path + "outcomes", {"outcomes": [good, bad]}, 400)["detail"])
        self.post(path + "outcomes", {"outcomes": [good] * 1001}, 400)
        self.post(path + "outcomes", {"outcomes": []}, 400)
        self.settled()
        self.assertEqual(self.pool()["transfers"], "0")
        self.assertIn("no such pool", self.command("thresholds", "nope", code=1))

    def test_a_wrong_pool_is_refused_by_validate_with_its_line(self):
        self.config.write_text(self.config.read_text().replace("4 KiB", "4 KB").replace("hour > 30", "hours > 30").replace("use: grpc", "use: smtp"))
        result = run("validate", str(self.config))
        self.assertEqual(result.returncode, 1)
        for part in ("spec.transfer.minimum_threshold: is '4 KB', expected a size such as", "has 'hours', which is no metric of a transfer",
                     "spec.transfer.rules[1].use: is 'smtp', expected one of grpc, zero_copy"):
            self.assertIn(part, result.stdout + result.stderr)

    def test_the_loop_beside_it_goes_on(self):
        self.learn()
        self.daemon.wait(lambda loop: int(loop["applied"]) >= 1, "a change")


if __name__ == "__main__":
    unittest.main()
