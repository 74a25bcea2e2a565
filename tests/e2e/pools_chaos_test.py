"""Pools in the real daemon while what they keep is damaged, gone, slow or full: decisions and outcomes go on."""

import json
import os
import pathlib
import random
import resource
import sqlite3
import time
import unittest

from pool_daemon import MIB, PoolDaemon


class Chaos(PoolDaemon):
    @property
    def metrics(self):
        return pathlib.Path(self.store + ".transfers")

    def wait_pool(self, condition, what, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pool = self.pool()
            if condition(pool):
                return pool
            time.sleep(0.1)
        self.fail(f"not within {seconds} s: {what}; {pool}")

    def goes_on(self, message):
        """Decisions are answered and follow what is reported; the loop beside them changes its knob."""
        before = int(self.pool()["transfers"])
        self.learn()
        self.assertEqual(int(self.pool()["transfers"]), before + 16, message)
        self.assertIn(self.decide(2 * MIB)["reason"], ("cost_benefit", "exploration"), message)
        applied = int(self.daemon.loop()["applied"])
        self.daemon.wait(lambda loop: int(loop["applied"]) > applied, f"a change, {message}")

    def alerts(self):
        """The daemon must have ended: what it recorded is durable by then."""
        return [r["text"] for r in self.records() if r["kind"] == "alert"]

    def restart(self, change):
        if self.daemon.process.poll() is None:
            self.daemon.terminate()
        change()
        self.daemon = self.start()

    def assert_not_written(self, error, waiting=True):
        pool = self.wait_pool(lambda p: p.get("metrics_error"), "an error of the metrics")
        self.assertRegex(pool["metrics_error"], error)
        if waiting:
            self.wait_pool(lambda p: int(p.get("metrics_waiting", 0)) > 0, "rows that wait")
        self.assertRegex(self.command("pools", "show", "tensors"), f"metrics +not written: .*({error})")

    def rows(self):
        connection = sqlite3.connect(self.metrics)
        try:
            return connection.execute("SELECT count(*) FROM sample").fetchone()[0]
        finally:
            connection.close()

    # ---- metrics ----

    def test_metrics_whose_file_was_replaced_by_a_folder(self):
        self.learn()
        for part in self.folder.glob("audit.db.transfers*"):
            part.unlink()
        self.metrics.mkdir()
        self.learn()
        self.assert_not_written("moved, replaced or deleted")
        self.goes_on("the file is gone")
        self.daemon.terminate()
        self.assertEqual([a for a in self.alerts() if "cannot be written" in a], self.alerts()[:1])

    def test_metrics_that_cannot_be_opened_at_start(self):
        def folder_in_its_place():
            for part in self.folder.glob("audit.db.transfers*"):
                part.unlink()
            self.metrics.mkdir()
        self.restart(folder_in_its_place)
        self.learn()
        self.assert_not_written("audit.db.transfers", waiting=False)
        self.assertEqual(int(self.pool()["metrics_refused"]), 16, "counted")
        self.assertIn("16 delivered", self.command("pools", "report", "tensors"), "in memory")
        self.goes_on("without a file")
        self.daemon.terminate()
        self.assertIn("transfer metrics are kept in memory only", self.alerts()[0])

    def test_metrics_whose_file_is_damaged_at_start_begin_anew_beside_it(self):
        self.learn()
        time.sleep(1.5)  # written once a second
        self.restart(lambda: self.metrics.write_bytes(random.Random(1).randbytes(100_000)))
        self.goes_on("a new file")
        self.assertTrue(pathlib.Path(str(self.metrics) + ".damaged").exists())
        self.daemon.terminate()
        self.assertIn("was damaged", self.alerts()[0])

    def test_metrics_whose_disk_is_slow(self):
        holder = sqlite3.connect(self.metrics, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")  # every write waits for this one, and gives up
        self.learn()
        self.assert_not_written("locked")
        self.goes_on("while writes wait")
        sent = int(self.pool()["transfers"])
        holder.execute("ROLLBACK")
        holder.close()
        self.wait_pool(lambda p: not p.get("metrics_error") and self.rows() == sent, "all written, nothing lost", 60)

    def test_metrics_whose_disk_is_full(self):
        # The audit's write-ahead log stays below 6 MB; the metrics' file, and then its log, does not.
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE, (6 * MIB, resource.RLIM_INFINITY))
        rnd = random.Random(6)
        for _ in range(600):
            self.post("/api/v1/pools/tensors/outcomes", {"outcomes": [
                {"data": {"size": rnd.randrange(2**14, 2**26)}, "method": "grpc", "latencyUs": 1000 * rnd.random() + 1}
                for _ in range(400)]})
            if self.pool().get("metrics_error"):
                break
        self.assert_not_written("full|disk I/O error")
        self.goes_on("no room for metrics")
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_pool(lambda p: not p.get("metrics_error") and int(p.get("metrics_waiting", 0)) == 0, "all written", 60)
        self.assertEqual(self.rows(), int(self.pool()["transfers"]), "nothing is lost")

    # ---- models ----

    def test_models_that_are_harmed_are_not_believed(self):
        self.transfers(9000, random.Random(3))
        self.wait_model(lambda m: m.get("model", "0") != "0", "a model")
        (model,) = pathlib.Path(self.store + ".models", "tensors").glob("*.hsmodel")
        sound = model.read_bytes()

        def flipped(at):
            harmed = bytearray(sound)
            harmed[at] ^= 0x10
            return bytes(harmed)
        harms = {"flipped": flipped(len(sound) // 2), "truncated": sound[:len(sound) // 3], "empty": b"",
                 "of another version": flipped(8), "no model at all": os.urandom(5000)}
        for count, (name, content) in enumerate(harms.items(), 1):
            with self.subTest(name):
                self.restart(lambda: model.write_bytes(content))
                found = self.pool()["model"]
                self.assertIn(model.name, found["failure"])
                self.assertEqual(found.get("step", ""), "")
                self.assertIn(self.decide(2 * MIB)["reason"], ("threshold", "cost_benefit"), "rules and measured costs decide")
                self.goes_on(name)
                self.daemon.terminate()
                self.assertIn("no model, rules decide", "".join(self.daemon.log))
                self.assertEqual(len([a for a in self.alerts() if "no model, rules decide" in a]), count)
        self.restart(lambda: model.write_bytes(sound))
        self.assertEqual(self.pool()["model"]["step"], "observe", "the sound one is taken again")

    def test_models_whose_folder_cannot_be_made(self):
        def file_in_its_place():
            folder = pathlib.Path(self.store + ".models")
            (folder / "tensors").rmdir()
            folder.rmdir()
            folder.write_text("in the way")
        self.restart(file_in_its_place)
        self.assertIn("audit.db.models", self.pool()["model"]["failure"])
        self.goes_on("models cannot be kept")
        self.daemon.terminate()
        self.assertIn("models cannot be kept", self.alerts()[0])


if __name__ == "__main__":
    unittest.main()
