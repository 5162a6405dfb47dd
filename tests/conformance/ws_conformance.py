#!/usr/bin/env python3
"""Websocket conformance (RFC 6455) of an echo server, over raw sockets without a library.

    ws_conformance.py HOST:PORT [CASE-PREFIX]

The cases and their numbers are those of the Autobahn test suite, categories 1 to 7 and 10, with one
difference: the server takes messages up to 65,536 bytes, so the longer one of 7.1.6 is answered by
close 1009, and cases of category 0 try both sides of that limit. Each is data: the frames that are
sent, what must come back, and the close code at the end. Cases that wait in the middle check that
what is wrong is refused at once. Prints a line for each case that fails, then `N passed, N failed`.
"""

import base64
import os
import socket
import struct
import sys

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
# The deadline of an answer, and the length of a silence after which nothing follows, in seconds.
PATIENCE, SILENCE = 10, 0.2
LIMIT = 65_536


class Quiet:
    """A step instead of bytes: exactly this has come back so far, and nothing follows it."""

    def __init__(self, *frames):
        self.frames = list(frames)


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True):
    """One frame as a client sends it."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65_536:
        head += struct.pack(">BH", bit | 126, len(payload))
    else:
        head += struct.pack(">BQ", bit | 127, len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + mask + mixed.to_bytes(len(payload), "big")


def fragments(opcode, payload, size):
    """One message in fragments of `size` bytes."""
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    last = len(pieces) - 1
    return [
        frame(CONT if at else opcode, piece, fin=at == last) for at, piece in enumerate(pieces)
    ]


def close(code=1000, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


class Case:
    """`send`: bytes or Quiet, in order. `back`: the (opcode, payload) that come back before the
    close frame. `code`: of that close frame; several where the suite accepts several, None where it
    carries none. `chop`: bytes in each write, 0 for all at once."""

    def __init__(self, name, send, back=(), code=1000, chop=0):
        self.name, self.send, self.back, self.chop = name, list(send), list(back), chop
        self.codes = code if isinstance(code, tuple) else (code,)
        # The orderly end of a session: the client closes.
        if self.codes == (1000,) and not any(is_close(step) for step in self.send):
            self.send.append(close())


def is_close(step):
    return isinstance(step, bytes) and step[:1] == b"\x88"


class Client:
    """A socket after the handshake."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.ended = b"", False
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                raise OSError("no handshake")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise OSError(f"handshake refused: {head!r}")

    def send(self, data, chop):
        try:
            for at in range(0, len(data), chop or len(data)):
                self.socket.sendall(data[at : at + (chop or len(data))])
        except OSError:
            pass  # The server has closed the connection; its last frames are read below.

    def more(self):
        try:
            data = self.socket.recv(65_536)
        except ConnectionError:
            data = b""
        self.buffer += data
        self.ended = self.ended or not data
        return bool(data)

    def take(self):
        """The next frame in the buffer, as (opcode, payload), or None."""
        if len(self.buffer) < 2:
            return None
        first, length = self.buffer[0], self.buffer[1]
        start = 2
        if length in (126, 127):
            wide = ">H" if length == 126 else ">Q"
            start += struct.calcsize(wide)
            if len(self.buffer) < start:
                return None
            length = struct.unpack(wide, self.buffer[2:start])[0]
        elif length > 127:
            raise AssertionError("a masked frame came back")
        if len(self.buffer) < start + length:
            return None
        payload, self.buffer = self.buffer[start : start + length], self.buffer[start + length :]
        assert first & 0xF0 == 0x80, f"a first byte of {first:#x} came back"
        return first & 15, payload

    def receive(self, wait):
        """The next frame; None if the connection ends, or nothing arrives in time."""
        self.socket.settimeout(wait)
        while True:
            got = self.take()
            if got:
                return got
            try:
                if self.ended or not self.more():
                    return None
            except TimeoutError:
                return None


def run(case, host, port):
    """The failure of a case, or None."""
    client = Client(host, port)
    back = list(case.back)
    pending = b""
    for step in case.send + [b""]:
        if isinstance(step, bytes):
            pending += step
            continue
        client.send(pending, case.chop)
        pending = b""
        for expected in step.frames:
            got = client.receive(PATIENCE)
            if got != expected:
                return f"expected {show(expected)} at once, got {show(got)}"
            back.remove(expected)
        got = client.receive(SILENCE)
        if got:
            return f"expected silence, got {show(got)}"
    client.send(pending, case.chop)
    for expected in back:
        got = client.receive(PATIENCE)
        if got != expected:
            return f"expected {show(expected)}, got {show(got)}"
    got = client.receive(PATIENCE)
    if got is None or got[0] != CLOSE:
        return f"expected a close frame, got {show(got)}"
    code = struct.unpack(">H", got[1][:2])[0] if got[1] else None
    if code not in case.codes:
        return f"expected close {case.codes}, got {show(got)}"
    # Section 7.1.1: the server closes the connection.
    got = client.receive(PATIENCE)
    if got or not client.ended:
        return f"expected the end of the connection, got {show(got)}"
    client.socket.close()
    return None


def show(got):
    if got is None:
        return "nothing"
    opcode, payload = got
    return f"{NAMES.get(opcode, opcode)} {payload[:40]!r} ({len(payload)} bytes)"


HELLO = b"Hello, world!"
PARTS = [b"fragment1", b"fragment2", b"fragment3", b"fragment4", b"fragment5"]
GREEK = "κόσμε".encode()
BROKEN = GREEK + b"\xed\xa0\x80edited"


def limits():
    """Not from Autobahn: both sides of the limit on messages."""
    most, over = b"*" * LIMIT, b"*" * (LIMIT + 1)
    yield Case("0.1", [frame(TEXT, most)], [(TEXT, most)])
    yield Case("0.2", [frame(TEXT, over)], code=1009)
    yield Case("0.3", [frame(BINARY, over)], code=1009)
    yield Case("0.4", fragments(BINARY, most, 1000), [(BINARY, most)])
    yield Case("0.5", fragments(BINARY, over, 1000), code=1009)
    huge = b"\x82\xff" + struct.pack(">Q", 1 << 62) + b"mask"
    yield Case("0.6", [huge], code=1009)
    yield Case("0.7", [frame(TEXT, HELLO, masked=False)], code=1002)
    yield Case("0.8", [frame(TEXT, b"", masked=False)], code=1002)


def framing():
    for group, opcode, char in (1, TEXT, b"*"), (2, BINARY, b"\xfe"):
        for at, size in enumerate((0, 125, 126, 127, 128, 65_535, 65_536, 65_536), 1):
            payload = char * size
            chop = 997 if at == 8 else 0
            name = f"1.{group}.{at}"
            yield Case(name, [frame(opcode, payload)], [(opcode, payload)], chop=chop)


def pings():
    full = b"\xfe" * 125
    yield Case("2.1", [frame(PING)], [(PONG, b"")])
    yield Case("2.2", [frame(PING, HELLO)], [(PONG, HELLO)])
    yield Case("2.3", [frame(PING, b"\0\xff\xfe\xfd\xfc\xfb\0\xff")],
               [(PONG, b"\0\xff\xfe\xfd\xfc\xfb\0\xff")])
    yield Case("2.4", [frame(PING, full)], [(PONG, full)])
    yield Case("2.5", [frame(PING, full + b"\xfe")], code=1002)
    yield Case("2.6", [frame(PING, full)], [(PONG, full)], chop=1)
    yield Case("2.7", [frame(PONG)])
    yield Case("2.8", [frame(PONG, HELLO)])
    yield Case("2.9", [frame(PONG, HELLO), frame(PING, b"ping")], [(PONG, b"ping")])
    many = [b"payload-%d" % at for at in range(10)]
    for name, chop in ("2.10", 0), ("2.11", 1):
        answers = [(PONG, payload) for payload in many]
        yield Case(name, [frame(PING, payload) for payload in many], answers, chop=chop)


def reserved_bits():
    hello, echo, ping = frame(TEXT, HELLO), (TEXT, HELLO), frame(PING)
    yield Case("3.1", [frame(TEXT, HELLO, rsv=1)], code=1002)
    for rsv, chop in (2, 0), (3, 0), (4, 1):
        wrong = frame(TEXT, HELLO, rsv=rsv)
        yield Case(f"3.{rsv}", [hello, wrong, ping], [echo], 1002, chop)
    yield Case("3.5", [frame(BINARY, b"\0\xff\xfe", rsv=5)], code=1002)
    yield Case("3.6", [frame(PING, HELLO, rsv=6)], code=1002)
    yield Case("3.7", [frame(CLOSE, b"\x03\xe8", rsv=7)], code=1002)


def opcodes():
    hello, echo, ping = frame(TEXT, HELLO), (TEXT, HELLO), frame(PING)
    for group, first in (1, 3), (2, 11):
        yield Case(f"4.{group}.1", [frame(first)], code=1002)
        yield Case(f"4.{group}.2", [frame(first + 1, b"reserved opcode payload")], code=1002)
        for at in 3, 4, 5:
            payload = HELLO if at == 4 else b""
            wrong = frame(first + at - 1, payload)
            yield Case(f"4.{group}.{at}", [hello, wrong, ping], [echo], 1002, int(at == 5))


def fragmentation():
    one, two = PARTS[:2]
    first, last = frame(TEXT, one, fin=False), frame(CONT, two)
    ping, pong = frame(PING, b"ping payload"), (PONG, b"ping payload")
    joined = (TEXT, one + two)
    yield Case("5.1", [frame(PING, one, fin=False), last], code=1002)
    yield Case("5.2", [frame(PONG, one, fin=False), last], code=1002)
    for at, chop in (3, 0), (4, 0), (5, 1):
        step = [Quiet()] if at == 4 else []
        yield Case(f"5.{at}", [first, *step, last], [joined], chop=chop)
    for at, chop in (6, 0), (7, 0), (8, 1):
        step = [Quiet(pong)] if at == 7 else []
        yield Case(f"5.{at}", [first, ping, *step, last], [pong, joined], chop=chop)
    # Nothing to continue, then a text: in one go, in two, and byte by byte.
    for at, fin in (9, True), (12, False):
        wrong = frame(CONT, b"non-continuation payload", fin=fin)
        for more, chop in enumerate((0, len(wrong), 1)):
            yield Case(f"5.{at + more}", [wrong, frame(TEXT, HELLO)], code=1002, chop=chop)
    again = frame(CONT, PARTS[2], fin=False)
    yield Case("5.15", [first, last, again, frame(TEXT, PARTS[3])], [joined], 1002)
    for name, fin in ("5.16", False), ("5.17", True):
        turn = [frame(CONT, one, fin=fin), frame(TEXT, two, fin=False), frame(CONT, PARTS[2])]
        yield Case(name, turn * 2, code=1002)
    yield Case("5.18", [first, frame(TEXT, two)], code=1002)
    more = [frame(CONT, part, fin=False) for part in PARTS[1:4]]
    pong1, pong2 = (PONG, b"pongme 1!"), (PONG, b"pongme 2!")
    for name, chop in ("5.19", 0), ("5.20", 1):
        send = [first, more[0], frame(*ping_of(pong1)), Quiet(pong1)]
        send += [more[1], more[2], frame(*ping_of(pong2)), Quiet(pong2), frame(CONT, PARTS[4])]
        yield Case(name, send, [pong1, pong2, (TEXT, b"".join(PARTS))], chop=chop)


def ping_of(pong):
    return PING, pong[1]


def utf8():
    empty = frame(TEXT, fin=False), frame(CONT, fin=False), frame(CONT)
    yield Case("6.1.1", [frame(TEXT)], [(TEXT, b"")])
    yield Case("6.1.2", empty, [(TEXT, b"")])
    middle = empty[0], frame(CONT, b"middle", fin=False), empty[2]
    yield Case("6.1.3", middle, [(TEXT, b"middle")])
    front, back = "Hello-µ@ßöä".encode(), "üàá-UTF-8!!".encode()
    whole = front + back
    yield Case("6.2.1", [frame(TEXT, whole)], [(TEXT, whole)])
    yield Case("6.2.2", [frame(TEXT, front, fin=False), frame(CONT, back)], [(TEXT, whole)])
    yield Case("6.2.3", fragments(TEXT, whole, 1), [(TEXT, whole)])
    yield Case("6.2.4", fragments(TEXT, GREEK, 1), [(TEXT, GREEK)])
    yield Case("6.3.1", [frame(TEXT, BROKEN)], code=1007)
    yield Case("6.3.2", fragments(TEXT, BROKEN, 1), code=1007)
    # Refused before the message is complete: the last fragment is never sent.
    first = [frame(TEXT, GREEK, fin=False), Quiet()]
    yield Case("6.4.1", first + [frame(CONT, b"\xf4\x90\x80\x80", fin=False)], code=1007)
    first = [frame(TEXT, GREEK + b"\xf4", fin=False), Quiet()]
    yield Case("6.4.2", first + [frame(CONT, b"\x90", fin=False)], code=1007)
    # In one frame, in pieces: it may also be refused at its end only ("non-strict").
    wrong = frame(TEXT, GREEK + b"\xf4\x90\x80\x80edited")
    for at, cut in (3, 6 + len(GREEK)), (4, 7 + len(GREEK)):
        yield Case(f"6.4.{at}", [wrong[:cut], Quiet(), wrong[cut:]], code=1007)
    for number, sequences in enumerate(UTF8_SEQUENCES, 5):
        for at, payload in enumerate(sequences, 1):
            name = f"6.{number}.{at}"
            # Python's decoder is the judge: like RFC 3629 it knows no surrogates, nothing overlong.
            try:
                payload.decode("utf-8")
                yield Case(name, [frame(TEXT, payload)], [(TEXT, payload)])
            except UnicodeDecodeError:
                yield Case(name, [frame(TEXT, payload)], code=1007)


def lonely(first, last):
    return b"".join(bytes([byte, 0x20]) for byte in range(first, last))


def not_characters():
    """U+FFFE and U+FFFF of every plane, which are valid UTF-8 all the same."""
    return [chr(plane << 16 | low).encode() for plane in range(17) for low in (0xFFFE, 0xFFFF)]


CUT = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80",
       b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]
# After Markus Kuhn's UTF-8 decoder stress test; one line of the suite's report each, from 6.5 on.
UTF8_SEQUENCES = [
    [f"hello{char}world".encode() for char in "$¢€\U00024b62"] + [GREEK],
    [GREEK[:end] for end in range(1, len(GREEK) + 1)],
    [b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
    [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
    [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
    [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"],
    [b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:size] for size in range(2, 7)),
     bytes(range(0x80, 0xBF))],
    [lonely(0xC0, 0xDF), lonely(0xE0, 0xEF), lonely(0xF0, 0xF7), lonely(0xF8, 0xFB),
     lonely(0xFC, 0xFD)],
    CUT,
    [b"".join(CUT)],
    [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf",
     b"\xfc\x80\x80\x80\x80\xaf"],
    [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf",
     b"\xfc\x83\xbf\xbf\xbf\xbf"],
    [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80",
     b"\xfc\x80\x80\x80\x80\x80"],
    [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80",
     b"\xed\xbe\x80", b"\xed\xbf\xbf"],
    [high + low for high in (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf")
     for low in (b"\xed\xb0\x80", b"\xed\xbf\xbf")],
    not_characters(),
    [chr(code).encode() for code in range(0xFFF9, 0x10000)],
]


def closing():
    hello, echo, bye = frame(TEXT, HELLO), (TEXT, HELLO), close()
    yield Case("7.1.1", [hello, bye], [echo])
    yield Case("7.1.2", [bye, frame(CLOSE)])
    yield Case("7.1.3", [bye, frame(PING)])
    yield Case("7.1.4", [bye, hello])
    yield Case("7.1.5", [frame(TEXT, PARTS[0], fin=False), bye, frame(CONT, PARTS[1])])
    big = frame(TEXT, b"*" * (256 << 10))
    yield Case("7.1.6", [big, hello, bye, frame(PING)], code=1009)
    yield Case("7.3.1", [frame(CLOSE)], code=None)
    yield Case("7.3.2", [frame(CLOSE, b"a")], code=1002)
    yield Case("7.3.3", [bye])
    yield Case("7.3.4", [close(1000, b"Hello World!")])
    yield Case("7.3.5", [close(1000, b"*" * 123)])
    yield Case("7.3.6", [close(1000, b"*" * 124)], code=1002)
    yield Case("7.5.1", [close(1000, BROKEN)], code=1007)
    good = 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999
    for at, code in enumerate(good, 1):
        yield Case(f"7.7.{at}", [close(code)], code=code)
    for at, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield Case(f"7.9.{at}", [close(code)], code=1002)
    yield Case("7.13.1", [close(5000)], code=1002)
    yield Case("7.13.2", [close(65_535)], code=1002)


def miscellaneous():
    payload = b"*" * 65_536
    yield Case("10.1.1", fragments(TEXT, payload, 1300), [(TEXT, payload)])


GROUPS = (limits, framing, pings, reserved_bits, opcodes, fragmentation, utf8, closing,
          miscellaneous)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    host, port = sys.argv[1].rsplit(":", 1)
    prefix = sys.argv[2] if len(sys.argv) == 3 else ""
    passed = failed = 0
    for case in (case for group in GROUPS for case in group()):
        if not case.name.startswith(prefix):
            continue
        try:
            wrong = run(case, host, int(port))
        except (OSError, AssertionError) as error:
            wrong = repr(error)
        if wrong:
            failed += 1
            print(f"{case.name}: {wrong}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
