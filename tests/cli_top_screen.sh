#!/bin/sh
# SPDX-License-Identifier: MIT
# The screen of tailbox top on a terminal of ours: keys, sizes, and that the
# terminal is put back on every way out.
. "$(dirname "$0")/cli_shop.sh"
need python3
# Sanitizers have handlers of their own for the faults that are sent here.
TSAN_OPTIONS="${TSAN_OPTIONS-} handle_segv=0 handle_abort=0"
ASAN_OPTIONS="${ASAN_OPTIONS-} handle_segv=0 handle_abort=0"
export TSAN_OPTIONS ASAN_OPTIONS
grep -q '^NCURSES_CPPFLAGS = -D' "$top_builddir/Makefile" ||
	skip "built without ncurses"

start_shop
"$top_builddir/demo/load" --port "$port" --requests 50 --connections 4 >/dev/null

# libtool's script would be another process.
program=$top_builddir/.libs/tailbox
test -x "$program" || program=$tailbox
TERM=xterm timeout -k 5 400 python3 - "$program" "$pid" <<'END' || fail "exit status $? (124: it took too long)"
import fcntl, os, pty, select, signal, struct, sys, termios, time

program, target = sys.argv[1:]
SMCUP, RMCUP = b"\x1b[?1049h", b"\x1b[?1049l"

def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ,
                struct.pack("HHHH", rows, columns, 0, 0))

class Top:
    """A shell of sorts, that runs top in the foreground of a terminal."""
    def __init__(self, rows=24, columns=80):
        self.master, self.slave = pty.openpty()
        size(self.master, rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.news, news = os.pipe()
        self.shell = os.fork()
        if self.shell == 0:
            try:
                self.run_shell(news)
            finally:
                os._exit(1)
        os.close(news)
        self.pid = int(self.told())

    def run_shell(self, news):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(self.slave, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.execv(program, ["tailbox", "top", "-i", "100ms", target])
        os.write(news, b"%d\n" % pid)
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                os.write(news, b"stopped\n")
                continue
            os.write(news, b"%d\n" % (-os.WTERMSIG(status)
                     if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)))
            os._exit(0)

    def kill(self):
        for pid in self.pid, self.shell:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def told(self):
        text = b""
        end = time.monotonic() + 60
        while not text.endswith(b"\n"):
            left = max(0, end - time.monotonic())
            ready, _, _ = select.select([self.news, self.master], [], [], left)
            assert left > 0 and ready, "no end in 60 s: ...%r" % self.seen[-1500:]
            if self.master in ready:
                self.seen += os.read(self.master, 65536)
            if self.news in ready:
                c = os.read(self.news, 1)
                assert c, "the shell has ended"
                text += c
        return text.decode().strip()

    def drain(self):
        # Where it is slow it is never quiet.
        end = time.monotonic() + 2
        while (time.monotonic() < end and
               select.select([self.master], [], [], 0.05)[0]):
            self.seen += os.read(self.master, 65536)

    def wait(self, *texts):
        """All of them, after what was waited for before."""
        end = time.monotonic() + 20
        while any(t not in self.seen for t in texts):
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.master], [], [], left)[0]
            assert ready, "no %r in ...%r" % (texts, self.seen[-1500:])
            self.seen += os.read(self.master, 65536)
        self.seen = b""

    def key(self, keys, *texts):
        self.drain()
        self.seen = b""
        # Ctrl-L: all of it, not only what has changed.
        os.write(self.master, keys + (b"" if b"/" in keys else b"\x0c"))
        if texts:
            self.wait(*texts)

    def ends(self, status):
        got = int(self.told())
        self.drain()
        assert got == status, "exit %d, not %d: %r" % (got, status, self.seen)
        assert RMCUP in self.seen, "the screen was left as it is: %r" % self.seen
        assert self.seen.rindex(RMCUP) > self.seen.rfind(SMCUP)
        after = termios.tcgetattr(self.slave)
        assert after == self.before, "stty: %r, not %r" % (after, self.before)
        os.waitpid(self.shell, 0)
        for fd in self.master, self.slave, self.news:
            os.close(fd)

top = None
def clean(kind, value, trace):
    top and top.kill()
    sys.__excepthook__(kind, value, trace)
sys.excepthook = clean

# Keys.
top = Top()
top.wait(SMCUP, b"LIVE", b"WORKER", b"q quit")
top.key(b"h", b"KEYS")
top.key(b"\x1b", b"q quit")
top.key(b"s", b"sort phase")
top.key(b"/zzz", b"zzz_")
top.key(b"\r", b"filter zzz")
os.write(top.master, b"/\x1b")
top.key(b"", b"sort phase")
top.key(b"f", b"FROZEN")
top.key(b"f")
top.key(b"\r", b"finished", b"Esc back")
top.key(b"\x1b", b"q quit")
top.key(b"jk\t\x1b[B\x1b[A\x1b[6~\x1b[5~+-")
top.key(b"h", b"KEYS")
top.key(b"q")
top.ends(0)

# Sizes, down to what is hardly one.
top = Top(40, 100)
top.wait(SMCUP, b"WORKER")
for rows, columns in (24, 80), (10, 40), (3, 10), (1, 1), (24, 80):
    top.key(b"")
    size(top.master, rows, columns)
    time.sleep(0.15)
    os.kill(top.pid, 0)
top.key(b"h", b"KEYS")
top.key(b"\x03")
top.ends(0)

# Signals that ask for an end; a fault.
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT):
    top = Top()
    top.wait(SMCUP, b"WORKER")
    os.kill(top.pid, number)
    top.ends(-number)

# A stop gives the terminal back, and it comes again.
top = Top()
top.wait(SMCUP, b"WORKER")
top.key(b"\x1a")
assert top.told() == "stopped"
top.drain()
assert RMCUP in top.seen, "stopped, and the screen left as it is"
assert termios.tcgetattr(top.slave) == top.before, "stopped: stty"
top.seen = b""
os.kill(top.pid, signal.SIGCONT)
top.wait(SMCUP, b"WORKER")
top.key(b"q")
top.ends(0)
END
run 1 top --interval 1s
has err "needs a terminal"
done_well
