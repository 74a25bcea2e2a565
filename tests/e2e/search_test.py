"""The batch search from the command line: solve, ask, tell, export, import, replay, interactive."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from homeostat_e2e import HOMEOSTAT

BOWL = """#!/bin/sh
# A bowl with its bottom at (1, 10); y is on a log scale.
echo "evaluating $HOMEOSTAT_TRIAL" >> "$TRACE"
[ -z "$PAUSE" ] || sleep "$PAUSE"
awk -v x="$x" -v y="$y" 'BEGIN { printf "noise before\\n%.17g\\n", (x-1)^2 + (log(y)/log(10)-1)^2 }'
"""


def config(**changes):
    settings = {"seed": 42, "budget": 30,
                "bounds": {"x": {"min": -5, "max": 5}, "y": {"min": 0.1, "max": 1000, "scale": "log"}}}
    return {**settings, **changes}


class SearchCase(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.trace = self.path("trace")
        self.env = {**os.environ, "TRACE": self.trace, "PAUSE": ""}
        self.script = self.write_program("evaluate.sh", BOWL)
        self.config = self.path("c.json")
        self.state = self.path("c.json.state")
        self.write_config()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def write_program(self, name, text):
        path = self.write(name, text)
        os.chmod(path, 0o755)
        return path

    def write_config(self, **changes):
        self.write("c.json", json.dumps(config(**changes)))

    def run_it(self, *arguments, text=None, timeout=60):
        return subprocess.run([HOMEOSTAT, *arguments], input=text, capture_output=True, text=True,
                              timeout=timeout, env=self.env, check=False)

    def solve(self, *options, script=None, **more):
        return self.run_it("solve", "--config", self.config, "--output", "json", *options, "--", script or self.script,
                           **more)

    def evaluated(self):
        try:
            with open(self.trace, encoding="utf-8") as lines:
                return [int(line.split()[1]) for line in lines]
        except FileNotFoundError:
            return []

    def journal(self):
        document = json.loads(self.run_it("export", "--state", self.state).stdout)
        return [(e["kind"], e["id"], tuple(e["values"]), e["value"]) for e in document["journal"]]


class Solve(SearchCase):
    def test_finds_the_bottom_and_says_where(self):
        done = self.solve()
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["told"], "30")
        self.assertTrue(report["finished"])
        self.assertLess(report["best"]["value"], 1e-3)
        self.assertAlmostEqual(report["best"]["params"]["x"], 1, delta=0.1)
        self.assertEqual(self.evaluated(), list(range(30)))

    def test_killed_and_run_again_goes_on_with_the_same_run(self):
        whole = self.solve("--state", self.path("whole"))
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.state = self.path("whole")
        expected = self.journal()
        self.state = self.path("killed")
        self.env["PAUSE"] = "0.02"
        rounds = 0
        while True:
            rounds += 1
            running = subprocess.Popen([HOMEOSTAT, "solve", "--config", self.config, "--state", self.state, "--",
                                        self.script], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                _, errors = running.communicate(timeout=0.11 + 0.013 * (rounds % 7))
                self.assertEqual(running.returncode, 0, errors)
                break
            except subprocess.TimeoutExpired:
                running.kill()
                running.communicate()
        self.assertGreater(rounds, 2, "it was never killed")
        # Costs are seconds and differ; asks, tells and values must not.
        self.assertEqual(self.journal(), expected)

    def test_ctrl_c_keeps_what_is_known(self):
        self.env["PAUSE"] = "0.1"
        running = subprocess.Popen([HOMEOSTAT, "solve", "--config", self.config, "--", self.script],
                                   env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while len(self.evaluated()) < 4:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=5)
        self.assertEqual(running.returncode, 1)
        self.assertIn("the same command goes on", errors)
        told = sum(kind == "tell" for kind, *_ in self.journal())
        self.assertGreaterEqual(told, 3)
        self.env["PAUSE"] = ""
        again = self.solve()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn(f"going on with {self.state}: {told} results", again.stderr)
        self.assertEqual(json.loads(again.stdout)["told"], "30")

    def test_a_program_that_fails_ends_the_run_and_loses_nothing(self):
        broken = self.write_program("broken.sh", "#!/bin/sh\necho no database >&2; exit 3\n")
        done = self.solve("--retries", "0", script=broken)
        self.assertEqual(done.returncode, 1)
        self.assertIn("5 evaluations in a row failed", done.stderr)
        self.assertIn("exit code 3, expected 0: no database", json.loads(done.stdout)["problems"][0])
        after = self.solve()
        self.assertEqual(after.returncode, 0, after.stderr)
        self.assertEqual(json.loads(after.stdout)["told"], "30")

    def test_garbage_and_hanging_programs_are_named(self):
        for text, options, expected in [("echo maybe", [], "printed 'maybe' last, expected one finite number"),
                                        ("echo nan", [], "printed 'nan' last, expected one finite number"),
                                        ("true", [], "printed nothing, expected a number"),
                                        ("sleep 60", ["--timeout", "50ms"], "took longer than 0.05 s and was killed")]:
            with self.subTest(text):
                script = self.write_program("bad.sh", f"#!/bin/sh\n{text}\n")
                done = self.solve("--retries", "0", "--state", self.path("s" + str(len(text))), *options, script=script)
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, json.loads(done.stdout)["problems"][0])

    def test_a_failure_value_is_recorded(self):
        flaky = self.write_program("flaky.sh", BOWL + '[ $((HOMEOSTAT_TRIAL % 3)) != 1 ]\n')
        done = self.solve("--retries", "0", "--failure-value", "1000", script=flaky)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["failed"], "10")
        self.assertEqual(sum(value == 1000 for kind, _, _, value in self.journal() if kind == "tell"), 10)

    def test_two_at_a_time(self):
        done = self.solve("--jobs", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(self.evaluated()), list(range(30)))

    def test_another_configuration_is_refused(self):
        self.solve()
        self.write_config(seed=43)
        done = self.solve()
        self.assertEqual(done.returncode, 1)
        self.assertIn("holds a search of another configuration", done.stderr)

    def test_a_second_process_is_refused(self):
        self.env["PAUSE"] = "0.2"
        first = subprocess.Popen([HOMEOSTAT, "solve", "--config", self.config, "--", self.script],
                                 env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not self.evaluated():
                time.sleep(0.02)
            second = self.solve()
            self.assertEqual(second.returncode, 1)
            self.assertIn("is in use by process", second.stderr)
        finally:
            first.kill()
            first.wait()

    def test_metrics_are_served(self):
        self.env["PAUSE"] = "0.2"
        running = subprocess.Popen([HOMEOSTAT, "solve", "--config", self.config, "--metrics-port", "0", "--",
                                    self.script], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            address = next(line for line in running.stderr if "metrics at" in line).split()[-1]
            while len(self.evaluated()) < 2:
                time.sleep(0.02)
            text = subprocess.run(["curl", "-fsS", address], capture_output=True, text=True, check=True).stdout
            for name in ("asks_total", "tells_total", "history_trials", "evaluation_seconds_total"):
                self.assertIn("homeostat_search_" + name, text)
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        finally:
            running.kill()
            running.communicate()


class Documented(unittest.TestCase):
    def test_the_example_of_the_docs(self):
        example = pathlib.Path(__file__).parents[2] / "docs" / "examples" / "solve"
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([HOMEOSTAT, "solve", "--config", example / "sort.json", "--state", folder + "/state", "--",
                                   example / "sort.sh"], capture_output=True, text=True, timeout=120, check=False,
                                  env={**os.environ, "TMPDIR": folder})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?s)^best +[0-9.]+\n  buffer_kib = \d+\n  locale = C(\.UTF-8)?\n  parallel = [1-4]\n")


class AskAndTell(SearchCase):
    def ask(self, *more):
        done = self.run_it("ask", "--state", self.state, "--output", "json", *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["params"]

    def tell(self, results, *more):
        return self.run_it("tell", "--state", self.state, "--output", "json", *more, text=json.dumps(results))

    def test_one_process_for_each_step(self):
        asked = self.ask("--config", self.config, "--count", "3")
        self.assertEqual([t["id"] for t in asked], ["0", "1", "2"])
        told = self.tell([{"params": t["params"], "value": t["params"]["x"] ** 2} for t in asked])
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(json.loads(told.stdout)["told"], "3")
        self.assertEqual([t["id"] for t in self.ask()], ["3"])

    def test_each_bad_result_is_named_and_the_good_ones_count(self):
        asked = self.ask("--config", self.config, "--count", "2")
        good = {"params": asked[1]["params"], "value": 1.0}
        done = self.tell([{"params": {"x": 0, "y": 1}, "value": 1}, good, good,
                          {"params": {"x": 0}, "value": 1}, {"params": {**asked[0]["params"], "z": 1}, "value": 1},
                          {"params": asked[0]["params"], "value": "high"}, {"params": asked[0]["params"]}])
        self.assertEqual(done.returncode, 1)
        report = json.loads(done.stdout)
        self.assertEqual(report["told"], "1")
        for number, words in [(1, "no open candidate"), (3, "told before"), (4, "y"), (5, "z"), (6, "value"), (7, "value")]:
            problem = next(p for p in report["problems"] if p.startswith(f"result {number}:"))
            self.assertIn(words, problem)

    def test_a_warm_start(self):
        self.ask("--config", self.config)
        done = self.tell([{"params": {"x": 1, "y": 10}, "value": 0}], "--seed-results")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["best"]["value"], 0)

    def test_export_import_replay(self):
        self.solve()
        document = self.path("d.json")
        self.assertEqual(self.run_it("export", "--state", self.state, document).returncode, 0)
        before = self.journal()
        copy = self.path("copy")
        done = self.run_it("import", "--state", copy, document)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.state = copy
        self.assertEqual(self.journal(), before)
        replayed = self.run_it("replay", "--state", copy)
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        self.assertIn("bit for bit", replayed.stdout)

    def test_a_damaged_document_is_refused(self):
        self.solve()
        text = self.run_it("export", "--state", self.state).stdout
        damaged = json.loads(text)
        damaged["journal"][3]["value"] = 0.123
        done = self.run_it("import", "--state", self.path("copy"), text=json.dumps(damaged))
        self.assertEqual(done.returncode, 1)
        self.assertIn("damaged: checksum", done.stderr)
        self.assertFalse(os.path.exists(self.path("copy")))

    def test_a_state_that_is_none_is_refused(self):
        for name, content in [("text", "hello, this is no database at all " * 200), ("short", "x")]:
            with self.subTest(name):
                done = self.run_it("ask", "--config", self.config, "--state", self.write(name, content))
                self.assertEqual(done.returncode, 1)
                self.assertIn(name, done.stderr)
        done = self.run_it("ask", "--state", self.path("nothing"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such search", done.stderr)

    def test_a_damaged_state_is_refused(self):
        self.solve()
        with open(self.state, "r+b") as state:
            state.seek(100)
            state.write(b"\xff" * 5000)
        done = self.run_it("ask", "--state", self.state)
        self.assertEqual(done.returncode, 1)
        self.assertIn(self.state, done.stderr)


class Interactive(SearchCase):
    def talk(self, *lines):
        done = self.run_it("interactive", "--config", self.config, text="".join(line + "\n" for line in lines))
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_asks_and_tells(self):
        first = self.talk('{"cmd":"ask","batch":1}')[0]["params"][0]
        told = json.dumps({"cmd": "tell", "results": [{"params": first, "value": 0.5, "cost": 1.0}]})
        replies = self.talk('{"cmd":"ask","batch":1}', told, '{"cmd":"best"}')
        self.assertEqual(replies[0]["params"][0], first, "the same seed asks the same")
        self.assertEqual(replies[1], {"ok": True})
        self.assertEqual(replies[2]["params"], first)

    def test_bad_lines_are_answered_and_the_session_goes_on(self):
        replies = self.talk("not json", '{"cmd":"dance"}', '{"cmd":"tell","results":[{"params":{"x":1},"value":1}]}',
                            '{"cmd":"ask","batch":-1}', '{"cmd":"ask","batch":2}')
        for reply in replies[:4]:
            self.assertIn("error", reply)
        self.assertEqual(len(replies[4]["params"]), 2)

    def test_online_strategies_speak_the_same(self):
        self.write_config(strategy="adaptive", budget=2000)
        replies = self.talk('{"cmd":"ask","batch":1}')
        point = replies[0]["params"][0]
        self.assertEqual(point["x"], 0, "an online search starts at the default, the middle")


if __name__ == "__main__":
    unittest.main()
