"""A pool's policy as a governed loop, in the real daemon: proposals, rollback, restarts, kill -9."""

import http.client
import json
import random
import time
import unittest

from homeostat_e2e import Scratch, run

POOL = """
apiVersion: homeostat/v1
kind: Node
metadata: {{name: e2e}}
spec:
  store: {{path: {folder}/audit.db}}
  api: {{listen: "127.0.0.1:0"}}
---
apiVersion: homeostat/v1
kind: Pool
metadata: {{name: tensors}}
spec:
  transfer:
    goal: minimize_latency
    minimum_threshold: 4 KiB
    exploration_rate: {rate}
    threshold_overrides: {{text: 50 MiB}}
    cpu_pressure_threshold: 1 # never: what else runs on this machine is not the test's business
    memory_pressure_threshold: 1
"""
KIB, MIB = 1024, 1024 * 1024
LOOP = "tensors-policy"


class PoolPolicy(Scratch):
    def setUp(self):
        super().setUp()
        self.configure(0)
        self.daemon = self.start()

    def configure(self, rate):
        self.config.write_text(POOL.format(folder=self.folder, rate=rate))

    def restart(self, kill=False):
        self.daemon.kill() if kill else self.daemon.terminate()
        self.daemon = self.start()
        self.wait(lambda loop: loop["state"] == "running", "the loop is back")

    def policy(self):
        return self.get("/api/v1/pools/tensors")["policy"]

    def threshold(self):
        return int(self.policy()["zero_copy_threshold"])

    def loop(self):
        return self.daemon.loop()

    def wait(self, condition, what, seconds=30):
        return self.daemon.wait(condition, what, seconds)

    def wait_threshold(self, wanted):
        deadline = time.monotonic() + 30
        while self.threshold() != wanted:
            self.assertLess(time.monotonic(), deadline, f"threshold {self.threshold()}, wanted {wanted}; {self.loop()}")
            time.sleep(0.05)

    def knob(self, name, key="base"):
        return next(k[key] for k in self.loop()["knobs"] if k["name"] == name)

    def command(self, *arguments, code=0):
        result = self.daemon.run(*arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout if code == 0 else result.stderr

    def propose(self, knobs, expect=201):
        return self.post("/api/v1/proposals", {"changes": [{"loop": LOOP, "knobs": knobs}], "rationale": "measured",
                                       "actor": "ada"}, expect)

    def decided(self, proposal):
        return self.get(f"/api/v1/proposals/{proposal['id']}")

    def learn(self):
        batch = [{"data": {"size": 2 * MIB}, "method": m, "latencyUs": us} for m, us in (("grpc", 9000), ("zero_copy", 300))]
        self.post("/api/v1/pools/tensors/outcomes", {"outcomes": batch * 10})
        time.sleep(0.3)

    def drifts(self):
        return self.get("/api/v1/drift").get("drifts", [])

    def test_a_proposal_approved_by_another_is_walked_to_and_outlives_restarts(self):
        proposal = self.propose({"zero_copy_threshold": 64 * KIB})
        self.post(f"/api/v1/proposals/{proposal['id']}/approve", {"actor": "ada"}, 403)
        self.assertEqual(self.threshold(), 10 * MIB, "nothing before somebody else agrees")
        self.post(f"/api/v1/proposals/{proposal['id']}/approve", {"actor": "bob"})
        self.wait_threshold(64 * KIB)
        deadline = time.monotonic() + 20
        while self.decided(proposal)["state"] != "applied":
            self.assertLess(time.monotonic(), deadline, self.decided(proposal))
            time.sleep(0.1)
        self.assertGreater(int(self.decided(proposal)["changes"][0]["steps_taken"]), 1, "in steps of the guardrails")
        for kill in (False, True):
            self.restart(kill)
            self.assertEqual(self.threshold(), 64 * KIB)
            self.assertEqual(self.knob("zero_copy_threshold"), 64 * KIB, "the governor agrees")
            self.assertEqual(self.drifts(), [])
        self.command("rollback", LOOP)
        self.wait_threshold(10 * MIB)
        self.restart(True)
        self.assertEqual(self.threshold(), 10 * MIB)
        self.daemon.terminate()
        verified = run("audit", "verify", "--store", self.store)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_what_cannot_be_is_refused_before_anybody_has_to_look(self):
        for knobs, what in (({"zero_copy_threshold": 0}, "OutOfBounds"), ({"exploration_rate": 0.7}, "OutOfBounds"),
                            ({"rules": 1}, "UnknownKnob"), ({"goal": "fast"}, "one of balanced")):
            self.assertIn(what, self.propose(knobs, 422)["detail"])
        # Fine alone, wrong beside the other thresholds.
        for knobs, what in (({"minimum_threshold": 20 * MIB}, "zero_copy_threshold is 10485760 bytes, expected 20971520 to"),
                            ({"maximum_threshold": 20 * MIB}, "threshold_overrides.text is 52428800 bytes, expected")):
            self.assertIn(what, self.propose(knobs, 422)["detail"])
            self.assertIn(what, self.post(f"/api/v1/loops/{LOOP}/values", {"knobs": knobs, "actor": "ada"}, 422)["detail"])
        self.assertEqual(self.loop()["state"], "running")

    def test_an_operators_change_is_the_governors_too(self):
        before = int(self.loop()["revision"])
        self.command("pools", "set", "tensors", "--threshold", "64KiB", "--override", "tensor=6MiB", "--text", "trial")
        self.assertEqual(self.knob("zero_copy_threshold"), 64 * KIB)
        self.assertGreater(int(self.loop()["revision"]), before)
        self.restart(True)
        self.assertEqual(self.threshold(), 64 * KIB)
        self.assertEqual(self.policy()["threshold_overrides"], {"text": str(50 * MIB), "tensor": str(6 * MIB)})
        # Limits and what lies between them move together, whichever has to go first.
        self.post("/api/v1/pools/tensors/policy", {"policy": {"minimum_threshold": 7 * MIB, "zero_copy_threshold": 9 * MIB,
                                                      "threshold_overrides": {"tensor": 8 * MIB}}})
        self.post("/api/v1/pools/tensors/policy", {"policy": {"minimum_threshold": 4 * KIB, "zero_copy_threshold": 64 * KIB,
                                                      "threshold_overrides": {"tensor": 32 * KIB}}})
        self.assertEqual(self.policy()["threshold_overrides"]["tensor"], str(32 * KIB))
        self.assertEqual(self.threshold(), 64 * KIB)
        self.assertEqual(self.drifts(), [])
        self.command("pause", LOOP)
        self.command("pools", "set", "tensors", "--threshold", "128KiB")
        self.assertEqual(self.threshold(), 128 * KIB, "people change a frozen loop")

    def test_rules_are_not_undone(self):
        self.learn()
        self.command("pools", "rules", "tensors")
        self.assertFalse(self.policy().get("learning_enabled", False))
        self.assertEqual(self.knob("learning_enabled"), 0)
        self.assertEqual(self.knob("learning_enabled", "baseline"), 0, "no automatic rollback leads back")
        for kill in (True, False):
            self.restart(kill)
            self.assertFalse(self.policy().get("learning_enabled", False))
            self.assertEqual(self.post("/api/v1/pools/tensors/decide", {"size": 2 * MIB})["reason"], "threshold")
        self.assertEqual(self.drifts(), [])
        self.command("pools", "set", "tensors", "--learning", "true")
        self.assertTrue(self.policy()["learning_enabled"])
        self.restart()
        self.assertEqual(self.post("/api/v1/pools/tensors/decide", {"size": 2 * MIB})["reason"], "threshold", "what was learned is gone")

    def test_another_configuration_wins_and_is_the_baseline(self):
        self.command("pools", "set", "tensors", "--threshold", "64KiB")
        self.configure(0.02)
        self.restart()
        self.assertEqual((self.threshold(), self.policy()["exploration_rate"]), (10 * MIB, 0.02))
        self.assertEqual(self.knob("exploration_rate", "baseline"), 0.02)
        self.assertEqual(self.drifts(), [], "a change of the configuration is no drift")
        self.assertIn("the transfer section of the configuration has changed", "".join(self.daemon.log))
        self.configure(0)
        self.restart()
        self.assertEqual(self.threshold(), 10 * MIB, "and the old configuration brings nothing back")

    def test_what_was_learned_outlives_a_restart(self):
        self.learn()
        self.assertEqual(self.post("/api/v1/pools/tensors/decide", {"size": 2 * MIB})["reason"], "cost_benefit")
        self.restart()
        said = self.post("/api/v1/pools/tensors/decide", {"size": 2 * MIB})
        self.assertEqual((said["method"], said["reason"]), ("zero_copy", "cost_benefit"))

    def test_a_pool_at_rest_keeps_its_proposal_and_stays_out_of_safe_mode(self):
        proposal = self.propose({"goal": "minimize_memory"})
        self.assertEqual(proposal["risk"], "MEDIUM")
        time.sleep(13)  # longer than the telemetry timeout of any other loop
        loop = self.loop()
        self.assertEqual((loop["state"], loop.get("safe_mode_reasons", [])), ("running", []))
        self.assertEqual(self.decided(proposal)["state"], "pending")
        self.restart(True)
        self.assertEqual(self.decided(proposal)["state"], "pending", "nor does a restart lose it")
        self.post(f"/api/v1/proposals/{proposal['id']}/approve", {"actor": "bob"})
        self.wait(lambda loop: self.policy()["goal"] == "minimize_memory", "the goal")

    def test_kill_nine_leaves_the_policy_as_answered(self):
        dice = random.Random(20261121)
        answered = 10 * MIB
        for kill in range(12):
            wanted = answered
            until = time.monotonic() + dice.uniform(0.02, 0.4)
            while time.monotonic() < until:
                wanted = dice.randrange(8 * KIB, 512 * MIB)
                self.post("/api/v1/pools/tensors/policy", {"policy": {"zero_copy_threshold": wanted}})
                answered = wanted
            # One more, whose answer nobody waits for.
            wanted = dice.randrange(8 * KIB, 512 * MIB)
            body = json.dumps({"policy": {"zero_copy_threshold": wanted}})
            connection = http.client.HTTPConnection(self.daemon.address, timeout=5)
            connection.request("POST", "/api/v1/pools/tensors/policy", body, {"Content-Type": "application/json"})
            time.sleep(dice.uniform(0, 0.03))
            self.restart(True)
            connection.close()
            now = self.threshold()
            self.assertIn(now, (answered, wanted), f"kill {kill}: neither what was answered nor what was asked for")
            self.assertEqual(self.knob("zero_copy_threshold"), now, "the governor knows what is live")
            self.assertEqual(self.drifts(), [], f"kill {kill}: nobody else touched it")
            answered = now


if __name__ == "__main__":
    unittest.main()
