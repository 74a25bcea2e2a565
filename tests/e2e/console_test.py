"""The operator's console in a real Chromium: against the daemon with a plant of programs, and against a stand-in for what
takes a plant hours."""

import json
import re
import socket
import unittest
import urllib.error
import urllib.request

from browser import Browser
from fake_api import FakeApi
from homeostat_e2e import Scratch, run

CARD = "[data-loop=size]"
# A browser takes the processor from the plant's programs: that is no failure of theirs here.
PATIENT = {"patience: 2s": "patience: 20s", "telemetry_timeout: 5s": "telemetry_timeout: 60s"}


class WithBrowser:
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        self.browser.driver.get("about:blank")
        self.browser.emulate(1280, 1000)
        self.browser.errors()
        self.browser.hosts()
        self.browser.requests.clear()

    def tearDown(self):
        self.browser.driver.get("about:blank")  # no page asks on while its daemon goes
        super().tearDown()

    def open(self, address):
        self.browser.open(address)
        self.browser.run("sessionStorage.clear()")
        return self.browser

    def no_sideways_scrolling(self):
        self.assertEqual(self.browser.run(
            "const w = document.documentElement.clientWidth;"
            "return [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > w + 1 && !e.closest('.scroll, .unseen, .skip, table'))"
            ".map((e) => e.tagName + '.' + e.className).slice(0, 5)"), [])
        self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0)


class Live(WithBrowser, Scratch):
    def setUp(self):
        super().setUp()
        with socket.socket() as s:  # the same port again after a restart
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.config = self.write_config(**{"127.0.0.1:0": f"127.0.0.1:{port}"}, **PATIENT)
        self.daemon = self.start()

    def console(self):
        page = self.open(self.daemon.address)
        page.wait_text(f"{CARD} .state", "running")
        return page

    def test_the_loop_with_its_charts_and_nothing_from_elsewhere(self):
        page = self.console()
        self.daemon.wait(lambda loop: int(loop["applied"]) >= 3, "three changes", 60)
        page.wait(lambda: len(page.driver.find_elements("css selector", f"{CARD} canvas")) == 2, "charts of objective and knob")
        page.wait(lambda: "applied, 0" not in page.find(f"{CARD} figure.knob canvas").get_attribute("aria-label"), "marks of changes")
        painted = "const c = arguments[0], d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return d.some((v) => v !== 0)"
        for canvas in page.driver.find_elements("css selector", f"{CARD} canvas"):
            self.assertTrue(page.run(painted, canvas), "something is drawn")
        self.assertIn("bounds 1 to 100", page.text(f"{CARD} figure.knob"))
        page.click(f"{CARD} details.alt summary")
        page.wait(lambda: len(page.driver.find_elements("css selector", f"{CARD} details.alt tbody tr")) >= 3, "the changes as a table")
        page.wait_text("#connection", "● live")
        self.assertEqual(page.errors(), [])
        self.assertEqual(page.hosts(), {self.daemon.address})

    def test_pause_and_resume(self):
        page = self.console()
        page.click(f"{CARD} [data-verb=pause]")
        self.daemon.wait(lambda loop: "Manual" in loop["safe_mode_reasons"], "frozen, as the API says", 60)
        page.wait_text(f"{CARD} .state", "safe mode (paused)")
        page.wait(lambda: page.find(f"{CARD} [data-verb=pause]").get_attribute("aria-disabled") == "true", "no second pause")
        page.click(f"{CARD} [data-verb=resume]")
        self.daemon.wait(lambda loop: loop["state"] == "running", "running, as the API says")
        page.wait_text(f"{CARD} .state", "running")
        self.assertEqual(page.errors(), [])

    def test_keys_alone_pause(self):
        page = self.console()
        seen = []
        for _ in range(40):
            page.run("return null")
            page.driver.switch_to.active_element.send_keys("\ue004")  # Tab
            seen.append(page.focused())
            if seen[-1] == "pause":
                break
        self.assertEqual(seen[0], "#main", "the first stop skips the header")
        self.assertEqual(seen[-1], "pause", seen)
        outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
        self.assertNotEqual(outline, "none", "the focus is visible")
        page.driver.switch_to.active_element.send_keys("\ue007")  # Enter
        self.daemon.wait(lambda loop: "Manual" in loop["safe_mode_reasons"], "frozen")
        page.wait(lambda: page.find(f"{CARD} .message").get_attribute("data-state") == "ok", "done")
        self.assertEqual(page.focused(), "pause", "the focus stays")

    def test_rollback_asks_why(self):
        page = self.console()
        self.daemon.wait(lambda loop: int(loop["applied"]) >= 3, "three changes", 60)
        page.click(f"{CARD} [data-verb=pause]")
        page.wait_text(f"{CARD} .state", "safe mode")
        page.click(f"{CARD} [data-verb=rollback]")
        page.type("#ask-reason", "\ue00c")  # Escape
        page.wait(lambda: page.run("return !document.getElementById('ask').open"), "the dialog closed")
        page.click(f"{CARD} [data-verb=rollback]")
        self.assertIn("50", page.text("#ask-body"), "what it goes back to")
        page.click("#ask-confirm")
        self.assertTrue(page.run("return document.getElementById('ask').open"), "not without a reason")
        page.type("#ask-reason", "looks wrong to me")
        page.click("#ask-confirm")
        self.daemon.wait(lambda loop: loop["knobs"][0]["value"] == 50, "the baseline")
        page.wait(lambda: page.find(f"{CARD} .message").get_attribute("data-state") == "ok", "done")
        self.assertTrue(any("looks wrong to me" in json.dumps(r) for r in self.records()), "the reason is on record")

    def test_safe_mode_shows_why_and_ends_by_a_reset(self):
        self.config.write_text(self.config.read_text().replace("cooldown: 2s", "cooldown: 10m"))
        self.daemon.terminate()
        self.daemon = self.start()
        page = self.console()
        self.mode("refuse")
        page.wait_text(f"{CARD} .reasons", "ActuatorFailing")
        self.assertIn("safe mode", page.text(f"{CARD} .state"))
        page.wait_text("#announce", "safe mode")
        self.mode("honest")
        page.click(f"{CARD} [data-verb=safe-mode-reset]")
        self.assertIn("ActuatorFailing", page.text("#ask-body"))
        page.type("#ask-reason", "the disk is back\ue007")
        self.daemon.wait(lambda loop: loop["state"] == "running", "running, as the API says", 60)
        page.wait_text(f"{CARD} .state", "running")

    def test_the_audit_is_searched_and_its_chain_checked(self):
        page = self.console()
        page.type("#name", "ada\t")
        page.click(f"{CARD} [data-verb=pause]")
        page.wait_text("#audit-table", "ada")
        page.type("#audit-text", "ada operator")
        rows = lambda: page.driver.find_elements("css selector", "#audit-table tbody tr")
        page.wait(lambda: len(rows()) == 1 and "operator command" in rows()[0].text, "the one record of the command")
        self.assertRegex(page.text("#audit-summary"), r"^1 of \d+ records")
        page.find("#audit-text").clear()
        page.type("#audit-text", "no such thing")
        page.wait(lambda: len(rows()) == 0, "nothing")
        page.find("#audit-text").clear()
        page.run("const k = document.getElementById('audit-kind'); k.value = 'started'; k.dispatchEvent(new Event('input', {bubbles: true}))")
        page.wait(lambda: len(rows()) == 1, "one start")
        page.wait(lambda: re.fullmatch(r"✓ chain verified, [1-9]\d* records", page.text("#chain")), "the chain's verdict")
        code, body = self.daemon.get("/api/v1/audit/verify")
        self.assertEqual((code, json.loads(body)["intact"]), (200, True))

    def test_a_phone(self):
        self.browser.emulate(360, 740)
        page = self.console()
        page.wait_text("#audit-summary", "records")
        self.no_sideways_scrolling()

    def test_the_daemon_goes_and_comes_back(self):
        page = self.console()
        before = int(self.daemon.loop()["generation"])
        self.daemon.terminate()
        page.wait_text("#connection", "no connection")
        page.wait_text("#alarm", "No connection to the daemon since")
        self.assertEqual(page.find(f"{CARD} [data-verb=pause]").get_attribute("aria-disabled"), "true")
        self.daemon = self.start()
        page.wait_text("#connection", "● live")
        self.daemon.wait(lambda loop: int(loop["generation"]) > before, "another change", 60)
        page.wait(lambda: int(re.search(r"generation (\d+)", page.text(f"{CARD} .facts")).group(1)) > before, "which the page shows")
        self.assertFalse(page.find("#alarm").is_displayed())
        # What failed meanwhile are loads, not scripts.
        self.assertEqual(page.errors(("/api/v1/",)), [])

    def test_a_viewer_signs_in_and_may_only_look(self):
        tokens = self.folder / "tokens"
        made = run("token", "create", "eve", "--role", "viewer", "--file", str(tokens))
        self.assertEqual(made.returncode, 0, made.stderr)
        self.config.write_text(re.sub(r'(listen: "[0-9.:]+")', rf"\1, tokens_file: {tokens}", self.config.read_text()))
        self.daemon.terminate()
        self.daemon = self.start()
        page = self.open(self.daemon.address)
        page.wait(lambda: page.find("#sign-in").is_displayed(), "the sign-in field")
        page.type("#token", made.stdout.strip() + "\ue007")
        page.wait_text(f"{CARD} .state", "running")
        page.wait_text("#connection", "● live")
        page.click(f"{CARD} [data-verb=pause]")
        page.wait_text(f"{CARD} .message", "Your role may not do that")
        page.wait_text("#chain", "chain verified")

    def test_headers(self):
        with urllib.request.urlopen(f"http://{self.daemon.address}/", timeout=10) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
            self.assertIn("default-src 'self'", answer.headers["Content-Security-Policy"])
            self.assertNotIn("unsafe", answer.headers["Content-Security-Policy"])
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(answer.headers["Cache-Control"], "no-cache")
            tag = answer.headers["ETag"]
        again = urllib.request.Request(f"http://{self.daemon.address}/", headers={"If-None-Match": tag})
        with self.assertRaises(urllib.error.HTTPError) as unchanged:
            urllib.request.urlopen(again, timeout=10)
        self.assertEqual(unchanged.exception.code, 304)
        unchanged.exception.close()
        for path, part in (("/console/chart.js", "MIT License"), ("/console/main.js", "import"), ("/console/console.css", ":root")):
            code, body = self.daemon.get(path)
            self.assertEqual(code, 200, path)
            self.assertIn(part, body)
        self.assertEqual(self.daemon.get("/console/none.js")[0], 404)


class Deciding(WithBrowser, unittest.TestCase):
    def fake(self, **options):
        fake = FakeApi(**options)
        self.addCleanup(fake.close)
        return fake

    def rows(self, list_id):
        return self.browser.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.dataset.key)", f"#{list_id} > div > .row")

    def test_proposals_in_order_and_in_full(self):
        fake = self.fake()
        page = self.open(fake.address)
        page.wait(lambda: self.rows("proposal-list") == ["4", "2", "3", "1"], "HIGH first, then the oldest")
        row = page.text("#proposal-list [data-key='1']")
        for part in ("LOW risk", "pending", "fewer lock waits", "<b>over a week</b>", "83 %", "31 %", "ada via nightly-study", "in production (+1)",
                     "session", "transaction", "20 connections", "8 connections", "−60 %"):
            self.assertIn(part, row)
        first = page.text("#proposal-list [data-key='1'] .next")
        self.assertRegex(first, r"applies by itself in (\d+ min )?\d+ s")
        page.wait(lambda: page.text("#proposal-list [data-key='1'] .next") != first, "the countdown runs")
        self.assertEqual(page.text("#count-proposals"), "4")
        self.assertEqual(page.errors(), [])
        self.assertEqual(page.hosts(), {fake.address})
        narrowed = ("const plot = document.querySelector('.plot'), canvas = plot.querySelector('canvas'); plot.style.width = '100px';"
                    "const wide = canvas.getBoundingClientRect().width; plot.style.width = ''; return wide")
        self.assertLessEqual(page.run(narrowed), 100, "a chart stays in its box before it was drawn again")
        for width in (360, 1280):
            page.emulate(width, 740)
            self.no_sideways_scrolling()

    def test_decisions_carry_version_key_and_reason(self):
        fake = self.fake()
        page = self.open(fake.address)
        page.wait(lambda: self.rows("proposal-list"), "proposals")
        page.type("#proposal-list [data-key='3'] input", "go ahead")
        page.click("#proposal-list [data-key='3'] [data-verb=ack]")
        page.wait_text("#proposal-list [data-key='3']", "acknowledged")
        page.click("#proposal-list [data-key='3'] [data-verb=approve]")
        page.wait(lambda: "3" not in self.rows("proposal-list"), "decided")
        (ack_path, ack, ack_body), (path, approve, _) = fake.posts
        self.assertEqual((ack_path, path), ("/api/v1/proposals/3/ack", "/api/v1/proposals/3/approve"))
        self.assertEqual((ack["If-Match"], approve["If-Match"]), ('"1"', '"2"'))
        self.assertEqual(ack_body, {"text": "go ahead", "actor": "anonymous"})
        self.assertRegex(ack["Idempotency-Key"], r"^[0-9a-f]{32}$")
        self.assertNotEqual(ack["Idempotency-Key"], approve["Idempotency-Key"])

    def test_somebody_else_was_faster(self):
        fake = self.fake()
        page = self.open(fake.address)
        page.wait(lambda: self.rows("proposal-list"), "proposals")
        fake.proposals[1].update(version="2", state="acknowledged")
        page.click("#proposal-list [data-key='2'] [data-verb=approve]")
        page.wait_text("#proposal-list [data-key='2'] .message", "Somebody else was faster")
        page.wait_text("#proposal-list [data-key='2']", "acknowledged")
        page.click("#proposal-list [data-key='2'] [data-verb=withdraw]")
        page.wait_text("#proposal-list [data-key='2'] .message", "only its author withdraws")

    def test_drift_and_advice(self):
        fake = self.fake()
        page = self.open(fake.address)
        page.wait(lambda: self.rows("drift-list") == ["pool/9"], "drift")
        self.assertIn("break-glass", page.text("#drift-list"))
        page.click("#drift-list [data-verb=revert]")
        page.wait_text("#drift-list", "Live values are as decided")
        page.run("document.querySelector('#recommendation-list select').value = '28800'")
        page.click("#recommendation-list [data-verb=snooze]")
        page.wait(lambda: self.rows("recommendation-list") == [], "snoozed")
        self.assertEqual([path for path, _, _ in fake.posts], ["/api/v1/drift/pool/9/revert", "/api/v1/recommendations/r-1/snooze"])
        self.assertEqual(fake.posts[1][2], {"text": "", "snooze_seconds": 28800, "actor": "anonymous"})

    def test_a_pool_with_what_decides_and_how_it_went(self):
        fake = self.fake()
        page = self.open(fake.address)
        card = "[data-pool=tensors]"
        page.wait_text(f"{card} .regressions", "1.4 times as long <i>since noon</i>")
        text = page.text(card)
        for part in ("minimize latency", "9000 decisions", "grpc 25 %, zero_copy 75 %", "93 % of 5000 predictions", "model 7: high confidence", "learns", "no pressure",
                     "measured crossover <b>4 MiB</b>", "10 MiB → 4 MiB", "below 1 MiB grpc, from 1 GiB zero_copy"):
            self.assertIn(part, text)
        self.assertEqual(page.text("#count-pools"), "1")
        shares = page.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.getBoundingClientRect().width)", f"{card} .shares i")
        self.assertAlmostEqual(shares[1] / shares[0], 3, delta=0.1)
        painted = "const c = arguments[0], d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return d.some((v) => v !== 0)"
        canvases = page.driver.find_elements("css selector", f"{card} canvas")
        self.assertEqual(len(canvases), 2)
        for canvas in canvases:
            self.assertTrue(page.run(painted, canvas), "something is drawn")
        self.assertIn("tensor 4 MiB", canvases[0].get_attribute("aria-label"))
        self.assertIn("grpc p50 4 ms, p99 12 ms; zero_copy p50 900 µs", canvases[1].get_attribute("aria-label"))
        for width in (360, 1280):
            page.emulate(width, 740)
            self.no_sideways_scrolling()
        self.assertEqual(page.errors(), [])
        self.assertEqual(page.hosts(), {fake.address})

    def test_advice_on_a_pool_is_decided_with_a_click(self):
        fake = self.fake()
        page = self.open(fake.address)
        advice = "[data-pool=tensors] .advice > div > .row"
        open_ones = lambda: page.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.dataset.key)", advice)
        page.wait(lambda: open_ones() == ["a-1", "a-2"], "the best first")
        row = page.text(f"{advice}[data-key=a-1]")
        for part in ("zero_copy_threshold", "10 MiB → 4 MiB", "12 % of transfer time (10 % to 14 %)", "kind: Pool"):
            self.assertIn(part, row)
        self.assertIn("the records cannot tell", page.text(f"{advice}[data-key=a-2]"))
        page.type(f"{advice}[data-key=a-1] .decide > input", "try it")
        page.click(f"{advice}[data-key=a-1] [data-verb=accept]")
        page.wait(lambda: open_ones() == ["a-2"], "decided")
        page.wait_text("[data-pool=tensors] details .row[data-key=a-1]", "as predicted so far: measured 11 %")
        page.click(f"{advice}[data-key=a-2] [data-verb=dismiss]")
        page.wait(lambda: open_ones() == [], "dismissed")
        base = "/api/v1/pools/tensors/recommendations/"
        self.assertEqual([(path, body) for path, _, body in fake.posts],
                         [(base + "a-1/accept", {"text": "try it", "actor": "anonymous"}), (base + "a-2/dismiss", {"text": "", "actor": "anonymous"})])
        self.assertEqual(page.errors(), [])

    def test_a_daemon_without_pools_has_no_such_section(self):
        fake = self.fake()
        fake.pools = []
        page = self.open(fake.address)
        page.wait(lambda: self.rows("proposal-list"), "the page")
        self.assertFalse(page.find("#pools").is_displayed())
        self.assertFalse(page.find("#pools-link").is_displayed())

    def test_an_older_daemon_leaves_sections_out_and_is_polled(self):
        absent = ("/api/v1/pools", "/api/v1/events", "/api/v1/proposals", "/api/v1/drift", "/api/v1/audit/verify")
        page = self.open(self.fake(absent=absent).address)
        page.wait_text("[data-loop=pool] .state", "running")
        page.wait_text("#connection", "every 2 s")
        page.wait_text("#proposal-list", "Not available in this version.")
        page.wait_text("#drift-list", "Not available in this version.")
        page.wait_text("#chain", "not available in this version")
        page.wait(lambda: self.rows("recommendation-list") == ["r-1"], "what there is")
        self.assertEqual(page.errors(absent), [])

    def test_records_from_before_the_stream_are_not_missed(self):
        fake = self.fake()
        fake.unstreamed = [("operator_command", "in between")]
        page = self.open(fake.address)
        page.wait_text("#connection", "live")
        page.wait_text("#audit-table", "in between")

    def test_a_broken_chain_is_loud(self):
        page = self.open(self.fake().address)
        page.wait_text("#chain", "CHAIN BROKEN")
        page.wait_text("#alarm", "record 2 altered")
        self.assertTrue(page.find("#alarm").is_displayed())

    def test_a_token_is_asked_for_and_kept_in_the_tab_only(self):
        fake = self.fake(token="s3cret")
        page = self.open(fake.address)
        page.wait(lambda: page.find("#sign-in").is_displayed(), "the sign-in field")
        page.type("#token", "wrong\ue007")
        page.wait_text("#sign-in-error", "not accepted")
        page.type("#token", "s3cret\ue007")
        page.wait_text("[data-loop=pool] .state", "running")
        page.wait_text("#connection", "live")
        self.assertGreaterEqual(fake.streams, 1)
        self.assertEqual(page.run("return [localStorage.length, document.cookie]"), [0, ""])
        self.assertEqual(page.run("return Object.values(sessionStorage)"), ["s3cret"])
        page.wait(lambda: self.rows("proposal-list"), "proposals")
        page.click("#sign-out")
        page.wait(lambda: page.find("#sign-in").is_displayed(), "signed out")


POOL = """
---
apiVersion: homeostat/v1
kind: Pool
metadata: {name: tensors}
spec: {transfer: {goal: minimize_latency, cpu_pressure_threshold: 1, memory_pressure_threshold: 1}}
"""


class Transferring(WithBrowser, Scratch):
    def setUp(self):
        super().setUp()
        self.config = self.write_config(**PATIENT)
        self.config.write_text(self.config.read_text() + POOL)
        self.daemon = self.start()

    def pool(self):
        code, text = self.daemon.get("/api/v1/pools/tensors")
        self.assertEqual(code, 200, text)
        return json.loads(text)

    def report(self, size, method, latency):
        body = {"outcomes": [{"data": {"size": size}, "method": method, "latencyUs": latency}] * 10}
        request = urllib.request.Request(f"http://{self.daemon.address}/api/v1/pools/tensors/outcomes", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def test_what_was_learned_is_seen_and_one_click_leads_back_to_rules(self):
        for _ in range(4):
            for method, latency in (("grpc", 9000), ("zero_copy", 300)):
                self.report(2 << 20, method, latency)
        page = self.open(self.daemon.address)
        card = "[data-pool=tensors]"
        page.wait_text(card, "80 transfers")
        page.wait_text(f"{card} .changes", "measured crossover")
        page.wait_text(card, "grpc 50 %, zero_copy 50 %")
        page.wait(lambda: "p50" in page.find(f"{card} figure:nth-of-type(2) canvas").get_attribute("aria-label"), "latencies of the last hour")
        page.click(f"{card} [data-verb=rules]")
        page.type("#ask-reason", "\ue00c")  # Escape
        page.wait(lambda: page.run("return !document.getElementById('ask').open"), "the dialog closed")
        self.assertTrue(self.pool()["policy"]["learning_enabled"], "thought better of it")
        page.click(f"{card} [data-verb=rules]")
        page.type("#ask-reason", "incident 42\ue007")
        page.wait_text(f"{card} .message", "learning is off")
        self.assertFalse(self.pool()["policy"]["learning_enabled"])
        self.assertEqual({t["threshold"] for t in self.pool()["thresholds"]}, {str(10 << 20)})
        page.wait_text(card, "rules only")
        self.assertTrue(any("incident 42" in json.dumps(r) for r in self.records()), "the reason is on record")
        page.emulate(360, 740)
        self.no_sideways_scrolling()
        self.assertEqual(page.errors(), [])


class Approving(WithBrowser, Scratch):
    def test_a_click_becomes_an_applied_value(self):
        self.config = self.write_config(**PATIENT)
        self.config.write_text(self.config.read_text() + "  pattern: proposal-gated\n")
        daemon = self.start()
        daemon.wait(lambda loop: loop["state"] == "running", "running")
        wanted = 47
        body = {"changes": [{"loop": "size", "knobs": {"size": wanted}}], "rationale": "as measured by hand", "actor": "ann"}
        request = urllib.request.Request(f"http://{daemon.address}/api/v1/proposals", data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json", "Idempotency-Key": "console-test-1"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            number = json.load(answer)["id"]
        page = self.open(daemon.address)
        page.type("#name", "ada\t")
        row = f"#proposal-list [data-key='{number}']"
        page.wait_text(row, "as measured by hand")
        page.click(f"{row} [data-verb=approve]")
        daemon.wait(lambda loop: loop["knobs"][0]["value"] == wanted, "the approved value is live", 60)
        page.wait_text(row, "by ada")
        page.wait_text(f"{row} .badge:not([class*=risk])", "applied")
        self.assertEqual(page.errors(), [])


if __name__ == "__main__":
    unittest.main()
