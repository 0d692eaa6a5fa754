"""Types on a pseudo terminal: typist.py ANSWERS PROGRAM [ARG ...]. ANSWERS is a JSON list; each is typed in the moment
in which a question is seen (text that ends in ': '). Prints {"shown": ..., "exit": ...}, one line."""
import json
import os
import pty
import sys

answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown = b''
asked = 0
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
    if shown[asked:].endswith(b': ') and answers:
        asked = len(shown)
        os.write(terminal, (answers.pop(0) + '\r').encode())
_, status = os.waitpid(pid, 0)
print(json.dumps({'shown': shown.decode(), 'exit': os.waitstatus_to_exitcode(status)}))
