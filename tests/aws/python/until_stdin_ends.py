"""Run a Python program until whoever started it is gone: `until_stdin_ends.py PROGRAM`.

The starter holds the other end of stdin. When that is closed, also by SIGKILL, the program's whole process group is killed, and
the directory in TMPDIR removed.
"""

import os
import runpy
import shutil
import signal
import sys
import threading


def watch():
    sys.stdin.buffer.read()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=watch, daemon=True).start()
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
