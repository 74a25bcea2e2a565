#!/usr/bin/python3
"""Tunes a loop with Optuna, through Homeostat's API: Optuna searches, the governor decides, the audit says who wanted what.

The loop has `pattern: proposal-gated`, and `rollback: {on_regression: false}` with a high `regression_count_limit`, since trials
are worse on purpose; the node registers the feedback source `optuna` (docs/approve-a-change.md). Optuna's
wishes get the verdicts that any other proposal gets: what the guardrails refuse is told to Optuna as failed.

    drive_with_optuna.py http://127.0.0.1:8421 LOOP KNOB MIN MAX TRIALS
"""

import json
import sys
import time
import urllib.error
import urllib.request

import optuna


class Loop:
    def __init__(self, api, name):
        self.api, self.name = api, name

    def call(self, path, body=None):
        request = urllib.request.Request(self.api + path, json.dumps(body).encode() if body else None,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def status(self):
        return next(loop for loop in self.call("/api/v1/status")["loops"] if loop["name"] == self.name)

    def propose(self, knobs, evidence):
        """Posts a proposal and waits for what becomes of it. Returns its final state."""
        proposal = self.call("/api/v1/proposals", {"changes": [{"loop": self.name, "knobs": knobs}], "source": "optuna",
                                                   "actor": "optuna", "evidence": evidence, "confidence": 0.5})
        while proposal["state"] in ("pending", "acknowledged", "approved"):
            time.sleep(0.2)
            proposal = self.call(f"/api/v1/proposals/{proposal['id']}")
        return proposal["state"]

    def measure(self, windows=3):
        """The mean of the next windows. The first one may have begun before the change."""
        seen, values = int(self.status()["windows"]) + 1, []
        while len(values) < windows:
            time.sleep(0.05)
            status = self.status()
            if int(status["windows"]) > seen and "objective" in status:
                seen = int(status["windows"])
                values.append(status["objective"])
        return sum(values) / windows


def main(api, name, knob, low, high, trials):
    loop = Loop(api, name)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for number in range(trials):
        trial = study.ask()
        value = trial.suggest_int(knob, low, high)
        try:
            live = loop.status()["knobs"][0]["value"]
            state = "applied" if live == value else loop.propose({knob: value}, f"trial {number} of {trials}")
        except urllib.error.HTTPError as error:
            state = json.load(error)["detail"]
        if state != "applied":
            print(f"trial {number}: {knob}={value}: {state}")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        study.tell(trial, loop.measure())
        print(f"trial {number}: {knob}={value}: {study.trials[-1].value:.3f}")
    best = study.best_trial
    print(f"best: {knob}={best.params[knob]}: {best.value:.3f}")
    return loop.propose({knob: best.params[knob]}, f"best of {trials} trials")


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
