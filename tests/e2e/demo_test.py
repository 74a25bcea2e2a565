"""Both demos, short: that they run, end, and account for themselves. How much they gain is measured by hand, not here."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from homeostat_e2e import BIN, HOMEOSTAT, run


class Cache(unittest.TestCase):
    def test_short_run(self):
        result = run("demo", "cache", "--for", "8s", "--output", "json", timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        summary = json.loads(result.stdout)
        self.assertEqual(summary["demo"], "cache")
        self.assertGreater(summary["applied"], 3)
        self.assertEqual(summary["bound_breaches"], 0)
        self.assertTrue(summary["chain_verified"])
        self.assertGreater(summary["audit_records"], 2 * summary["applied"])
        self.assertGreater(summary["fixed"], 0)
        self.assertEqual(set(summary["knobs"]), {"cache_ttl_ms", "workers", "batch_size"})

    def test_the_other_strategy(self):
        result = run("demo", "cache", "--for", "8s", "--strategy", "adaptive", "--output", "json", timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        summary = json.loads(result.stdout)
        self.assertGreater(summary["applied"], 3)
        self.assertEqual(summary["bound_breaches"], 0)
        self.assertTrue(summary["chain_verified"])
        self.assertEqual(run("demo", "cache", "--strategy", "oracle").returncode, 2)

    def test_bad_length(self):
        result = run("demo", "cache", "--for", "soon")
        self.assertEqual(result.returncode, 2)
        self.assertIn("soon", result.stderr)

    def test_interrupt_ends_it_with_a_summary(self):
        process = subprocess.Popen([HOMEOSTAT, "demo", "cache", "--output", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            for line in process.stderr:  # the first progress line: it runs
                if "traffic" in line:
                    break
            process.send_signal(2)
            out, _ = process.communicate(timeout=15)
        finally:
            process.kill()
            process.wait()
        self.assertEqual(process.returncode, 0)
        self.assertTrue(json.loads(out)["chain_verified"])


class Embedding(unittest.TestCase):
    def test_the_documented_example(self):
        with tempfile.TemporaryDirectory(prefix="homeostat-e2e-") as folder:
            store = os.path.join(folder, "thumbnailer.db")
            result = subprocess.run([str(BIN / "example_thumbnailer"), "6", store], capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("batch_size", result.stdout)
            self.assertEqual(run("audit", "verify", "--store", store).returncode, 0)


class PgBouncer(unittest.TestCase):
    def test_short_run(self):
        result = run("demo", "pgbouncer", "--phase", "8s", "--pairs", "2", "--clients", "40", "--output", "json", timeout=240)
        self.assertEqual(result.returncode, 0, result.stderr)
        summary = json.loads(result.stdout)
        self.assertEqual([part["name"] for part in summary["parts"]], ["hot", "think"])
        self.assertGreater(summary["applied"], 5)
        self.assertEqual(summary["bound_breaches"], 0)
        self.assertTrue(summary["chain_verified"])


if __name__ == "__main__":
    sys.exit(unittest.main())
