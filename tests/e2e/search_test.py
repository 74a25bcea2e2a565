"""The batch search from the command line: solve, ask, tell, export, import, replay, interactive."""
import itertools
import json
import os
import pathlib
import random
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
        rounds, evaluated, patience = 0, 0, 0.11
        while True:
            rounds += 1
            running = subprocess.Popen([HOMEOSTAT, "solve", "--config", self.config, "--state", self.state, "--",
                                        self.script], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                _, errors = running.communicate(timeout=patience + 0.013 * (rounds % 7))
                self.assertEqual(running.returncode, 0, errors)
                break
            except subprocess.TimeoutExpired:
                running.kill()
                running.communicate()
                if len(self.evaluated()) == evaluated:
                    patience *= 1.5  # too slow a machine, or too slow a program, to get on at all
                evaluated = len(self.evaluated())
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

    def test_killed_thirty_times_at_any_instant_it_ends_where_an_unbroken_run_ends(self):
        self.write_config(budget=120)
        quick = self.write_program("quick.sh", "#!/bin/sh\necho $HOMEOSTAT_TRIAL $x >> $TRACE\n"
                                               "case $x in -*) echo ${x#-};; *) echo $x;; esac\n")
        self.state = self.path("whole")
        whole = self.solve("--state", self.state, script=quick)
        self.assertEqual(whole.returncode, 0, whole.stderr)
        expected = self.journal()
        self.state = self.path("killed")
        instants = random.Random(7)
        for _ in range(30):
            running = subprocess.Popen([HOMEOSTAT, "solve", "--config", self.config, "--state", self.state, "--", quick],
                                       env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(instants.uniform(0.001, 0.09))
            running.kill()
            running.wait()
        done = self.solve("--state", self.state, script=quick)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.journal(), expected)
        self.assertEqual(self.run_it("replay", "--state", self.state).returncode, 0)

    def test_a_program_that_talks_forks_and_ignores_signals_is_heard(self):
        self.write_config(budget=2)
        for name, text in [("talks", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo 1.5"),
                           ("leaves", "setsid sleep 20 & sleep 20 & echo 1.5"),
                           ("stubborn", "trap '' TERM INT HUP; echo 1.5")]:
            with self.subTest(name):
                script = self.write_program(name, f"#!/bin/sh\n{text}\n")
                done = self.solve("--state", self.path(name + ".state"), script=script, timeout=15)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(json.loads(done.stdout)["best"]["value"], 1.5)

    def test_a_full_disk_ends_the_run_with_a_reason_and_room_lets_it_go_on(self):
        disk = tempfile.mkdtemp(prefix="homeostat-e2e-disk-")
        self.addCleanup(os.rmdir, disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "homeostat-e2e", disk],
                          capture_output=True, check=False).returncode != 0:
            self.skipTest("may not mount a small file system here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.write_config(budget=60)
        whole = self.solve("--state", self.path("whole"))
        self.assertEqual(whole.returncode, 0, whole.stderr)
        self.state = self.path("whole")
        expected = self.journal()
        self.state = os.path.join(disk, "state")
        fills = self.write_program("fills.sh", BOWL + f'[ "$HOMEOSTAT_TRIAL" != 20 ] || cat /dev/zero > {disk}/filler\ntrue\n')
        done = self.solve("--state", self.state, "--retries", "0", script=fills)
        self.assertEqual(done.returncode, 1)
        self.assertIn("full", done.stderr)
        os.unlink(os.path.join(disk, "filler"))
        again = self.solve("--state", self.state)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.journal(), expected)

    def test_a_state_on_a_file_system_that_is_read_only_is_named(self):
        disk = tempfile.mkdtemp(prefix="homeostat-e2e-disk-")
        self.addCleanup(os.rmdir, disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "homeostat-e2e", disk],
                          capture_output=True, check=False).returncode != 0:
            self.skipTest("may not mount a small file system here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.state = os.path.join(disk, "state")
        self.write_config(budget=5)
        self.assertEqual(self.solve("--state", self.state).returncode, 0)
        expected = self.journal()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        self.write_config(budget=6)
        for command in (["solve", "--config", self.config, "--state", self.state, "--", self.script],
                        ["solve", "--config", self.config, "--state", self.state + "2", "--", self.script],
                        ["tell", "--state", self.state], ["ask", "--state", self.state]):
            done = self.run_it(*command, text="[]")
            self.assertEqual(done.returncode, 1, command)
            self.assertIn(self.state, done.stderr)
        self.assertEqual(len(self.evaluated()), 5, "nothing is evaluated that could not be recorded")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        self.assertEqual(self.journal(), expected)

    def test_numbers_that_are_none_are_refused_before_anything_runs(self):
        for option, value in [("--failure-value", "nan"), ("--failure-value", "inf"), ("--failure-value", "x"),
                              ("--jobs", "0"), ("--jobs", "65"), ("--retries", "-1"), ("--timeout", "0s"),
                              ("--timeout", "soon"), ("--metrics-port", "70000")]:
            with self.subTest(option=option, value=value):
                done = self.solve(option, value)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(option, done.stderr)
        self.assertEqual(self.evaluated(), [])

    def test_an_online_strategy_is_not_for_solve(self):
        self.write_config(strategy="adaptive")
        done = self.solve()
        self.assertEqual(done.returncode, 1)
        self.assertIn("strategy is 'adaptive', which is online", done.stderr)
        self.assertFalse(os.path.exists(self.state))

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


class Validate(SearchCase):
    def validate(self, *files):
        return self.run_it("validate", *files)

    def test_a_good_one(self):
        example = pathlib.Path(__file__).parents[2] / "docs" / "examples" / "solve" / "sort.json"
        done = self.validate(self.config, str(example))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, f"{self.config}: ok, a search of 2 parameters, strategy auto\n"
                                      f"{example}: ok, a search of 3 parameters, strategy auto\n")

    def test_everything_wrong_is_said_with_its_line(self):
        bad = self.write("bad.json", """{
  "bounds": {
    "x": {"min": 3, "max": 1},
    "y": {"min": 0, "max": 1, "scale": "logg"}
  },
  "strategy": "byes",
  "budget": 0
}
""")
        done = self.validate(bad)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.splitlines(), [
            f"{bad}:3: bounds.x.max: is 1, expected more than min 3",
            f"{bad}:4: bounds.y.scale: is the text 'logg' (did you mean 'log'?), expected one of linear, log, periodic",
            f"{bad}:6: strategy: is the text 'byes' (did you mean 'bayes'?), expected one of auto, probe, nelder-mead, "
            "tpe, cma-es, quadratic, bayes, adaptive, spsa",
            f"{bad}:7: budget: is '0', expected a whole number from 1 to 1000000"])
        report = json.loads(self.run_it("validate", bad, self.config, "--output", "json").stdout)["files"]
        self.assertEqual([(f["kind"], f["ok"], len(f["problems"]), f["parameters"]) for f in report],
                         [("search", False, 4, 0), ("search", True, 0, 2)])
        self.assertEqual(report[0]["problems"][1]["path"], "bounds.y.scale")
        # What validate refuses, every other command refuses in the same words.
        for command in (["solve", "--config", bad, "--", self.script], ["ask", "--config", bad, "--state", self.state],
                        ["interactive", "--config", bad]):
            refused = self.run_it(*command, text="")
            self.assertEqual((refused.returncode, refused.stderr), (1, done.stderr), command)
        self.assertFalse(os.path.exists(self.state))

    def test_what_cannot_be_read_is_said(self):
        for name in (self.path("nothing"), self.folder):
            done = self.validate(name)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot be read", done.stderr)
        done = self.validate(self.write("open.json", '{\n "bounds": {'))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"open\.json:\d: is neither JSON nor YAML")


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

    def test_hostile_results_are_refused_one_by_one(self):
        asked = self.ask("--config", self.config)[0]["params"]
        for text in ("", "{", "nonsense", "[", '[{"params": ', "null", "3", '"x"', "[[]]", "[3]", "[{}]",
                     '[{"params": 3, "value": 1}]', '[{"params": {}, "value": 1}]',
                     json.dumps([{"params": asked, "value": None}]), json.dumps([{"params": asked, "value": True}]),
                     json.dumps([{"params": asked, "value": float("nan")}]),
                     json.dumps([{"params": asked, "value": float("inf")}]),
                     json.dumps([{"params": asked, "value": "NaN"}]),
                     json.dumps([{"params": asked, "value": 1}])[:-2] + ', "value": 2}]',
                     '[{"params": {"x": 1e999, "y": 1}, "value": 1}]',
                     json.dumps([{"params": asked, "value": 1, "cost": -1}]),
                     json.dumps([{"params": asked, "value": 1, "costs": 1}]),
                     json.dumps([{"params": {**asked, "x": "high"}, "value": 1}]),
                     json.dumps([{"params": {**asked, "x": [1]}, "value": 1}])):
            for more in ([], ["--seed-results"]):
                with self.subTest(text=text, more=more):
                    done = self.run_it("tell", "--state", self.state, *more, text=text)
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertTrue(done.stderr.strip())
        told = self.tell([{"params": asked, "value": 1.5}])
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(json.loads(told.stdout)["told"], "1")

    def test_huge_results_are_taken_and_do_no_harm(self):
        for strategy in ("auto", "probe", "nelder-mead", "tpe", "cma-es", "quadratic", "bayes"):
            with self.subTest(strategy):
                self.state = self.path(strategy)
                self.write_config(strategy=strategy, budget=25)
                extremes = itertools.cycle([1.7e308, -1.7e308, 0.0, 5e-324])
                while params := self.ask("--config", self.config, "--count", "5"):
                    done = self.tell([{"params": t["params"], "value": next(extremes)} for t in params])
                    self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.run_it("replay", "--state", self.state).returncode, 0)

    def test_places_that_hold_no_state_are_named(self):
        for place in (self.folder, "/dev/null", "/dev/full", self.path("no/such/folder/state"), self.config,
                      os.path.join(self.config, "below a file")):
            for command in (["ask", "--config", self.config], ["export"], ["replay"], ["tell"], ["import"]):
                with self.subTest(place=place, command=command):
                    done = self.run_it(*command, "--state", place, text="[]")
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertTrue(done.stderr.strip())
        self.assertFalse(os.path.exists("/dev/null.lock"))
        self.assertTrue(os.path.exists(self.config))

    def test_export_does_not_overwrite_the_state(self):
        self.solve()
        before = self.journal()
        done = self.run_it("export", "--state", self.state, self.state)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is the search's state", done.stderr)
        self.assertEqual(self.journal(), before)
        device = os.stat("/dev/full")
        for place in ("/dev/full", self.path("no/such/folder/document"), self.folder):
            done = self.run_it("export", "--state", self.state, place)
            self.assertEqual(done.returncode, 1, place)
            self.assertIn(place, done.stderr)
        self.assertEqual(os.stat("/dev/full").st_ino, device.st_ino, "a file was put in the device's place")

    def test_a_state_cut_off_or_scribbled_on_is_refused_or_whole(self):
        self.write_config(budget=40)
        self.solve()
        expected = self.journal()
        with open(self.state, "rb") as state:
            good = state.read()
        places = random.Random(3)
        refused = 0
        for number in range(40):
            if number % 4 == 0:
                bad = good[:places.randrange(1, len(good))]
            else:
                at = places.randrange(len(good) - 64)
                bad = good[:at] + places.randbytes(64) + good[at + 64:]
            self.state = self.path(f"bad{number}")
            with open(self.state, "wb") as out:
                out.write(bad)
            done = self.run_it("replay", "--state", self.state)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            if done.returncode == 1:
                refused += 1
                self.assertIn(self.state, done.stderr)
            else:
                self.assertEqual(self.journal(), expected, number)
        self.assertGreater(refused, 10)

    def test_hostile_documents_are_refused_and_leave_nothing(self):
        self.solve()
        good = json.loads(self.run_it("export", "--state", self.state).stdout)
        cut = json.dumps(good)[:500]
        for number, text in enumerate((cut, "[]", "null", "{}", json.dumps({**good, "version": 2}),
                                       json.dumps({**good, "checksum": ""}), json.dumps({**good, "config": "{"}),
                                       json.dumps({**good, "journal": good["journal"][1:]}),
                                       json.dumps({**good, "journal": good["journal"] * 2}),
                                       json.dumps({**good, "surprise": 1}))):
            copy = self.path(f"copy{number}")
            done = self.run_it("import", "--state", copy, text=text)
            self.assertEqual(done.returncode, 1, text[:80])
            self.assertTrue(done.stderr.strip())
            self.assertFalse(os.path.exists(copy))

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

    def test_hostile_lines_are_answered(self):
        for strategy in ("auto", "adaptive", "spsa"):
            self.write_config(strategy=strategy, budget=2000)
            point = self.talk('{"cmd":"ask"}')[0]["params"][0]
            result = json.dumps({"params": point, "value": 1.0})
            bad = ['{"cmd":"tell"}', '{"cmd":"tell","results":{}}', '{"cmd":"tell","results":[3]}', "[]", "3", "{", "\x00",
                   '{"cmd":["ask"]}', '{"cmd":"ask","batch":1e99}' if strategy == "auto" else '{"cmd":"asks"}',
                   '{"cmd":"tell","results":[{"params":%s,"value":NaN}]}' % json.dumps(point),
                   '{"cmd":"tell","results":[{"params":%s,"value":"Infinity"}]}' % json.dumps(point),
                   '{"cmd":"tell","results":[{"params":%s,"value":1e999}]}' % json.dumps(point),
                   '{"cmd":"tell","results":[{"params":%s,"value":1,"cost":-1}]}' % json.dumps(point),
                   '{"cmd":"tell","results":[{"params":%s,"value":1}]}' % json.dumps({**point, "x": 4.5}),
                   '{"cmd":"tell","results":[{"params":%s,"value":1}]}' % json.dumps({**point, "z": 1}),
                   '{"cmd":"tell","results":[{"params":{"x":1},"value":1}]}', "x" * 3_000_000]
            replies = self.talk('{"cmd":"ask"}', *bad, '{"cmd":"tell","results":[%s]}' % result, '{"cmd":"status"}')
            self.assertEqual(len(replies), len(bad) + 3)
            for line, reply in zip(bad, replies[1:-2]):
                self.assertTrue(reply.get("error"), (strategy, line[:80], reply))
            self.assertEqual(replies[-2], {"ok": True}, "nothing was spoilt")
            self.assertEqual(replies[-1]["told"], 1)

    def test_parameters_of_online_strategies_are_checked(self):
        for strategy, params in (("adaptive", {"pace": 1}), ("spsa", {"noise_floor": 1}),
                                 ("adaptive", {"max_delta_per_step": 0}), ("spsa", {"max_delta_per_step": 2}),
                                 ("auto", {"max_delta_per_step": 0.1}), ("adaptive", {"noise_floor": -1})):
            self.write_config(strategy=strategy, strategy_params=params)
            done = self.run_it("interactive", "--config", self.config, text="")
            self.assertEqual(done.returncode, 1)
            self.assertIn("strategy_params." + next(iter(params)), done.stderr)

    def test_metrics_count_online_and_batch_sessions(self):
        for strategy in ("adaptive", "spsa", "auto"):
            with self.subTest(strategy):
                self.write_config(strategy=strategy, budget=2000)
                session = subprocess.Popen([HOMEOSTAT, "interactive", "--config", self.config, "--metrics-port", "0"],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                try:
                    def say(request):
                        session.stdin.write(json.dumps(request) + "\n")
                        session.stdin.flush()
                        return json.loads(session.stdout.readline())
                    address = session.stderr.readline().split()[-1]
                    for _ in range(5):
                        point = say({"cmd": "ask"})["params"][0]
                        time.sleep(0.02)
                        self.assertEqual(say({"cmd": "tell", "results": [{"params": point, "value": 1.0}]}), {"ok": True})
                    say({"cmd": "ask"})
                    if strategy != "auto":
                        say({"cmd": "ask"})  # the same again
                        say({"cmd": "abandon"})
                    text = subprocess.run(["curl", "-fsS", address], capture_output=True, text=True, check=True).stdout
                finally:
                    session.kill()
                    session.communicate()
                numbers = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
                expected = {"asks_total": 6, "tells_total": 5, "history_trials": 6 if strategy == "auto" else 5,
                            "failed_evaluations_total": 0 if strategy == "auto" else 1}
                for name, value in expected.items():
                    self.assertEqual(float(numbers["homeostat_search_" + name]), value, name)
                self.assertGreaterEqual(float(numbers["homeostat_search_evaluation_seconds_total"]), 0.1)
                checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                                         check=False)
                self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_online_strategies_speak_the_same(self):
        self.write_config(strategy="adaptive", budget=2000)
        replies = self.talk('{"cmd":"ask","batch":1}')
        point = replies[0]["params"][0]
        self.assertEqual(point["x"], 0, "an online search starts at the default, the middle")


if __name__ == "__main__":
    unittest.main()
