"""The HTTP API from outside: who is let in, over what, how often, and what the events say."""

import http.client
import json
import re
import socket
import ssl
import subprocess
import time

from homeostat_e2e import HOMEOSTATD, Scratch, run

NO_TOKEN = object()


class Guarded(Scratch):
    """A daemon with a tokens file, on loopback."""

    def setUp(self):
        super().setUp()
        self.tokens_file = self.folder / "tokens"
        self.tokens = {role: self.create(role) for role in ("viewer", "proposer", "operator", "approver", "admin")}
        self.change("listen: \"127.0.0.1:0\"", f"listen: \"127.0.0.1:0\", tokens_file: {self.tokens_file}")

    def change(self, old, new):
        text = self.config.read_text()
        self.assertIn(old, text)
        self.config.write_text(text.replace(old, new))

    def create(self, name, role=None):
        result = run("token", "create", name, "--role", role or name, "--file", str(self.tokens_file))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.strip()

    def ask(self, daemon, method, path, token=NO_TOKEN, body=None, headers=None):
        """Returns status, headers and body."""
        connection = http.client.HTTPConnection(daemon.address, timeout=20)
        try:
            sent = dict(headers or {})
            if token is not NO_TOKEN:
                sent["Authorization"] = f"Bearer {token}"
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def status(self, *arguments, **keywords):
        return self.ask(*arguments, **keywords)[0]

    def refusals(self):
        return [r for r in self.records() if r["kind"] == "access_refused"]

    def wait_for(self, condition, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)


class Tokens(Guarded):
    def test_nobody_without_a_token_and_the_audit_says_so(self):
        daemon = self.start()
        self.assertEqual(self.status(daemon, "GET", "/healthz"), 200)
        self.assertIn(self.status(daemon, "GET", "/readyz"), (200, 503))
        for path in ("/api/v1/status", "/api/v1/audit", "/api/v1/events", "/metrics", "/openapi.json", "/nowhere"):
            code, headers, body = self.ask(daemon, "GET", path)
            self.assertEqual((path, code), (path, 401))
            self.assertTrue(headers["WWW-Authenticate"].startswith("Bearer"))
            self.assertEqual(json.loads(body)["status"], 401)
        self.assertEqual(self.status(daemon, "POST", "/api/v1/loops/size/rollback"), 401)
        for wrong in ("x", self.tokens["admin"][:-1], self.tokens["admin"] + "0", "hst_" + 64 * "0"):
            self.assertEqual(self.status(daemon, "GET", "/api/v1/status", token=wrong), 401)
        self.wait_for(lambda: len(self.refusals()) >= 10, "ten audited refusals")
        for record in self.refusals():
            self.assertEqual(record["actor"], "unknown")
            self.assertNotIn("hst_", json.dumps(record))
        daemon.terminate()
        left_out = [int(m[1]) for r in self.refusals() if (m := re.fullmatch(r"and (\d+) more", r["text"]))]
        self.assertEqual(len(self.refusals()) - len(left_out) + sum(left_out), 11, "every refusal is accounted for")
        self.assertEqual(run("audit", "verify", "--store", self.store).returncode, 0)

    def test_each_role_has_its_limits(self):
        daemon = self.start()
        daemon_loop = "/api/v1/loops/size/"
        may_command = {"operator", "approver", "admin"}
        for role, token in self.tokens.items():
            self.assertEqual(self.status(daemon, "GET", "/api/v1/status", token=token), 200, role)
            code, _, body = self.ask(daemon, "POST", daemon_loop + "pause", token=token)
            if role in may_command:
                self.assertIn(code, (200, 409), role)
            else:
                self.assertEqual(code, 403, role)
                self.assertIn("'command'", body)
        self.wait_for(lambda: {"viewer", "proposer"} <= {r["actor"] for r in self.refusals()}, "both refusals")

    def test_the_actor_is_the_token(self):
        daemon = self.start()
        self.create("ada", "operator")
        token = self.create("bob", "operator")  # made while the daemon runs
        path = "/api/v1/loops/size/pause"
        self.assertEqual(self.status(daemon, "POST", path, token=token, body='{"actor":"ada"}'), 400)
        self.wait_for(lambda: self.status(daemon, "POST", path, token=token, body='{"actor":"bob"}') == 200, "paused")
        self.assertIn("bob", {r["actor"] for r in self.records() if r["kind"] == "operator_command"})

    def test_a_revoked_token_ends_while_running(self):
        daemon = self.start()
        token = self.tokens["viewer"]
        self.assertEqual(self.status(daemon, "GET", "/api/v1/status", token=token), 200)
        self.assertEqual(run("token", "revoke", "viewer", "--file", str(self.tokens_file)).returncode, 0)
        self.assertEqual(self.status(daemon, "GET", "/api/v1/status", token=token), 401)
        listed = json.loads(run("token", "list", "--file", str(self.tokens_file), "--output", "json").stdout)
        self.assertNotIn("viewer", [t["name"] for t in listed["tokens"]])

    def test_the_command_line_brings_its_token(self):
        daemon = self.start()
        self.assertEqual(daemon.run("status").returncode, 1)
        (self.folder / "mine").write_text(self.tokens["viewer"] + "\n")
        self.assertEqual(daemon.run("status", "--token-file", str(self.folder / "mine")).returncode, 0)
        refused = daemon.run("pause", "size", "--token-file", str(self.folder / "mine"))
        self.assertEqual(refused.returncode, 1)
        self.assertIn("'command'", refused.stderr)

    def test_a_tokens_file_that_others_may_read_is_refused(self):
        self.tokens_file.chmod(0o644)
        result = subprocess.run([HOMEOSTATD, "--config", str(self.config)], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 1)
        self.assertIn("chmod 600", result.stderr)


class Requests(Guarded):
    def test_a_repeated_command_is_carried_out_once(self):
        daemon = self.start()
        admin, other = self.tokens["admin"], self.tokens["operator"]
        path = "/api/v1/loops/size/pause"

        def send(token, key, body):
            return self.ask(daemon, "POST", path, token=token, body=body, headers={"Idempotency-Key": key})

        self.wait_for(lambda: self.status(daemon, "GET", "/readyz") == 200, "ready")
        code, headers, first = send(admin, "k1", '{"text":"once"}')
        self.assertEqual(code, 200)
        self.assertIsNone(headers["Idempotency-Replayed"])
        code, headers, again = send(admin, "k1", '{"text":"once"}')
        self.assertEqual((code, headers["Idempotency-Replayed"], again), (200, "true", first))
        self.assertEqual(send(admin, "k1", '{"text":"other"}')[0], 422)
        self.assertIsNone(send(other, "k1", '{"text":"once"}')[1]["Idempotency-Replayed"])
        paused = [r for r in self.records() if r["kind"] == "operator_command" and r["actor"] == "admin"]
        self.assertEqual(len(paused), 1)

    def test_too_many_requests_are_turned_away_for_a_moment(self):
        daemon = self.start()
        host, port = daemon.address.split(":")
        one = f"GET /nowhere HTTP/1.1\r\nHost: {daemon.address}\r\nAuthorization: Bearer {self.tokens['viewer']}\r\n\r\n"
        got = b""
        with socket.create_connection((host, int(port)), timeout=20) as s:
            for batch in range(1, 41):  # pipelined: far above 200 a second also on a busy machine
                s.sendall(500 * one.encode())
                while got.count(b"HTTP/1.1 ") < 500 * batch:
                    got += s.recv(1 << 20)
                if b"HTTP/1.1 429" in got:
                    break
        self.assertEqual(set(re.findall(rb"HTTP/1.1 (\d+)", got)), {b"404", b"429"})
        self.assertGreaterEqual(int(re.search(rb"Retry-After: (\d+)", got)[1]), 1)
        self.assertEqual(self.status(daemon, "GET", "/api/v1/status", token=self.tokens["admin"]), 200)
        self.assertEqual(self.status(daemon, "GET", "/healthz"), 200)

    def test_malformed_requests_get_an_answer_or_a_closed_door(self):
        daemon = self.start()
        host, port = daemon.address.split(":")
        get = b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n"
        token = self.tokens["viewer"].encode()
        rows = [
            (b"nonsense\r\n\r\n", b"400"),
            (b"GET /a b HTTP/1.1\r\n\r\n", b"400"),
            (b"GET http://x/api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
            (get + b"Authorization: Bearer " + token + b"\r\nAuthorization: Bearer x\r\n\r\n", b"400"),
            (get + b"Authorization: Basic eDp5\r\n\r\n", b"401"),
            (get + b"Authorization:\r\n\r\n", b"401"),
            (get + b"Authorization: Bearer \xff\xfe\r\n\r\n", b"401"),
            (get + b"X: " + 20000 * b"a" + b"\r\n\r\n", b"431"),
            (b"POST /api/v1/loops/size/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + 70000 * b" ", b"413"),
            (b"POST /api/v1/loops/size/pause HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
            (b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
            (get + b"Authorization: Bearer " + token + b"\r\nConnection: close\r\n\r\n", b"200"),
        ]
        for sent, wanted in rows:
            with socket.create_connection((host, int(port)), timeout=20) as s:
                try:
                    s.sendall(sent)
                except ConnectionError:
                    pass  # the answer may come before all of it was sent
                got = s.recv(12)
            self.assertEqual(got[9:12], wanted, sent[:90])
        self.assertIsNone(daemon.process.poll())


class Events(Guarded):
    def listen(self, daemon, last=None):
        connection = http.client.HTTPConnection(daemon.address, timeout=20)
        headers = {"Authorization": "Bearer " + self.tokens["viewer"], "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        connection.request("GET", "/api/v1/events", headers=headers)
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/event-stream"))
        return connection, answer

    def events(self, answer):
        """Yields (id, name, data)."""
        event = {}
        while line := answer.readline():
            line = line.decode().rstrip("\n")
            if line.startswith(":"):
                continue
            if line:
                key, _, value = line.partition(": ")
                event[key] = value
            elif event:
                if "data" in event:
                    yield event.get("id"), event["event"], json.loads(event["data"])
                event = {}

    def test_events_are_delivered_and_resumed(self):
        daemon = self.start()
        connection, answer = self.listen(daemon)
        seen, status, last = [], None, None
        for last, name, data in self.events(answer):
            if name == "audit":
                seen.append(int(data["sequence"]))
            elif name == "status":
                status = data
            if len(seen) >= 3 and status:
                break
        self.assertEqual(status["loops"][0]["name"], "size")
        connection.close()
        # While nobody listens the loop goes on; whoever comes back misses nothing of it.
        newest = int(json.loads(self.ask(daemon, "GET", "/api/v1/audit?tail=1", token=self.tokens["viewer"])[2])
                     ["entries"][0]["sequence"])
        self.wait_for(lambda: len(self.records()) >= newest + 3, "more records", 30)
        connection, answer = self.listen(daemon, last)
        for _, name, data in self.events(answer):
            self.assertNotEqual(name, "lost")
            if name == "audit":
                seen.append(int(data["sequence"]))
            if seen[-1] >= newest + 3:
                break
        connection.close()
        self.assertEqual(seen, list(range(seen[0], seen[0] + len(seen))), "each record once, in order, none missing")

    def test_a_revoked_token_ends_its_stream(self):
        daemon = self.start()
        connection, answer = self.listen(daemon)
        next(self.events(answer))
        self.assertEqual(run("token", "revoke", "viewer", "--file", str(self.tokens_file)).returncode, 0)
        for _ in self.events(answer):  # ends by itself
            pass
        connection.close()

    def test_listeners_are_counted_and_the_daemon_ends_in_time_with_them(self):
        daemon = self.start()
        open_streams = [self.listen(daemon) for _ in range(32)]
        code, headers, _ = self.ask(daemon, "GET", "/api/v1/events", token=self.tokens["viewer"])
        self.assertEqual(code, 503)
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        open_streams.pop()[0].close()
        self.wait_for(lambda: self.try_listen(daemon), "room again")
        code, took = daemon.terminate()
        self.assertEqual(code, 0)
        self.assertLess(took, 5)
        for connection, _ in open_streams:
            connection.close()

    def try_listen(self, daemon):
        connection = http.client.HTTPConnection(daemon.address, timeout=20)
        connection.request("GET", "/api/v1/events", headers={"Authorization": "Bearer " + self.tokens["viewer"]})
        code = connection.getresponse().status
        connection.close()
        return code == 200


class OffLoopback(Guarded):
    def certificate(self):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                   "-subj", "/CN=homeostat-test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                   "-keyout", str(self.folder / "key.pem"), "-out", str(self.folder / "cert.pem")]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(made.returncode, 0, made.stderr)
        return f"tls: {{certificate: {self.folder}/cert.pem, key: {self.folder}/key.pem}}"

    def test_it_does_not_start_without_tls_and_tokens(self):
        text = self.config.read_text()
        tls = self.certificate()
        tokens = f"tokens_file: {self.tokens_file}"
        for more, missing in (("", "no tls and tokens_file"), (tokens, "no tls"), (tls, "no tokens_file")):
            listen = "listen: \"0.0.0.0:0\"" + (", " + more if more else "")
            self.config.write_text(re.sub(r'listen: .*tokens_file: [^}]*', lambda _: listen, text))
            result = subprocess.run([HOMEOSTATD, "--config", str(self.config)], capture_output=True, text=True, timeout=30)
            self.assertEqual(result.returncode, 1)
            self.assertIn(missing, result.stderr)
        self.config.write_text(text.replace('"127.0.0.1:0"', f'"0.0.0.0:0", {tls}').replace("key.pem", "none.pem"))
        result = subprocess.run([HOMEOSTATD, "--config", str(self.config)], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 1)
        self.assertIn("none.pem", result.stderr)

    def test_tls_off_loopback(self):
        self.change('"127.0.0.1:0"', f'"0.0.0.0:0", {self.certificate()}')
        daemon = self.start()
        port = int(daemon.address.split(":")[1])
        trusting = ssl.create_default_context(cafile=str(self.folder / "cert.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting)
        for _ in range(2):  # keep-alive works under TLS
            connection.request("GET", "/api/v1/status", headers={"Authorization": "Bearer " + self.tokens["viewer"]})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            json.loads(answer.read())
        connection.request("GET", "/api/v1/events", headers={"Authorization": "Bearer " + self.tokens["viewer"]})
        self.assertEqual(connection.getresponse().readline(), b"retry: 2000\n", "events come over TLS too")
        connection.close()
        # Not in the clear, not with an old version.
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                self.assertNotIn(b"HTTP/1.1", plain.recv(100))
            except ConnectionError:
                pass  # a closed door
        old = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                             input="", capture_output=True, text=True, timeout=60)
        self.assertNotEqual(old.returncode, 0, old.stdout)
        # The command line verifies whom it talks to.
        (self.folder / "mine").write_text(self.tokens["viewer"])
        mine = ("--token-file", str(self.folder / "mine"))
        ca = ("--ca", str(self.folder / "cert.pem"))
        good = run("status", "--api", f"https://127.0.0.1:{port}", *ca, *mine)
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertEqual(run("status", "--api", f"https://localhost:{port}", *ca, *mine).returncode, 0)
        self.assertEqual(run("status", "--api", f"https://127.0.0.1:{port}", *mine).returncode, 1, "an unknown authority")
        self.assertEqual(run("status", "--api", f"https://127.0.0.2:{port}", *ca, *mine).returncode, 1, "another name")
        self.assertEqual(run("status", "--api", f"http://127.0.0.1:{port}", *mine).returncode, 1, "in the clear")
        refused = run("status", "--api", "http://192.0.2.1:8421", *mine)
        self.assertIn("use https://", refused.stderr)
        self.assertEqual(daemon.terminate()[0], 0)
