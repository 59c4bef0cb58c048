"""Programs of the samples, run in the directory that has their packages."""

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

HOME = Path(os.environ["NODE_HOME"]).absolute()


@contextlib.contextmanager
def server(*command, cwd=HOME, **settings):
    """One that serves on a free port, and its address. PORT stands for the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [str(argument).replace("PORT", str(port)) for argument in command]
    program = subprocess.Popen(arguments, cwd=cwd, env={**os.environ, "PORT": str(port), **settings})
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if program.poll() is not None:
                raise SystemExit(f"{command} ended with {program.returncode}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        program.kill()
        program.wait()


@contextlib.contextmanager
def filter_of_lines(*command, **settings):
    """One that answers each line of its input with a line, as a function."""
    program = subprocess.Popen(
        command,
        cwd=HOME,
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def answer(line):
        program.stdin.write(line + "\n")
        program.stdin.flush()
        return program.stdout.readline().strip()

    try:
        yield answer
    finally:
        program.stdin.close()
        program.wait()
