"""Pools that decide on transfers, in the real daemon: commands and HTTP."""

import json
import math
import pathlib
import random
import subprocess
import time
import unittest

from homeostat_e2e import run
from pool_daemon import KIB, MIB, PoolDaemon


class Pools(PoolDaemon):
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
        self.post(path + "outcomes", {"outcomes": [good] * 401}, 400)
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

    def test_a_model_is_trained_judged_kept_and_not_believed_when_damaged(self):
        self.transfers(9000, random.Random(3))
        model = self.wait_model(lambda m: m.get("model", "0") != "0", "a model")
        self.assertEqual(model["step"], "observe", "it decides nothing yet")
        self.assertIn("passed", model["gate"])
        files = list(pathlib.Path(self.store + ".models").glob("tensors/*"))
        self.assertEqual(len(files), 1, files)
        time.sleep(2)  # the metrics are written once a second
        self.daemon.kill()

        self.daemon = self.start()
        self.assertEqual(self.pool()["model"]["model"], model["model"], "loaded after kill -9")
        self.assertIn("9000 delivered", self.command("pools", "report", "tensors"))
        self.daemon.kill()
        damaged = bytearray(files[0].read_bytes())
        damaged[len(damaged) // 2] ^= 1
        files[0].write_bytes(damaged)

        self.daemon = self.start()
        self.assertIn(files[0].name, self.pool()["model"]["failure"])
        self.assertIn(self.decide(2 * MIB)["reason"], ("threshold", "cost_benefit"), "what was measured, if it was kept")
        self.assertIn("rules decide", "".join(self.daemon.log) + self.command("pools", "show", "tensors"))

    def test_a_gate_that_refuses_leaves_rules_in_charge(self):
        rnd = random.Random(4)
        for _ in range(20):
            self.post("/api/v1/pools/tensors/outcomes", {"outcomes": [
                {"data": {"size": int(8 * KIB * 8192 ** rnd.random())}, "method": rnd.choice(["grpc", "zero_copy"]),
                 "latencyUs": math.exp(rnd.gauss(7, 1))} for _ in range(250)]})
            time.sleep(0.05)
        model = self.wait_model(lambda m: m.get("gate") or m.get("failure"), "a verdict")
        self.assertEqual(model.get("model", "0"), "0")
        self.assertIn("needed", model.get("gate", "") + model.get("failure", ""))

    def test_metrics_export_and_advice_answer(self):
        self.transfers(1000, random.Random(5))
        self.settled()
        code, text = self.daemon.get("/api/v1/pools/tensors/metrics?last=60&step=1")
        self.assertEqual(code, 200, text)
        total = json.loads(text)["total"]
        self.assertEqual(total["delivered"], "1000")
        self.assertLessEqual(total["p50_us"], total["p95_us"])
        by = {}
        for method in ("grpc", "zero_copy"):
            code, text = self.daemon.get(f"/api/v1/pools/tensors/metrics?last=60&step=1&method={method}")
            by[method] = int(json.loads(text)["total"]["delivered"])
        self.assertEqual(sum(by.values()), 1000)
        self.assertGreater(min(by.values()), 0)
        for query, what in (("last=0", "last is '0'"), ("step=x", "step is 'x'"), ("step=7", "step"), ("method=smtp", "method is 'smtp'"), ("method=", "method is missing")):
            code, text = self.daemon.get("/api/v1/pools/tensors/metrics?" + query)
            self.assertEqual(code, 400, text)
            self.assertIn(what, json.loads(text)["detail"])
        lines = self.command("pools", "export", "tensors").splitlines()
        self.assertEqual(len(lines), 1001)
        self.assertEqual(len(lines[0].split(",")), len(lines[1].split(",")))
        first = json.loads(self.command("pools", "export", "tensors", "--format", "json").splitlines()[0])
        self.assertEqual(first["pool"], "tensors")
        self.assertEqual(self.daemon.get("/api/v1/pools/tensors/recommendations")[0], 200)
        self.assertIn("no such pool", self.command("pools", "advice", "nope", code=1))
        self.assertIn("no recommendation 'x'", self.command("pools", "advice", "tensors", "dismiss", "x", code=1))
        self.assertIn("needs the ID", self.command("pools", "advice", "tensors", "accept", code=1))
        self.command("pools", "baseline", "tensors", code=1)  # too little was measured to be normal

    def test_the_export_says_why_each_transfer_went_its_way(self):
        decided = self.decide(20 * MIB, compressed=True)
        told = {"data": {"size": 20 * MIB, "compressed": True}, "method": decided["method"], "latencyUs": 5, "decision": decided}
        path = "/api/v1/pools/tensors/outcomes"
        self.post(path, {"outcomes": [told, {"data": {"size": MIB}, "method": "grpc", "latencyUs": 7}]})
        for wrong, what in (({"reason": "whim"}, "decision: reason is 'whim', expected below_minimum"), ({"reason": ""}, "expected the answer of /decide"),
                            ({"grpc_us": -1}, "grpcUs is -1"), ({"confidence": 2}, "confidence is 2"), ({"rule": 32}, "rule is 32, expected 0 to 31")):
            self.assertIn(what, self.post(path, {"outcomes": [{**told, "decision": {**decided, **wrong}}]}, 400)["detail"])
        self.settled()
        because, silent = (json.loads(line) for line in self.command("pools", "export", "tensors", "--format", "json").splitlines())
        self.assertEqual((because["reason"], because["rule"], because["threshold"], because["generation"], because["pressure"]),
                         ("rule", 1, 10 * MIB, int(decided["generation"]), "none"))
        self.assertEqual((silent["reason"], silent["rule"], silent["pressure"]), ("", -1, ""))
        time.sleep(2)  # written once a second
        self.daemon.kill()
        self.daemon = self.start()
        again = json.loads(self.command("pools", "export", "tensors", "--format", "json").splitlines()[0])
        self.assertEqual(again, because, "after kill -9")

    def test_metrics_please_promtool(self):
        self.learn()
        code, text = self.daemon.get("/metrics")
        self.assertEqual(code, 200)
        for line in ('homeostat_transfers_total{pool="tensors",method="grpc",result="delivered"} 8', 'homeostat_transfer_threshold_bytes{pool="tensors",type="text"}',
                     'homeostat_transfer_latency_seconds_bucket{pool="tensors",method="zero_copy",le="0.000316"} 8',
                     'homeostat_transfer_latency_seconds_bucket{pool="tensors",method="zero_copy",le="+Inf"} 8',
                     'homeostat_transfer_latency_seconds_count{pool="tensors",method="grpc"} 8', 'homeostat_transfer_model_step{pool="tensors",step="none"} 1',
                     'homeostat_transfer_learning{pool="tensors"} 1', 'homeostat_transfer_regressions{pool="tensors"} 0', "homeostat_transfer_metrics_refused_samples_total 0"):
            self.assertIn(line, text)
        check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
        self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""))

    def test_the_loop_beside_it_goes_on(self):
        self.learn()
        self.daemon.wait(lambda loop: int(loop["applied"]) >= 1, "a change")


if __name__ == "__main__":
    unittest.main()
