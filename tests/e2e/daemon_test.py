"""homeostatd and the operator's commands against a plant made of programs."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from homeostat_e2e import HOMEOSTATD, Scratch, run


class Operating(Scratch):
    def test_it_tunes_and_records_and_stops_in_time(self):
        daemon = self.start()
        daemon.wait(lambda loop: int(loop["applied"]) >= 6, "six applied changes", 30)
        code, took = daemon.terminate()
        self.assertEqual(code, 0, daemon.log)
        self.assertLess(took, 5)
        records = self.records()
        self.assertEqual(records[0]["kind"], "started")
        self.assertEqual(records[-1]["kind"], "stopped")
        intents = [r["generation"] for r in records if r["kind"] == "intent"]
        self.assertEqual(len(intents), len(set(intents)), "one intent per generation")
        # Every value the plant ever got was audited before, and none left its bounds.
        got = [float(line) for line in (self.folder / "value.log").read_text().split()]
        allowed = {r["after"][0] for r in records if r["kind"] == "intent"}
        for value in got:
            self.assertIn(value, allowed)
            self.assertTrue(1 <= value <= 100)
        verify = run("audit", "verify", "--store", self.store)
        self.assertEqual(verify.returncode, 0, verify.stdout + verify.stderr)
        self.assertIn("intact", verify.stdout)

    def test_commands(self):
        daemon = self.start()
        daemon.wait(lambda loop: int(loop["applied"]) >= 2, "two applied changes")
        self.assertEqual(daemon.run("pause", "size", "--reason", "maintenance").returncode, 0)
        loop = daemon.wait(lambda l: l["state"] == "safe mode", "safe mode")
        self.assertEqual(loop["safe_mode_reasons"], ["Manual"])
        frozen = daemon.wait(lambda l: l["knobs"][0]["value"] == l["knobs"][0]["base"], "the probe taken back")
        self.assertEqual(daemon.run("rollback", "size", "--reason", "test").returncode, 0)
        daemon.wait(lambda l: l["knobs"][0]["value"] == 50, "the baseline")
        self.assertEqual((self.folder / "value").read_text(), "50")
        self.assertEqual(daemon.run("resume", "size").returncode, 0)
        daemon.wait(lambda l: l["state"] == "running", "running")
        daemon.run("pause", "size")
        self.assertEqual(daemon.run("safe-mode", "reset", "size").returncode, 0)
        daemon.wait(lambda l: l["state"] == "running", "running after reset")
        self.assertIsNotNone(frozen)
        table = daemon.run("status")
        self.assertIn("size", table.stdout)
        actors = {r["actor"] for r in self.records() if r["kind"] == "operator_command"}
        self.assertEqual(len(actors), 1)

    def test_refusals_say_why_and_exit_with_one(self):
        daemon = self.start()
        missing = daemon.run("pause", "nothing")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no loop 'nothing'", missing.stderr)
        self.assertEqual(run("status", "--api", "127.0.0.1:1").returncode, 1)
        self.assertEqual(run("status", "--api", "somewhere").returncode, 1)
        self.assertEqual(run("frobnicate").returncode, 2)
        self.assertEqual(run("audit", "tail", "--count", "0").returncode, 2)
        self.assertEqual(run("audit", "verify", "--store", str(self.folder / "none.db")).returncode, 1)
        second = subprocess.run([HOMEOSTATD, "--config", str(self.config)], capture_output=True, text=True, timeout=20)
        self.assertEqual(second.returncode, 1)
        self.assertIn("audit.db", second.stderr)

    def test_http_errors_are_problems(self):
        daemon = self.start()
        for path, status in (("/nowhere", 404), ("/api/v1/audit?tail=x", 400), ("/api/v1/audit?page=1", 400),
                             ("/api/v1/loops/size/pause", 405), ("/api/v1/audit?tail=%zz", 400)):
            code, body = daemon.get(path)
            self.assertEqual(code, status, path)
            self.assertEqual(json.loads(body)["status"], status)
        self.assertEqual(daemon.get("/healthz")[0], 200)
        daemon.wait(lambda loop: loop["state"] == "running", "running")
        self.assertEqual(daemon.get("/readyz")[0], 200)

    def test_metrics_please_promtool(self):
        daemon = self.start()
        daemon.wait(lambda loop: int(loop["applied"]) >= 2, "two applied changes")
        code, text = daemon.get("/metrics")
        self.assertEqual(code, 200)
        self.assertRegex(text, r'homeostat_changes_applied_total\{loop="size",pool="default"\} [1-9]')
        promtool = shutil.which("promtool")
        self.assertIsNotNone(promtool)
        check = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
        self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""))

    def test_json_log_lines_are_json(self):
        self.config = self.write_config(log="json")
        daemon = self.start()
        daemon.terminate()
        self.assertGreaterEqual(len(daemon.log), 2)
        for line in daemon.log:
            self.assertEqual(set(json.loads(line)), {"time", "level", "message"})

    def test_help_and_completion(self):
        for command in ([], ["status"], ["audit"], ["audit", "verify"], ["demo", "cache"], ["safe-mode", "reset"]):
            result = run(*command, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("Usage", result.stdout)
        script = run("completion").stdout
        check = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, timeout=10)
        self.assertEqual(check.returncode, 0, check.stderr)
        complete = subprocess.run(
            ["bash", "-c", 'eval "$1"; COMP_WORDS=(homeostat audit v); COMP_CWORD=2; _homeostat; echo "${COMPREPLY[@]}"', "-", script],
            text=True, capture_output=True, timeout=10)
        self.assertEqual(complete.stdout.strip(), "verify")


class FailingPlants(Scratch):
    def test_a_lying_actuator_ends_in_safe_mode(self):
        daemon = self.start()
        daemon.wait(lambda loop: int(loop["applied"]) >= 2, "two applied changes")
        self.mode("lie")
        loop = daemon.wait(lambda l: "ActuatorFailing" in l["safe_mode_reasons"], "ActuatorFailing")
        self.assertGreaterEqual(int(loop["rejected"].get("ActuatorFailed", 0)), 1)
        self.mode("honest")
        daemon.wait(lambda l: l["state"] == "running", "running again after the cooldown", 30)

    def test_a_dead_plant_freezes_the_loop_and_it_comes_back(self):
        daemon = self.start()
        daemon.wait(lambda loop: int(loop["applied"]) >= 2, "two applied changes")
        self.mode("dead")
        daemon.wait(lambda l: l["state"] == "safe mode", "safe mode", 30)
        self.mode("honest")
        daemon.wait(lambda l: l["state"] == "running", "running again", 40)
        code, took = daemon.terminate()
        self.assertEqual(code, 0)
        self.assertLess(took, 5)

    def test_a_plant_that_starts_after_the_daemon_is_taken_as_it_is(self):
        self.mode("dead")
        daemon = self.start()
        daemon.wait(lambda l: "ActuatorFailing" in l["safe_mode_reasons"], "frozen: nobody has seen the plant's values")
        (self.folder / "value").write_text("40")
        self.mode("honest")
        loop = daemon.wait(lambda l: l["state"] == "running", "running once the plant answers", 30)
        self.assertLessEqual(abs(loop["knobs"][0]["base"] - 40), 20, "40 was adopted; the default 50 was never written over it")
        self.assertIn("drift", [record["kind"] for record in self.records()])

    def test_a_full_disk_stops_changes_and_room_brings_them_back(self):
        disk = pathlib.Path(tempfile.mkdtemp(prefix="homeostat-e2e-disk-"))  # outlives the folder: unmounted last
        self.addCleanup(disk.rmdir)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "homeostat-e2e", disk], capture_output=True).returncode != 0:
            self.skipTest("may not mount a small file system here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.config.write_text(self.config.read_text().replace(f"{self.folder}/audit.db", f"{disk}/audit.db"))
        daemon = self.start()
        daemon.wait(lambda loop: int(loop["applied"]) >= 2, "two applied changes")
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as full:
            try:
                while full.write(bytes(4096)) > 0:
                    pass
            except OSError:
                pass
        frozen = daemon.wait(lambda l: "AuditUnavailable" in l["safe_mode_reasons"], "AuditUnavailable", 30)
        value = (self.folder / "value").read_text()
        time.sleep(1)
        self.assertEqual((self.folder / "value").read_text(), value, "nothing is applied that cannot be recorded")
        self.assertTrue(frozen["knobs"])
        filler.unlink()
        daemon.wait(lambda l: l["state"] == "running" and int(l["applied"]) > int(frozen["applied"]), "changes again", 40)
        code, took = daemon.terminate()
        self.assertEqual(code, 0)
        self.assertLess(took, 5)
        self.assertEqual(run("audit", "verify", "--store", str(disk / "audit.db")).returncode, 0)

    def test_a_refusing_actuator_changes_nothing(self):
        self.mode("refuse")
        daemon = self.start()
        daemon.wait(lambda l: int(l["rejected"].get("ActuatorFailed", 0)) >= 1, "a refused change")
        self.assertFalse((self.folder / "value.log").exists())


class Validating(Scratch):
    def test_good_and_bad_configurations(self):
        good = run("validate", str(self.config))
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        text = self.config.read_text()
        bad = self.folder / "bad.yaml"
        bad.write_text(text.replace("min: 1,", "min: one,").replace("minimize", "minimise"))
        result = run("validate", str(bad))
        self.assertEqual(result.returncode, 1)
        self.assertTrue(re.search(r"bad\.yaml:\d+: Loop size: spec\.knobs\[0\]\.min: is 'one', expected", result.stderr), result.stderr)
        report = json.loads(run("validate", str(bad), str(self.config), "--output", "json").stdout)
        self.assertEqual([f["ok"] for f in report["files"]], [False, True])
        daemon = subprocess.run([HOMEOSTATD, "--config", str(bad)], capture_output=True, text=True, timeout=20)
        self.assertEqual(daemon.returncode, 1)
        self.assertIn("bad.yaml", daemon.stderr)
        self.assertEqual(run("validate", str(self.folder / "missing.yaml")).returncode, 1)


if __name__ == "__main__":
    unittest.main()
