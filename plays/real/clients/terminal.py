"""A terminal for a program that draws on one: terminal.py COLUMNS ROWS PROGRAM [ARG ...]. Each line of standard input is
typed; lines that appear on the screen are printed, with '| ' before them. Ends when the program does, as it does."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios

import pyte

columns, rows = int(sys.argv[1]), int(sys.argv[2])
pid, terminal = pty.fork()
if pid == 0:
    # That is what pyte knows all of.
    os.environ["TERM"] = "linux"
    # The size has to be there before the program looks.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execv(sys.argv[3], sys.argv[3:])
screen = pyte.Screen(columns, rows)
stream = pyte.ByteStream(screen)
shown = set()
typed = b""
inputs = [terminal, sys.stdin.fileno()]
while True:
    # A screen counts when nothing more is drawn on it for a moment.
    ready, _, _ = select.select(inputs, [], [], 0.02)
    if not ready:
        lines = [line.rstrip() for line in screen.display]
        for line in lines:
            if line and line not in shown:
                print("|", line, flush=True)
        shown = set(lines)
        select.select(inputs, [], [])
        continue
    if terminal in ready:
        try:
            drawn = os.read(terminal, 65536)
        except OSError:
            break
        if not drawn:
            break
        stream.feed(drawn)
    if sys.stdin.fileno() in ready:
        part = os.read(sys.stdin.fileno(), 65536)
        if not part:
            inputs.remove(sys.stdin.fileno())
        typed += part
        while b"\n" in typed:
            line, typed = typed.split(b"\n", 1)
            os.write(terminal, line + b"\r")
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
