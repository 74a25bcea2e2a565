"""Drives the real programs. Used by the e2e tests; everything runs in a scratch folder and on loopback."""

import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

BIN = pathlib.Path(os.environ["HOMEOSTAT_BIN"])
HOMEOSTAT = str(BIN / "homeostat")
HOMEOSTATD = str(BIN / "homeostatd")

# A plant of one file: its knob, and a metric that is best at 30. Modes make it lie, fail or die.
PLANT = r'''#!/usr/bin/env python3
import os, random, sys, pathlib
state = pathlib.Path(sys.argv[2])
mode_file = state.with_suffix(".mode")
mode = mode_file.read_text().strip() if mode_file.exists() else "honest"
if mode == "dead": sys.exit(7)
value = float(state.read_text()) if state.exists() else 50.0
if sys.argv[1] == "sense":
    print("latency_mean_ms", 10 + abs(value - 30) / 5 + random.random() / 4)
    print("requests", 100)
elif sys.argv[1] == "apply":
    if mode == "refuse": sys.exit(3)
    wanted = os.environ["HOMEOSTAT_KNOB_SIZE"]
    temporary = state.with_suffix(".new")
    temporary.write_text(wanted)
    os.replace(temporary, state)          # the plant itself changes in one step
    with open(state.with_suffix(".log"), "a") as log: log.write(wanted + "\n")
elif sys.argv[1] == "read_back":
    print("size", value + (5 if mode == "lie" else 0))
'''

CONFIG = """
apiVersion: homeostat/v1
kind: Node
metadata: {{name: e2e}}
spec:
  store: {{path: {folder}/audit.db}}
  api: {{listen: "127.0.0.1:0"}}
  log: {{format: {log}, level: info}}
---
apiVersion: homeostat/v1
kind: Source
metadata: {{name: file}}
spec:
  command:
    sense: [{python}, {folder}/plant.py, sense, {folder}/value]
    apply: [{python}, {folder}/plant.py, apply, {folder}/value]
    read_back: [{python}, {folder}/plant.py, read_back, {folder}/value]
  interval: 100ms
  patience: 2s
---
apiVersion: homeostat/v1
kind: Loop
metadata: {{name: size}}
spec:
  source: file
  objective: {{minimize: latency_mean_ms}}
  knobs:
    - {{name: size, type: integer, min: 1, max: 100, default: 50}}
  window: {{digests: 2, span: 200ms, settle: 10ms}}
  guardrails: {{preset: aggressive}}
  safe_mode: {{cooldown: 2s, telemetry_timeout: 5s}}
"""


class Daemon:
    """One homeostatd; `address` is its API."""

    def __init__(self, config):
        self.process = subprocess.Popen([HOMEOSTATD, "--config", str(config)], stderr=subprocess.PIPE, text=True)
        self.log = []
        self.address = None
        deadline = time.monotonic() + 20
        while self.address is None and time.monotonic() < deadline:
            if not select.select([self.process.stderr], [], [], 1)[0]:
                continue
            # Not readline: it would keep what came in one piece with a line, and select would not tell of it.
            piece = os.read(self.process.stderr.fileno(), 65536).decode()
            if not piece:
                break
            self.log.append(piece)
            match = re.search(r"API at https?://([0-9.:]+)[^0-9.:]", "".join(self.log))
            if match:
                self.address = match.group(1)
        if self.address is None:
            self.process.kill()
            raise AssertionError("homeostatd did not start: " + "".join(self.log))

    def terminate(self):
        """SIGTERM. Returns the exit code and the seconds it took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=15)
        took = time.monotonic() - begin
        self.log = ("".join(self.log) + self.process.stderr.read()).splitlines(keepends=True)
        self.process.stderr.close()
        return code, took

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def run(self, *arguments):
        return run(*arguments, "--api", self.address)

    def loop(self):
        result = self.run("status", "--output", "json")
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        return json.loads(result.stdout)["loops"][0]

    def get(self, path):
        return self.send(path)

    def send(self, path, body=None):
        """A GET, or a POST of a body as JSON. Returns the status and the text of the answer."""
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def wait(self, condition, what, seconds=20):
        """Polls the loop's status until the condition holds. Returns that status."""
        deadline = time.monotonic() + seconds
        loop = None
        while time.monotonic() < deadline:
            loop = self.loop()
            if condition(loop):
                return loop
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {what}; last status {loop}")


def run(*arguments, timeout=60):
    return subprocess.run([HOMEOSTAT, *arguments], capture_output=True, text=True, timeout=timeout)


class Scratch(unittest.TestCase):
    """A folder with a plant and a configuration; daemons started by a test are gone at its end."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="homeostat-e2e-")
        self.folder = pathlib.Path(self._folder.name)
        (self.folder / "plant.py").write_text(PLANT)
        self.config = self.write_config()
        self.daemons = []

    def tearDown(self):
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.kill()
            daemon.process.stderr.close()
        # A plant's program that a killed daemon left behind may still be writing here.
        deadline = time.monotonic() + 10
        while True:
            try:
                return self._folder.cleanup()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def write_config(self, log="text", **changes):
        text = CONFIG.format(folder=self.folder, python=sys.executable, log=log)
        for old, new in changes.items():
            text = text.replace(old, new)
        path = self.folder / "node.yaml"
        path.write_text(text)
        return path

    def start(self):
        self.daemons.append(Daemon(self.config))
        return self.daemons[-1]

    def post(self, path, body, expect=200):
        """Sends JSON to the test's daemon. Returns the JSON it answers with."""
        return self.answer(expect, path, body)

    def get(self, path, expect=200):
        """Returns the JSON that the test's daemon answers with."""
        return self.answer(expect, path)

    def answer(self, expect, *request):
        """The JSON of a request's answer, which is made again when the daemon says to ask later."""
        deadline = time.monotonic() + 15
        code, text = self.daemon.send(*request)
        while code == 429 != expect and time.monotonic() < deadline:
            time.sleep(int(re.search(r"ask again in (\d+) ms", text)[1]) / 1000)
            code, text = self.daemon.send(*request)
        self.assertEqual(code, expect, text)
        return json.loads(text)

    def command(self, *arguments, code=0):
        """Runs a command against the test's daemon. Returns what it prints: its answer, or its error."""
        result = self.daemon.run(*arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout if code == 0 else result.stderr

    def mode(self, name):
        (self.folder / "value.mode").write_text(name)

    @property
    def store(self):
        return str(self.folder / "audit.db")

    def records(self):
        result = run("audit", "tail", "--store", self.store, "-n", "10000", "--output", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return [entry["record"] for entry in json.loads(result.stdout)["entries"]]
