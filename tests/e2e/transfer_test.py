"""`homeostat transfer-bench` as a user runs it: its report, its refusals, and how it ends."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from homeostat_e2e import HOMEOSTAT

SMALL = ["transfer-bench", "--phase", "reused", "--phase", "fresh", "--transfers", "60", "--repeats", "2",
         "--largest", "1M"]
ENDLESS = ["transfer-bench", "--phase", "reused", "--transfers", "1000000", "--repeats", "1", "--largest", "64K"]


def children(process):
    text = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def lives(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class TransferBench(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="homeostat-e2e-")
        self.folder = pathlib.Path(self._folder.name)
        self.environment = dict(os.environ, TMPDIR=str(self.folder))

    def tearDown(self):
        left = list(self.folder.iterdir())
        self._folder.cleanup()
        self.assertEqual(left, [], "the bench left something behind")

    def run_bench(self, *arguments):
        return subprocess.run([HOMEOSTAT, *arguments], capture_output=True, text=True, timeout=120,
                              env=self.environment)

    def start(self, *arguments):
        """Starts a bench. Returns it and its receiving process, once transfers are under way."""
        bench = subprocess.Popen([HOMEOSTAT, *ENDLESS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, env=self.environment)
        self.addCleanup(bench.wait)
        self.addCleanup(bench.kill)
        self.addCleanup(bench.stdout.close)
        self.addCleanup(bench.stderr.close)
        self.assertIn("0 %", bench.stderr.readline())  # the first transfer is through
        peers = children(bench.pid)
        self.assertEqual(len(peers), 1)
        return bench, peers[0]

    def test_json_report(self):
        result = self.run_bench(*SMALL, "--output", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual([phase["name"] for phase in report["phases"]], ["reused", "fresh"])
        for phase in report["phases"]:
            self.assertEqual(int(phase["transfers"]), 60)
            self.assertEqual(int(phase["measured"]), 60)
            self.assertGreaterEqual(phase["to_oracle"], 1 - 1e-9)
            self.assertGreater(phase["to_held_out_oracle"], 0)
            for name in ("to_best_fixed", "to_threshold", "to_grpc", "to_zero_copy"):
                self.assertGreater(phase[name], 0)
            self.assertGreater(int(phase["threshold"]), 0)
        for method in ("grpc", "zero_copy"):
            for name in ("reused", "fresh"):
                rows = [row for row in report["rows"] if row["method"] == method and row["phase"] == name]
                self.assertEqual(sum(int(row["transfers"]) for row in rows), 60)
                for row in rows:
                    self.assertEqual(int(row.get("failed", 0)), 0)
                    self.assertLess(int(row.get("size_from", 0)), int(row["size_to"]))
                    self.assertLessEqual(row["p50_us"], row["p95_us"])
                    self.assertLessEqual(row["p95_us"], row["p99_us"])
                    self.assertLessEqual(row["p99_us"], row["p999_us"])
                    self.assertGreater(row["p50_us"], 0)
                    self.assertGreater(row["throughput_mbps"], 0)
                    self.assertGreater(row["memory"], 0)

    def test_table_and_records_over_tcp_with_threads(self):
        records = self.folder / "records.csv"
        result = self.run_bench(*SMALL, "--tcp", "--concurrency", "3", "--types", "tensor", "text",
                                "--records", str(records))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("to oracle", result.stdout)
        lines = records.read_text().splitlines()
        records.unlink()
        self.assertEqual(len(lines), 1 + 2 * 60)
        self.assertEqual({line.split(",")[1] for line in lines[1:]}, {"tensor", "text"})

    def test_bad_flags_say_what_is_expected(self):
        for arguments, words in (
                (["--phase", "warm"], ["phase 'warm'", "'warm' is unknown", "expected reused, fresh, cpu, memory"]),
                (["--phase", "reused+"], ["phase 'reused+'", "expected reused"]),
                (["--goal", "speed"], ["--goal is 'speed'", "minimize_latency"]),
                (["--types", "films"], ["a type in --types is 'films'", "dataframe"]),
                (["--smallest", "2M", "--largest", "1M"], ["--smallest is 2097152 bytes", "expected 1 to --largest"]),
                (["--smallest", "0"], ["--smallest is 0 bytes"]),
                (["--largest", "8G"], ["--largest is 8589934592 bytes", "at most 4294967296"]),
                (["--threshold", "2G"], ["zero_copy_threshold is 2147483648", "expected"]),
                (["--transfers", "0"], ["--transfers", "1"]),
                (["--measured", "0"], ["--measured", "1"]),
                (["--repeats", "many"], ["--repeats", "many"]),
                (["--concurrency", "1000"], ["--concurrency", "256"]),
                (["--records", "/nowhere/file.csv"], ["/nowhere/file.csv", "cannot be written"]),
                (["--faster"], ["--faster"])):
            with self.subTest(arguments=arguments):
                result = self.run_bench("transfer-bench", "--transfers", "1", "--phase", "reused", *arguments) \
                    if arguments[0] not in ("--transfers", "--phase") else self.run_bench("transfer-bench", *arguments)
                self.assertIn(result.returncode, (1, 2))
                for word in words:
                    self.assertIn(word, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_interrupt_ends_with_what_there_is(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            bench, peer = self.start("--output", "json")
            time.sleep(0.3)
            bench.send_signal(number)
            out, err = bench.communicate(timeout=60)
            self.assertEqual(bench.returncode, 0, err)
            report = json.loads(out)
            self.assertEqual(len(report["phases"]), 1)
            self.assertLess(int(report["phases"][0]["transfers"]), 1_000_000)
            self.assertEqual(sum(int(row.get("failed", 0)) for row in report["rows"]), 0)
            self.assertFalse(lives(peer))

    def test_interrupt_from_the_terminal_does_not_reach_the_receiving_process(self):
        bench, peer = self.start()
        self.assertNotEqual(os.getpgid(peer), os.getpgid(bench.pid))
        bench.send_signal(signal.SIGINT)
        bench.communicate(timeout=60)

    def test_killed_bench_takes_its_receiving_process_along(self):
        bench, peer = self.start()
        bench.kill()
        bench.communicate()
        deadline = time.monotonic() + 20
        while lives(peer) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertFalse(lives(peer))
        for folder in self.folder.glob("homeostat-transfer-*"):  # nobody was left to remove it
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    def test_killed_receiving_process_is_said(self):
        bench, peer = self.start()
        os.kill(peer, signal.SIGKILL)
        out, err = bench.communicate(timeout=60)
        self.assertEqual(bench.returncode, 1)
        self.assertIn("the receiving process was ended by signal 9 in phase 'reused'", err)
        self.assertEqual(out, "")

    def test_peer_says_why_it_cannot_listen(self):
        occupied = self.folder / "file"
        occupied.write_text("data")
        result = self.run_bench("transfer-peer", "--socket", str(occupied), "--grpc", f"unix:{self.folder}/grpc")
        self.assertEqual(result.returncode, 1)
        self.assertIn("exists and is no socket", result.stderr)
        self.assertEqual(occupied.read_text(), "data")
        occupied.unlink()
        long = "/tmp/" + "x" * 200
        result = self.run_bench("transfer-peer", "--socket", long, "--grpc", f"unix:{self.folder}/grpc")
        self.assertEqual(result.returncode, 1)
        self.assertIn("expected 1 to 107", result.stderr)


if __name__ == "__main__":
    unittest.main()
