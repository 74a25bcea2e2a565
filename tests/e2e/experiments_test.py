"""Is the other setting better on my traffic? Experiments of a pool in the real daemon, from the draft to the policy."""

import json
import math
import random
import time
import unittest

from homeostat_e2e import Scratch

POOL = """
---
apiVersion: homeostat/v1
kind: Pool
metadata: {name: tensors}
spec:
  transfer:
    goal: minimize_latency
    zero_copy_threshold: 10 MiB
    learning_enabled: false # thresholds alone decide: what the arms do is known
    cpu_pressure_threshold: 1
    memory_pressure_threshold: 1
"""
MIB = 1024 * 1024
ROOT = "/api/v1/pools/tensors"


class Experiments(Scratch):
    def setUp(self):
        super().setUp()
        self.config.write_text(self.config.read_text() + POOL)
        self.daemon = self.start()
        self.random = random.Random(7)

    def experiment(self, name="lower"):
        return self.get(f"{ROOT}/experiments/{name}")

    def begin(self, *more):
        self.command("experiments", "tensors", "create", "lower", "--treatment", "zero_copy_threshold=4MiB", "--split", "0.5",
                     "--text", "the bench says so", *more)
        self.command("experiments", "tensors", "start", "lower")

    def sessions(self, count=300):
        """What the pool decides for each session, for a buffer between both thresholds."""
        return [self.post(f"{ROOT}/decide", {"size": 8 * MIB, "session": f"user-{i}"}) for i in range(count)]

    def traffic(self, decided, batches, latency=None, fails=0.0):
        """Reports batches of 200 transfers of these sessions; shared memory takes `latency` of what gRPC takes."""
        answers = []
        for _ in range(batches):
            outcomes = []
            for _ in range(200):
                i = self.random.randrange(len(decided))
                d = decided[i]
                usual = 9000 * (latency if d["method"] == "zero_copy" else 1)
                outcomes.append({"data": {"size": 8 * MIB, "session": f"user-{i}"}, "method": d["method"], "memory": MIB,
                                 "latencyUs": round(usual * math.exp(self.random.gauss(0, 0.3)), 1), "generation": d["generation"],
                                 "experiment": d["experiment"], "arm": d["arm"],
                                 "failed": d["method"] == "zero_copy" and self.random.random() < fails})
            answers.append(self.post(f"{ROOT}/outcomes", {"outcomes": outcomes}))
            time.sleep(0.01)
        return answers

    def until(self, condition, what, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.05)
        self.fail(f"not within {seconds} s: {what}; {json.dumps(self.experiment(), indent=1)}")

    def ended(self):
        e = self.experiment()
        return e if e["phase"] != "running" else None

    def test_a_faster_treatment_is_found_promoted_approved_and_applied(self):
        self.begin()
        decided = self.sessions()
        arms = {d["arm"] for d in decided}
        self.assertEqual(arms, {"control", "treatment"})
        for d in decided:
            self.assertEqual((d["experiment"], d["method"]), ("lower", "zero_copy" if d["arm"] == "treatment" else "grpc"))
        self.assertIn("of experiment lower", decided[0]["rationale"])
        self.assertEqual([d["arm"] for d in self.sessions(50)], [d["arm"] for d in decided[:50]], "sticky")
        self.assertEqual(self.post(f"{ROOT}/decide", {"size": 8 * MIB})["experiment"], "", "nobody's transfer is part of nothing")

        self.traffic(decided, 90, latency=0.85)
        running = self.experiment()
        self.assertEqual(running["phase"], "running", "no difference is concluded from fewer than 10,000 of each arm")
        self.post(f"{ROOT}/experiments/lower/promote", {"actor": "ann"}, 409)
        self.traffic(decided, 30, latency=0.85)
        found = self.until(self.ended, "a verdict")
        self.assertEqual((found["phase"], found["verdict"]), ("concluded", "treatment_faster"))
        self.assertGreaterEqual(int(found["treatment_arm"]["delivered"]), 10_000)
        self.assertGreaterEqual(int(found["control_arm"]["delivered"]), 10_000)
        self.assertLess(found["ratio_low"], 0.85)
        self.assertLess(0.85, found["ratio_high"])
        self.assertLess(found["ratio_high"], 0.95)
        self.assertLess(found["always_valid_p"], 0.05)
        self.assertEqual(self.post(f"{ROOT}/decide", {"size": 8 * MIB, "session": "user-1"})["method"], "grpc",
                         "control until somebody decides")
        self.assertEqual(self.traffic(decided, 1, latency=0.85)[0], {"taken": "200", "lost": "0", "uncounted": "200"})
        said = self.command("experiments", "tensors", "show", "lower")
        self.assertRegex(said, r"treatment is 1\d\.\d % faster \(\d+\.\d to \d+\.\d\); always-valid p")
        self.assertIn("zero_copy_threshold: 4 MiB instead of 10 MiB", said)
        self.assertIn("treatment_faster", self.command("experiments", "tensors"))

        promoted = self.post(f"{ROOT}/experiments/lower/promote", {"actor": "ann", "text": "roll it out"})
        self.assertEqual((promoted["phase"], promoted["decided_by"]), ("promoted", "ann"))
        proposal = self.get(f"/api/v1/proposals/{promoted['proposal']}")
        self.assertEqual(proposal["source"], "experiment")
        self.assertRegex(proposal["evidence"], r"experiment lower: latency lower by 1\d(\.\d)? % \(.*\), \d+ against \d+ transfers")
        self.assertGreater(proposal["confidence"], 0.95)
        self.assertAlmostEqual(proposal["expected_gain"], 0.15, delta=0.03)
        self.assertEqual(self.get(ROOT)["policy"]["zero_copy_threshold"], str(10 * MIB), "nothing has changed yet")
        self.post(f"/api/v1/proposals/{promoted['proposal']}/approve", {"actor": "ann"}, 403)
        self.post(f"/api/v1/proposals/{promoted['proposal']}/approve", {"actor": "bob", "text": "fine"})
        self.until(lambda: self.get(ROOT)["policy"]["zero_copy_threshold"] == str(4 * MIB), "the pool's policy", 60)
        self.assertEqual(self.post(f"{ROOT}/decide", {"size": 8 * MIB})["method"], "zero_copy")

        self.daemon.terminate()
        texts = [f"{r['actor']}: {r['text']}" for r in self.records() if r["kind"] == "experiment"]
        self.assertEqual(len(texts), 4, texts)
        for text, part in zip(texts, ("drafted: zero_copy_threshold=4 MiB. the bench says so", "started",
                                      "homeostat: experiment lower concluded, treatment_faster", "ann: experiment lower promoted as proposal")):
            self.assertIn(part, text)

    def test_a_harmful_treatment_is_stopped_by_a_guard(self):
        self.begin()
        decided = self.sessions()
        self.traffic(decided, 10, latency=0.5, fails=0.2)
        found = self.until(self.ended, "a guard")
        self.assertEqual(found["phase"], "stopped_by_guard")
        self.assertIn("failed share", found["reason"])
        for i in range(50):
            self.assertEqual(self.post(f"{ROOT}/decide", {"size": 8 * MIB, "session": f"user-{i}"})["method"], "grpc")
        self.assertIn("not now: experiment lower is stopped_by_guard, expected concluded",
                      self.command("experiments", "tensors", "promote", "lower", code=1))
        self.daemon.terminate()
        self.assertIn("stopped_by_guard: failed share", "".join(self.daemon.log))

    def test_it_goes_on_after_kill_9(self):
        self.begin("--min-samples", "2000")
        decided = self.sessions()
        self.traffic(decided, 12, latency=0.85)
        time.sleep(6)  # counts are kept every five seconds
        before = self.experiment()
        self.daemon.kill()
        self.daemon = self.start()
        after = self.experiment()
        self.assertEqual(after["phase"], "running")
        self.assertEqual(after["started_us"], before["started_us"])
        for arm in ("control_arm", "treatment_arm"):
            self.assertGreater(int(after[arm]["delivered"]), 1000)
            self.assertLessEqual(int(after[arm]["delivered"]), int(before[arm]["delivered"]))
        again = self.sessions()
        self.assertEqual([d["arm"] for d in again], [d["arm"] for d in decided], "sticky")
        self.traffic(again, 24, latency=0.85)
        self.assertEqual(self.until(self.ended, "a verdict")["verdict"], "treatment_faster")
        self.daemon.kill()
        self.daemon = self.start()
        self.assertEqual(self.experiment()["phase"], "concluded", "an end is durable at once")

    def test_another_policy_ends_it(self):
        self.begin()
        self.command("pools", "set", "tensors", "--marginal-benefit", "0.2")
        found = self.until(self.ended, "the end")
        self.assertEqual(found["phase"], "rejected")
        self.assertIn("marginal_benefit was 0.03, is 0.2", found["reason"])
        self.post(f"{ROOT}/experiments", {"name": "second", "treatment": {"goal": "minimize_memory"}})
        self.post(f"{ROOT}/experiments/second/start", {})
        self.command("pools", "rules", "tensors")
        self.until(lambda: self.experiment("second")["phase"] == "rejected", "the end")

    def test_wrong_input_is_named(self):
        for body, code, part in (({"name": "a", "treatment": {"threshold": "1 MiB"}}, 422, "'threshold' is no key"),
                                 ({"name": "a", "treatment": {"zero_copy_threshold": "1 furlong"}}, 422, "is '1 furlong', expected a size"),
                                 ({"name": "a", "treatment": {"goal": "minimize_latency"}}, 422, "both arms are the same"),
                                 ({"name": "A b", "treatment": {"goal": "balanced"}}, 422, "name is 'A b'"),
                                 ({"name": "a", "treatment": {"goal": "balanced"}, "rules": {"traffic_split": 0.9}}, 422, "traffic_split is 0.9"),
                                 ({"name": "a", "treatment": {"goal": "balanced"}, "colour": 1}, 400, "colour")):
            self.assertIn(part, self.post(f"{ROOT}/experiments", body, code)["detail"])
        self.post("/api/v1/pools/nope/experiments", {"name": "a", "treatment": {"goal": "balanced"}}, 404)
        self.get("/api/v1/pools/nope/experiments", expect=404)
        self.get(f"{ROOT}/experiments/none", expect=404)
        self.assertEqual(self.get(f"{ROOT}/experiments")["experiments"], [])
        self.assertIn("expected KEY=VALUE", self.command("experiments", "tensors", "create", "a", "--treatment", "goal", code=1))
        self.assertIn("no experiment 'none'", self.command("experiments", "tensors", "show", "none", code=1))
        self.assertIn("has no experiments", self.command("experiments", "tensors"))

        self.begin()
        decided = self.sessions(40)
        treated = next(i for i, d in enumerate(decided) if d["arm"] == "treatment")
        good = {"data": {"size": 8 * MIB, "session": f"user-{treated}"}, "method": "grpc", "latencyUs": 5, "experiment": "lower",
                "arm": "treatment"}
        for bad, part in (({**good, "arm": "control"}, f"session 'user-{treated}' was assigned treatment"),
                          ({**good, "arm": "both"}, "arm is 'both', expected control or treatment"),
                          ({**good, "arm": ""}, "belong together"),
                          ({**good, "data": {"size": 1}}, "belong together"),
                          ({**good, "data": {"size": 1, "session": "s" * 300}}, "session has 300 bytes")):
            self.assertIn(part, self.post(f"{ROOT}/outcomes", {"outcomes": [good, bad]}, 400)["detail"])
        self.assertEqual(self.post(f"{ROOT}/outcomes", {"outcomes": [good, {**good, "experiment": "older"}]}),
                         {"taken": "2", "lost": "0", "uncounted": "1"})
        self.until(lambda: self.experiment()["treatment_arm"]["delivered"] == "1", "the one that counts")
        shown = json.loads(self.command("experiments", "tensors", "list", "--output", "json"))
        self.assertEqual([e["name"] for e in shown["experiments"]], ["lower"])
        self.assertIn("rejected", self.command("experiments", "tensors", "reject", "lower", "--text", "enough"))


if __name__ == "__main__":
    unittest.main()
