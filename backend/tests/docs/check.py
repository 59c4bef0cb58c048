"""Runs every curl command of README.md and docs/*.md as printed against the real program
in sandbox mode, and compares its answer with the printed one.

Only the address is changed, and values from earlier answers (a session, a code, a proof)
are replaced with those of this run. docs/integrate.md and docs/fifteen-minutes.md have
tests of their own. Blocks marked `no-test` are skipped.

COUNTERSIGN_BIN is the path of the program. One line per command: "ok …" or "FAILED …".
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox import sandbox  # noqa: E402

BLOCKS = re.compile(r"^```(console|sh|bash)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"(?:localhost|127\.0\.0\.1):8080")
# Values that a later command may repeat.
NAMED = {"session_uuid", "otp", "proof"}
DOCUMENTS = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
failures = 0


def check(name, holds, seen=""):
    global failures
    print(("ok " if holds else "FAILED ") + name, "" if holds else seen, flush=True)
    failures += not holds


def commands(text):
    """Yields each command that calls the service, with its printed answer."""
    for kind, mark, block in BLOCKS.findall(text):
        if "no-test" in mark or "curl" not in block:
            continue
        if kind != "console":
            yield block, ""
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            end = next(n for n, line in enumerate(lines) if not line.endswith("\\")) + 1
            yield "\n".join(lines[:end]), "\n".join(lines[end:]).strip()


def values(answer):
    """The JSON in an answer, with or without headers or event-stream lines around it."""
    found = []
    for line in answer.splitlines():
        line = line.removeprefix("data: ")
        if line.startswith(("{", "[")):
            found.append(json.loads(line))
    return found


def shape(value):
    """The names and types without the values; for a list, those of its first element."""
    if isinstance(value, dict):
        return {name: shape(field) for name, field in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def names(value):
    """Yields the values that later commands may repeat, in order."""
    if isinstance(value, dict):
        for name, field in value.items():
            if name in NAMED and isinstance(field, str):
                yield name, field
            else:
                yield from names(field)
    elif isinstance(value, list):
        for item in value[:1]:
            yield from names(item)


def run(command):
    """Runs a command and returns its output. A stream does not end: its first event is the answer."""
    bash = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    if not re.search(r" -\w*N", command):
        said, _ = bash.communicate(timeout=30)
        return bash.returncode, said
    event = ""
    for line in bash.stdout:
        event += line
        if not line.strip() and "data: " in event:
            break
    # Without an event the command has ended by itself, and failed.
    if "data: " not in event:
        return bash.wait() or 1, event
    os.killpg(bash.pid, signal.SIGTERM)
    bash.wait()
    return 0, event


def headers(answer):
    """The status and the names of the headers, if `curl -i` printed them."""
    lines = answer.splitlines()
    if not lines or not lines[0].startswith("HTTP/"):
        return []
    return [lines[0].split()[1]] + [
        line.split(":")[0].lower() for line in lines[1:] if re.match(r"[\w-]+: ", line)
    ]


def follow(document, address):
    """Runs the commands of a document in order."""
    said_here = {}
    for command, printed in commands(document.read_text()):
        name = f"{document}: {command.splitlines()[0]}"
        command = ADDRESS.sub(address, command)
        for there, here in said_here.items():
            command = command.replace(there, here)
        status, answer = run(command)
        check(f"{name} (status)", status == 0, answer)
        if not printed:
            continue
        expected, found = values(printed), values(answer)
        same = [shape(value) for value in expected] == [shape(value) for value in found]
        check(f"{name} (answer)", bool(expected) and same, answer)
        if headers(printed):
            missing = set(headers(printed)) - set(headers(answer))
            check(f"{name} (headers)", not missing, f"{missing} in {answer}")
        for there, here in zip(expected, found):
            said_here.update(
                (old, new)
                for (_, old), (_, new) in zip(names(there), names(here))
                if "…" not in old
            )


for document in DOCUMENTS:
    text = document.read_text()
    # Covered by tests of their own.
    if document.name in ("integrate.md", "fifteen-minutes.md") or not list(commands(text)):
        continue
    with sandbox() as (_, address, _):
        follow(document, address)

sys.exit(failures > 0)
