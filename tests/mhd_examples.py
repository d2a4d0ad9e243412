#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A raw client of libmicrohttpd's examples: tests/mhd_examples.sh runs it.

    mhd_examples.py EXAMPLE PORT REQUESTS FILE
    mhd_examples.py port

Sends that many fixed requests and writes to FILE every byte that came back, in
the order of the connections. What a bare server would not give twice either is
masked, its value alone:
  Date            the second in which it was sent
  nonce="..."     digest: made of the time, an own secret and chance
  session=...     post: the number of a session, by chance
The second form prints a free port of 127.0.0.1.
"""
import hashlib
import re
import socket
import sys

MASKS = [
    (re.compile(rb"(\r\nDate: )[^\r]*"), rb"\1(masked)"),
    (re.compile(rb'(nonce=")[^"]*'), rb"\1(masked)"),
    (re.compile(rb"(session=)[0-9A-Fa-f]*"), rb"\1(masked)"),
]
SECONDS = 60  # that one answer may take


def masked(data):
    for pattern, to in MASKS:
        data = pattern.sub(to, data)
    return data


class Connection:
    """Keeps what it reads; only the masked bytes count."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.at = 0  # where the next response begins

    def send(self, head, body=b""):
        self.sock.sendall(head + body)

    def more(self):
        got = self.sock.recv(65536)
        self.data += got
        return got

    def until(self, what, start):
        while True:
            end = self.data.find(what, start)
            if end >= 0:
                return end + len(what)
            if not self.more():
                raise EOFError("the server closed: %r" % self.data[-200:])

    def need(self, end):
        while len(self.data) < end:
            if not self.more():
                raise EOFError("the server closed in a body")

    def reply(self, is_head=False):
        """The next response, whole."""
        start = self.at
        end = self.until(b"\r\n\r\n", start)
        head = self.data[start:end]
        length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.I)
        if not is_head and length:
            end += int(length.group(1))
            self.need(end)
        elif not is_head and re.search(rb"\r\nTransfer-Encoding: *chunked",
                                       head, re.I):
            size = -1
            while size != 0:
                line = self.until(b"\r\n", end)
                size = int(self.data[end:line], 16)
                end = line + size + 2
                self.need(end)
        self.at = end
        return self.data[start:end]

    def rest(self):
        while self.more():
            pass

    def close(self):
        self.sock.close()
        return masked(self.data)


def request(method, target, body=b"", headers=""):
    length = "Content-Length: %d\r\n" % len(body) if body else ""
    return ("%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n"
            % (method, target, headers, length)).encode() + body


def fileserver(port, count):
    asks = [("GET", "/small"), ("GET", "/large"), ("GET", "/none"),
            ("HEAD", "/small"), ("GET", "/empty")]
    for first in range(0, count, 50):
        c = Connection(port)
        for i in range(first, min(first + 50, count)):
            method, target = asks[i % len(asks)]
            c.send(request(method, target))
            c.reply(method == "HEAD")
        yield c.close()


def post(port, count):
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    asks = [("GET", "/", b""), ("POST", "/2", b"v1=A+Name%21"),
            ("POST", "/S", b"v2=" + b"job" * 9), ("POST", "/F", b"DONE=yes"),
            ("GET", "/nothing", b""), ("GET", "/2", b"")]
    for first in range(0, count, 60):
        c = Connection(port)
        cookie = ""
        for i in range(first, min(first + 60, count)):
            method, target, body = asks[i % len(asks)]
            c.send(request(method, target, body,
                           cookie + (form if body else "")))
            found = re.search(rb"session=[0-9A-Fa-f]+", c.reply())
            cookie = "Cookie: %s\r\n" % found.group().decode() if found else cookie
        yield c.close()


def suspend(port, count):
    """Each answer comes a second later, so many are asked for at once."""
    together = 250
    cs = [Connection(port) for _ in range(min(together, count))]
    for first in range(0, count, together):
        now = range(first, min(first + together, count))
        for i in now:
            cs[i - first].send(request("GET", "/of/%d" % i))
        for i in now:
            cs[i - first].reply()
    for c in cs:
        yield c.close()


def chunked(port, count):
    for first in range(0, count, 50):
        c = Connection(port)
        for i in range(first, min(first + 50, count)):
            c.send(request("GET", "/%d" % i))
            c.reply()
        yield c.close()


def upgrade(port, count):
    for i in range(count):
        c = Connection(port)
        text = b"message %d" % i
        early = text if i % 2 else b""  # with the head, or after the answer
        c.send(request("GET", "/", headers="Connection: Upgrade\r\n"
                                           "Upgrade: Echo Server\r\n"), early)
        c.reply()
        if not early:
            c.send(text)
        c.need(c.at + len(text))
        c.sock.shutdown(socket.SHUT_WR)
        c.rest()
        yield c.close()


def digest(port, count):
    """By turns no password, the right one twice, a wrong one. A nonce is used as
    soon as it came: the server has room for 300."""

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    def authorization(nonce, times, password):
        a1 = md5("user:test@example.com:%s" % password)
        a2 = md5("GET:/secret")
        nc = "%08x" % times
        answer = md5("%s:%s:%s:abcdef01:auth:%s" % (a1, nonce, nc, a2))
        return ('Authorization: Digest username="user", '
                'realm="test@example.com", nonce="%s", uri="/secret", '
                'response="%s", algorithm="MD5", cnonce="abcdef01", '
                'nc=%s, qop="auth", '
                'opaque="11733b200778ce33060f31c9af70a870ba96ddd4"\r\n'
                % (nonce, answer, nc))

    nonce, times = None, 0
    for i in range(count):
        headers = ""
        if i % 40 == 0:
            nonce, times = None, 0
        if nonce:
            times += 1
            headers = authorization(nonce, times,
                                    "wrong" if times == 3 else "testpass")
        c = Connection(port)  # it closes after each answer
        c.send(request("GET", "/secret", headers=headers))
        found = re.search(rb'nonce="([^"]*)"', c.reply())
        if found:
            nonce, times = found.group(1).decode(), 0
        yield c.close()


PLAYS = {
    "fileserver_example": fileserver, "post_example": post,
    "suspend_resume_epoll": suspend, "chunked_example": chunked,
    "upgrade_example": upgrade, "digest_auth_example": digest,
}


def main():
    if sys.argv[1:] == ["port"]:
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        print(s.getsockname()[1])
        return
    example, port, count, path = sys.argv[1:]
    with open(path, "wb") as out:
        for data in PLAYS[example](int(port), int(count)):
            out.write(data)


main()
