"""kill -9 at many random points of a live loop; after every restart I2, I5 and I9 are checked from outside."""

import random
import sqlite3
import time
import unittest

from homeostat_e2e import Scratch, run

KILLS = 25


class Crashing(Scratch):
    def value(self):
        path = self.folder / "value"
        return float(path.read_text()) if path.exists() else 50.0

    def test_kill_nine(self):
        dice = random.Random(20261121)
        for kill in range(KILLS):
            daemon = self.start()
            # From the middle of the start to the middle of an apply: changes come every 0.3 s here.
            time.sleep(dice.uniform(0.0, 1.2))
            daemon.kill()
            in_force = self.value()
            verify = run("audit", "verify", "--store", self.store)
            self.assertEqual(verify.returncode, 0, verify.stdout + verify.stderr)
            records = self.records()
            generations = [int(r["generation"]) for r in records if r["kind"] in ("intent", "drift")]
            self.assertEqual(generations, sorted(set(generations)), f"kill {kill}: one record per generation, in order")
            # What the plant runs is the last thing committed, or the change whose intent was durable when we struck.
            known = [r["after"][0] for r in records if r["kind"] in ("committed", "started", "drift") and r["after"]]
            settled = {int(r["generation"]) for r in records if r["kind"] in ("committed", "aborted")}
            flying = [r["after"][0] for r in records if r["kind"] == "intent" and int(r["generation"]) not in settled]
            candidates = ([known[-1]] if known else [50.0]) + flying
            self.assertIn(in_force, candidates, f"kill {kill}: neither the old nor the new configuration")
        daemon = self.start()
        loop = daemon.wait(lambda l: l["state"] == "running", "running after all that")
        self.assertEqual(loop["knobs"][0]["baseline"], 50)
        code, _ = daemon.terminate()
        self.assertEqual(code, 0)
        kinds = [r["kind"] for r in self.records()]
        self.assertGreaterEqual(kinds.count("started"), KILLS // 2)
        self.assertNotIn("drift", kinds, "nobody else touched the plant")


class Tampering(Scratch):
    """An auditor finds what somebody with write access to the file did."""

    def setUp(self):
        super().setUp()
        daemon = self.start()
        daemon.wait(lambda loop: int(loop["applied"]) >= 5, "five applied changes", 30)
        daemon.terminate()

    def tamper(self, *statements):
        with sqlite3.connect(self.store) as database:
            for statement in statements:
                database.execute(statement)
        database.close()
        result = run("audit", "verify", "--store", self.store)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("BROKEN", result.stdout)
        return result.stdout

    def table(self):
        with sqlite3.connect(self.store) as database:
            names = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        database.close()
        return next(name for name in names if "audit" in name or "record" in name)

    def test_flipped_bit(self):
        table = self.table()
        with sqlite3.connect(self.store) as database:
            payload = bytearray(database.execute(f"select payload from {table} where sequence = 5").fetchone()[0])
            payload[len(payload) // 2] ^= 1
            database.execute(f"update {table} set payload = ? where sequence = 5", (bytes(payload),))
        database.close()
        result = run("audit", "verify", "--store", self.store)
        self.assertEqual(result.returncode, 1)
        self.assertIn("record 5: altered", result.stdout)

    def test_dropped_record(self):
        self.assertIn("missing", self.tamper(f"delete from {self.table()} where sequence = 4"))

    def test_dropped_last_record(self):
        table = self.table()
        self.tamper(f"delete from {table} where sequence = (select max(sequence) from {table})")

    def test_reordered_records(self):
        table = self.table()
        self.tamper(f"update {table} set sequence = -3 where sequence = 3", f"update {table} set sequence = 3 where sequence = 4",
                    f"update {table} set sequence = 4 where sequence = -3")


if __name__ == "__main__":
    unittest.main()
