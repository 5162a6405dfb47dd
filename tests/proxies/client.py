"""A client of the server behind a proxy, over TLS or plain: requests, streams and websockets, with
nothing but Python's own library."""

import base64
import json
import os
import socket
import ssl
import struct

PATIENCE = 10


class Door:
    """Where the server is reached: scheme, host, port, and the path below which it stands."""

    def __init__(self, scheme, host, port, base="", authority=None, greeting=b""):
        self.scheme, self.host, self.port, self.base = scheme, host, port, base
        self.greeting = greeting  # before TLS
        self.host_header = f"{authority or host}:{port}"

    def url(self):
        return f"{self.scheme}://{self.host}:{self.port}{self.base}"

    def dial(self):
        plain = socket.create_connection((self.host, self.port), timeout=PATIENCE)
        plain.sendall(self.greeting)
        if self.scheme == "http":
            return plain
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # doctor checks the certificate
        context.set_alpn_protocols(["http/1.1"])
        return context.wrap_socket(plain, server_hostname="localhost")

    def send(self, method, path, headers=None, body=b""):
        """Sends a request; the answer's head is read, its body is not."""
        line = self.dial()
        lines = [f"{method} {self.base}{path} HTTP/1.1", f"Host: {self.host_header}"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        line.sendall("\r\n".join(lines + ["", ""]).encode() + body)
        return Answer(line)

    def ask(self, method, path, headers=None, body=None):
        body = b"" if body is None else json.dumps(body).encode()
        answer = self.send(method, path, {"Connection": "close", **(headers or {})}, body)
        answer.read_all()
        return answer

    def socket(self, path, headers=None):
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key, **(headers or {}),
        }
        answer = self.send("GET", path, upgrade)
        assert answer.status == 101, f"{path}: {answer.status} {answer.rest[:200]}"
        return Websocket(answer)


class Answer:
    """An answer: status and headers, and what has come of its body."""

    def __init__(self, line):
        self.line, self.rest = line, b""
        while b"\r\n\r\n" not in self.rest:
            self.fill()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        pairs = [line.split(": ", 1) for line in lines[1:] if ": " in line]
        self.headers = [(name.lower(), value) for name, value in pairs]

    def header(self, name):
        return next((value for known, value in self.headers if known == name), None)

    def cookies(self):
        return [value for name, value in self.headers if name == "set-cookie"]

    def fill(self):
        part = self.line.recv(65536)
        if not part:
            raise EOFError("the connection has ended")
        self.rest += part

    def read_all(self):
        length = self.header("content-length")
        if self.status in (204, 304):
            return
        if length is not None:
            while len(self.rest) < int(length):
                self.fill()
        else:
            try:
                while not self.rest.endswith(b"0\r\n\r\n"):
                    self.fill()
            except (EOFError, ssl.SSLError):
                pass
        self.line.close()

    def hear(self, text):
        """Waits until a stream says this; fails if it takes as long as a buffer would."""
        self.line.settimeout(3)
        while text.encode() not in self.rest:
            self.fill()

    def json(self):
        body = self.rest
        if self.header("transfer-encoding") == "chunked":
            parts = []
            while body:
                size, body = body.split(b"\r\n", 1)
                parts.append(body[: int(size, 16)])
                body = body[int(size, 16) + 2:]
            body = b"".join(parts)
        return json.loads(body)


class Websocket:
    """The frames of an open websocket."""

    def __init__(self, answer):
        self.answer = answer

    def say(self, **event):
        payload = json.dumps(event).encode()
        mask = os.urandom(4)
        size = len(payload)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else \
            struct.pack("!BBH", 0x81, 0x80 | 126, size)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.answer.line.sendall(head + mask + masked)

    def hear(self, wanted):
        """The next text for which `wanted` says so."""
        while True:
            text = self.frame()
            if wanted(text):
                return text

    def frame(self):
        while True:
            rest = self.answer.rest
            if len(rest) >= 2:
                size, at = rest[1] & 127, 2
                if size == 126 and len(rest) >= 4:
                    size, at = struct.unpack("!H", rest[2:4])[0], 4
                if size < 126 or at == 4:
                    if len(rest) >= at + size:
                        self.answer.rest = rest[at + size:]
                        if rest[0] & 15 == 1:
                            return json.loads(rest[at:at + size])
                        assert rest[0] & 15 != 8, f"closed: {rest[at:at + size]}"
                        continue
            self.answer.fill()
