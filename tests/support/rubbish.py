"""Malformed input by name: as messages, as bytes on an open socket, and instead of a handshake.

Nothing in here makes a row or is said in the name of a device that another test uses.
"""

import json
import random
import zlib
from typing import Any

from tests.support.frames import T0, text

CHANCE = random.Random(7)  # the same rubbish in every run
STRANGER = "rubbish-0a1b2c3d4e5f"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x5a\x13\xc6\x88"


def status(params: Any, src: Any = STRANGER) -> str:
    return text(src=src, dst="ws", method="NotifyStatus", params=params)


def switch(**component: Any) -> str:
    """A status of a switch whose values are none."""
    return status({"ts": T0, "switch:0": component})


def says(src: Any) -> str:
    return text(src=src, method="NotifyEvent", params={})


# The socket survives each of these. Some are frames, of which nothing can be used.
MESSAGES: dict[str, str | bytes] = {
    # JSON
    "nothing": "",
    "white space": " \r\n\t ",
    "prose": "this is no frame",
    "half an object": '{"src":',
    "two objects": says(STRANGER) * 2,
    "a trailing comma": '{"src":"x","method":"NotifyEvent",}',
    "single quotes": "{'src':'x','method':'NotifyEvent'}",
    "a comment": '{"src":"x"/* here */,"method":"NotifyEvent"}',
    "keys without quotes": '{src:"x",method:"NotifyEvent"}',
    "null": "null",
    "a number": "42",
    "a string": '"NotifyStatus"',
    "a list of frames": f"[{says(STRANGER)},{says(STRANGER)}]",
    "a byte order mark": "\ufeff" + says(STRANGER),
    "a NUL between": says(STRANGER).replace(",", ",\0", 1),
    "a raw line break in a string": '{"src":"two\nlines","method":"NotifyEvent"}',
    "an escape that is none": r'{"src":"\x41","method":"NotifyEvent"}',
    "half a unicode escape": r'{"src":"\u00',
    "60,000 brackets": "[" * 60_000,
    "12,000 objects in each other": '{"a":' * 12_000,
    "brackets in params": status([]).replace("[]", "[" * 30_000 + "]" * 30_000),
    "an integer of 65,000 digits": "9" * 65_000,
    "a frame with such an integer": status({"ts": 0}).replace(":0", ":" + "9" * 5_000),
    "one key 8,000 times": "{" + '"src":5,' * 8_000 + '"src":5}',
    "4,000 keys": json.dumps(dict.fromkeys(map(str, range(4_000)))),
    "XML": "<?xml version='1.0'?><frame src='x'/>",
    "an entity bomb": '<!DOCTYPE a [<!ENTITY b "b">]><a>&b;&b;</a>',
    "a form": "src=x&method=NotifyEvent",
    "UTF-16": says(STRANGER).encode("utf-16"),
    "compressed": zlib.compress(says(STRANGER).encode()),
    "MessagePack": b"\x82\xa3src\xa1x\xa6method\xabNotifyEvent",
    "random bytes": CHANCE.randbytes(4_096),
    "a frame as bytes": says(STRANGER).encode(),
    # The message around the status
    "no src": text(method="NotifyEvent"),
    "src null": says(None),
    "src a number": says(5),
    "src a list": says([STRANGER]),
    "src an object": says({"id": STRANGER}),
    "src empty": says(""),
    "src of 101 characters": says("x" * 101),
    "src of 65,000 characters": says("x" * 65_000),
    "src with a line break": says("pump\nERROR the log"),
    "src with a NUL": says("pump\0"),
    "src that colours the terminal": says("\x1b[31mpump"),
    "src that is written backwards": says("\u202epump"),
    "src without width": says("\u200b\u200d\ufeff"),
    "src a lone surrogate": says("\ud800"),
    "no method, no result": text(src=STRANGER),
    "method a number": text(src=STRANGER, method=5),
    "method a list": text(src=STRANGER, method=["NotifyStatus"]),
    "a status without params": text(src=STRANGER, method="NotifyStatus"),
    "params null": status(None),
    "params a list": status([1, 2]),
    "params a text": status("switch:0"),
    "a method nobody knows": text(src=STRANGER, method="x" * 65_000),
    "a result that is a list": text(src=STRANGER, id=2, result=[1]),
    "an id that is an object": text(src=STRANGER, id={"id": 2}, result={"switch:0": None}),
    "a request in our own name": text(src="collector", id=2, method="Shelly.Reboot"),
    # Components and their values
    "ts a text": status({"ts": "now", "switch:0": {}}),
    "ts infinite": status({"ts": 0}).replace(":0", ":-Infinity"),
    "ts beyond a float": status({"ts": 0}).replace(":0", ":1e999999"),
    "a component that is a list": status({"switch:0": [430.0]}),
    "a component that is a number": status({"switch:0": 430.0}),
    "a component without a number": status({"switch:": {"apower": 430.0}}),
    "a component number below 0": status({"switch:-1": {"apower": 430.0}}),
    "a component number of 10,000 digits": status({"switch:" + "1" * 10_000: {"apower": 430.0}}),
    "a component number in other digits": status({"switch:\u0662": {"apower": 430.0}}),
    "a component with a line break": status({"switch:0\n": {"apower": 430.0}}),
    "1,800 components": status({f"switch:{n}": {"apower": None} for n in range(1_800)}),
    "device_status in device_status": status({"device_status": {"device_status": {}}}),
    "apower a text": switch(apower="430"),
    "apower true": switch(apower=True),
    "apower a list": switch(apower=[430.0]),
    "apower NaN": switch(apower=0).replace('apower":0', 'apower":NaN'),
    "apower of 400 digits": switch(apower=10**400),
    "apower beyond any meter": switch(apower=1e300),
    "output a text": switch(output="on"),
    "aenergy a number": switch(aenergy=5),
    "aenergy.total an object": switch(aenergy={"total": {}}),
    "a record of two minutes": switch(aenergy={"by_minute": [9e9, 9e9], "minute_ts": T0}),
    "a record of text": switch(aenergy={"by_minute": ["a", "b", "c"], "minute_ts": T0}),
    "a record before time": switch(
        apower=0, aenergy={"total": -1e11, "by_minute": [9e11] * 3, "minute_ts": -9e11}
    ),
    "a record after time": switch(
        apower=0, aenergy={"total": 9e11, "by_minute": [9e11] * 3, "minute_ts": 9.5e11}
    ),
}


def wire(
    opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, length: int | None = None
) -> bytes:
    """A WebSocket frame of a client, of a length that may be a lie; of 64 bits if need be."""
    length = len(payload) if length is None else length
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65_536:
        head += bytes([0xFE]) + length.to_bytes(2, "big")
    else:
        head += bytes([0xFF]) + length.to_bytes(8, "big")
    return head + MASK + masked(payload)


def masked(payload: bytes) -> bytes:
    mask = int.from_bytes((MASK * (len(payload) // 4 + 1))[: len(payload)], "big")
    return (int.from_bytes(payload, "big") ^ mask).to_bytes(len(payload), "big")


def closing(code: int, reason: bytes = b"") -> bytes:
    return wire(CLOSE, code.to_bytes(2, "big") + reason)


# Texts that are not UTF-8, on the wire. The socket survives each of these as well.
NOT_UTF8: dict[str, bytes] = {
    "text that is no UTF-8": wire(TEXT, b'{"src":"\xff"}'),
    "text that ends within a character": wire(TEXT, "€".encode()[:2]),
    "text with an overlong character": wire(TEXT, b"\xc0\xaf"),
    "text with a surrogate": wire(TEXT, b"\xed\xa0\x80"),
    "text beyond unicode": wire(TEXT, b"\xf4\x90\x80\x80"),
    "text broken in its second part": wire(TEXT, b"\xe2", fin=False) + wire(0, b"\xff"),
}

# Bytes on a socket after a good handshake, which the server ends for them.
WIRE: dict[str, bytes] = {
    "a reserved opcode": wire(3, b"x"),
    "a reserved control opcode": wire(11, b"x"),
    "the first reserved bit": wire(TEXT, zlib.compress(b"x"), rsv=4),
    "the second reserved bit": wire(TEXT, b"x", rsv=2),
    "the third reserved bit": wire(PING, b"x", rsv=1),
    "a frame without a mask": b"\x81\x02{}",
    "a ping without a mask": b"\x89\x00",
    "a continuation of nothing": wire(0, b"x"),
    "a message inside another": wire(TEXT, b"{", fin=False) + wire(TEXT, b"}"),
    "half a ping": wire(PING, b"x", fin=False),
    "a ping of 126 bytes": wire(PING, b"x" * 126),
    "a pong of 4 GB": wire(PONG, b"x" * 1_000, length=2**32),
    "half a close code": wire(CLOSE, b"\x03"),
    "the close code 0": closing(0),
    "the close code 999": closing(999),
    "the close code 1005": closing(1005),
    "the close code 1006": closing(1006),
    "the close code 5000": closing(5000),
    "a close reason of no text": closing(1000, b"\xff\xfe"),
    "a close reason of 124 bytes": closing(1000, b"x" * 124),
    "a length in more bytes than it needs": b"\x81\xfe\x00\x01" + MASK + b"x",
    "a length of 2 to the 63": wire(TEXT, b"x", length=2**63),
    "HTTP after the handshake": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": CHANCE.randbytes(20_000),
}

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"
USUAL = ("Host: x", "Upgrade: websocket", "Connection: Upgrade", KEY, VERSION)


def asking(*headers: str, line: str = "GET /ws HTTP/1.1", body: bytes = b"") -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


def but(*headers: str, line: str = "GET /ws HTTP/1.1", body: bytes = b"") -> bytes:
    """The usual handshake with some of its headers replaced; one that ends in a colon left out."""
    names = {header.partition(":")[0] for header in headers}
    kept = [header for header in USUAL if header.partition(":")[0] not in names]
    return asking(*kept, *(header for header in headers if header[-1] != ":"), line=line, body=body)


# Bytes instead of a handshake.
HANDSHAKES: dict[str, bytes] = {
    "noise": CHANCE.randbytes(20_000),
    "line breaks": b"\r\n" * 10_000,
    "no line break": b"x" * 100_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + CHANCE.randbytes(506),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "MQTT": b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04pump",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a WebSocket frame": wire(TEXT, b"{}"),
    "a line of one word": b"GET\r\n\r\n",
    "a method of no letters": "GÉT / HTTP/1.1\r\n\r\n".encode(),
    "a method of its own": asking("Host: x", line="SHELLY /ws HTTP/1.1"),
    "a version that is none": asking(*USUAL, line="GET /ws HTTP/9.9"),
    "a version in letters": "GET / HTTP/é\r\nHost: x\r\n\r\n".encode(),
    "a header without a colon": asking("Host: x", "rubbish"),
    "a header without a name": asking("Host: x", ": rubbish"),
    "a header name with a space": asking("Host: x", "a b: c"),
    "a header with a NUL": asking("Host: x", "a: b\0c"),
    "a header that begins with a continuation": asking(" x", "Host: x"),
    "a header of 70 KB": asking("Host: x", "a: " + "x" * 70_000),
    "10,000 headers": asking("Host: x", *(f"a{n}: b" for n in range(10_000))),
    "no key": but("Sec-WebSocket-Key:"),
    "two keys": but(KEY, KEY),
    "a short key": but("Sec-WebSocket-Key: abc"),
    "a key of other letters": but("Sec-WebSocket-Key: " + "é" * 22 + "=="),
    "no version": but("Sec-WebSocket-Version:"),
    "the version 99": but("Sec-WebSocket-Version: 99"),
    "a version that is text": but("Sec-WebSocket-Version: new"),
    "no host": but("Host:"),
    "two hosts": but("Host: x", "Host: y"),
    "a host with a port of text": but("Host: x:y"),
    "no connection header": but("Connection:"),
    "a connection that is kept": but("Connection: keep-alive"),
    "an upgrade to something else": but("Upgrade: h2c"),
    "an upgrade by POST": asking(*USUAL, line="POST /ws HTTP/1.1"),
    "an upgrade in HTTP/1.0": asking(*USUAL, line="GET /ws HTTP/1.0"),
    "an upgrade with a body": but("Content-Length: 4", body=b"\x81\x80\x00\x00"),
    "a path that is not ours": asking(*USUAL, line="GET /socket HTTP/1.1"),
    "a path up and away": asking(*USUAL, line="GET /ws/../../etc/passwd HTTP/1.1"),
    "a path that is not ASCII": asking(*USUAL, line="GET /wé HTTP/1.1"),
    "a path of a line break": asking(*USUAL, line="GET /%0aERROR%00%ff HTTP/1.1"),
    "a path of 16,000 characters": asking(*USUAL, line=f"GET /{'x' * 16_000} HTTP/1.1"),
    "a whole address": asking(*USUAL, line="GET http://[::1/ws HTTP/1.1"),
    "a fragment": asking(*USUAL, line="GET /ws#here HTTP/1.1"),
    "a query that is not ASCII": asking(*USUAL, line="GET /ws?\xa0 HTTP/1.1"),
    "a subprotocol that is not ASCII": but("Sec-WebSocket-Protocol: jsön-rpc"),
    "a subprotocol twice": but("Sec-WebSocket-Protocol: json-rpc, json-rpc"),
    "an origin that is none": but("Origin: http://[::1"),
    "an origin that is not ASCII": but("Origin: é"),
    "an extension of nonsense": but("Sec-WebSocket-Extensions: ;=;,=permessage-deflate;;x="),
    "a compression of nonsense": but(
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99"
    ),
    "a root that is not ASCII": but("Daphne-Root-Path: /é"),
    "a page whose root is not ASCII": asking("Host: x", "Daphne-Root-Path: /é"),
    "a host that is not ASCII": asking("Host: é"),
    "a cookie that is not ASCII": asking("Host: x", "Cookie: a=é; =; ;;"),
    "a length below 0": asking("Host: x", "Content-Length: -1"),
    "a length of text": asking("Host: x", "Content-Length: many"),
    "a length of 5,000 digits": asking("Host: x", "Content-Length: " + "9" * 5_000),
    "two lengths": asking("Host: x", "Content-Length: 1", "Content-Length: 2", body=b"x"),
    "a body in chunks": asking("Host: x", "Transfer-Encoding: chunked", body=b"xyz\r\n"),
    "a thousand pages at once": asking("Host: x", line="GET / HTTP/1.1") * 1_000,
    "an upload of no parts": asking(
        "Host: x",
        "Content-Type: multipart/form-data",
        "Content-Length: 4",
        line="POST /admin/login/ HTTP/1.1",
        body=b"\xff\xfe\0\0",
    ),
}
