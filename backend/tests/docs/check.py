"""Every curl command of README.md and docs/*.md, run as printed against the real
program in sandbox, and its answer held to the one that is printed.

Only the address is another one; and where a command names what an earlier answer
said (a session, a code, a proof), it names what was said here. docs/integrate.md and
docs/fifteen-minutes.md have tests of their own. A block marked `no-test` is left out.

COUNTERSIGN_BIN names the program. One line per command: "ok …" or "FAILED …".
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
# What a later command may repeat.
NAMED = {"session_uuid", "otp", "proof"}
DOCUMENTS = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
failures = 0


def check(name, holds, seen=""):
    global failures
    print(("ok " if holds else "FAILED ") + name, "" if holds else seen, flush=True)
    failures += not holds


def commands(text):
    """Each command that calls the service, with the answer that is printed."""
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
    """The JSON in an answer, headers and the lines of a stream around it or not."""
    found = []
    for line in answer.splitlines():
        line = line.removeprefix("data: ")
        if line.startswith(("{", "[")):
            found.append(json.loads(line))
    return found


def shape(value):
    """The names and the kinds, not the values; of a list, those of its first."""
    if isinstance(value, dict):
        return {name: shape(field) for name, field in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def names(value):
    """What later commands may repeat, in the order it is said."""
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
    """What it answers. A stream would not end: its first event is the answer."""
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
    # Without an event it has ended by itself, and not well.
    if "data: " not in event:
        return bash.wait() or 1, event
    os.killpg(bash.pid, signal.SIGTERM)
    bash.wait()
    return 0, event


def headers(answer):
    """Status and names of the headers, where `curl -i` shows them."""
    lines = answer.splitlines()
    if not lines or not lines[0].startswith("HTTP/"):
        return []
    return [lines[0].split()[1]] + [
        line.split(":")[0].lower() for line in lines[1:] if re.match(r"[\w-]+: ", line)
    ]


def follow(document, address):
    """Runs a document from its top to its end."""
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
    # Their own tests run them.
    if document.name in ("integrate.md", "fifteen-minutes.md") or not list(commands(text)):
        continue
    with sandbox() as (_, address, _):
        follow(document, address)

sys.exit(failures > 0)
