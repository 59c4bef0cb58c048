"""docs/fifteen-minutes.md, run as printed from its top to its end in one shell, and what it
shows held to what is printed.

Only the ports are others, free ones. In a printed output `…` stands for anything. A
block marked `no-test` is left out.

COUNTERSIGN_BIN names the program; plivo-simulator is beside it. One line per block:
"ok …" or "FAILED …".
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

DOCUMENT = Path("docs/fifteen-minutes.md")
# A heading, or a block with its language.
PARTS = re.compile(r"^## ([^\n]+)$|^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Ports as the document names them; Plivo's numbers are longer.
PORT = re.compile(r"(?<=[: (])(?:3000|6379|80[89]\d|8443|90\d\d|946\d)\b")
MINUTES = 3


def blocks(text):
    """Each block of commands: its heading, the commands, and the output that is printed."""
    found, heading = [], ""
    for title, language, mark, block in PARTS.findall(text):
        if title:
            heading = title
        elif language == "sh" and "no-test" not in mark:
            found.append([f"{heading} ({len(found) + 1})", block, ""])
        elif language == "text":
            found[-1][2] = block
    return found


def other_ports(text):
    """Replaces each port by one that is free, the same one everywhere."""
    sockets = {port: socket.create_server(("127.0.0.1", 0)) for port in set(PORT.findall(text))}
    free = {port: str(it.getsockname()[1]) for port, it in sockets.items()}
    for it in sockets.values():
        it.close()
    return lambda text: PORT.sub(lambda found: free.get(found[0], found[0]), text)


def samples(directory, replaced):
    """A repository that has the samples in deploy/, on those ports, and a page."""
    page = directory / "frontend/dist/index.html"
    page.parent.mkdir(parents=True)
    page.write_text('<!doctype html><html><head></head><body><div id="app"></div></body></html>')
    for name in ("nginx.conf", "prometheus/prometheus.yml", "prometheus/countersign.rules.yml"):
        sample = Path("deploy") / name
        copy = directory / sample
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(replaced(sample.read_text()))


def script(parts):
    """All blocks as one script that says after each that it is over."""
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for number, (_, commands, _) in enumerate(parts):
        lines += [commands, f"echo; echo '== {number}'"]
    return "\n".join(lines)


def is_shown(printed, output):
    """Whether every printed line is in the output, in that order."""
    lines = [re.escape(line).replace("…", ".*") for line in printed.splitlines()]
    return re.search(".*".join(lines), output, re.DOTALL) is not None


def run(parts, directory, repository):
    """The output of each block, up to the first that fails; and all that went wrong."""
    binaries = Path(os.environ["COUNTERSIGN_BIN"]).resolve().parent
    bash = subprocess.Popen(
        ["bash", "-c", script(parts)],
        cwd=directory,
        env={
            "HOME": str(directory),
            "REPOSITORY": str(repository),
            "PATH": f"{binaries}:{os.environ['PATH']}:/usr/sbin",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = bash.communicate(timeout=60 * MINUTES)
    except subprocess.TimeoutExpired:
        os.killpg(bash.pid, signal.SIGKILL)
        output, errors = bash.communicate()
        errors += f"\nit took longer than {MINUTES} minutes"
    return re.split(r"\n== \d+\n", output), errors


def logs(directory):
    """The ends of the programs' logs."""
    files = sorted(directory.glob("*.log"))
    return "\n".join(f"-- {it.name}\n{it.read_text()[-1000:]}" for it in files)


def follow(text):
    """Runs the document once: whether each block held, and what went wrong."""
    replaced = other_ports(text)
    parts = blocks(replaced(text))
    with tempfile.TemporaryDirectory() as temporary:
        directory, repository = Path(temporary, "work"), Path(temporary, "repository")
        directory.mkdir()
        samples(repository, replaced)
        outputs, errors = run(parts, directory, repository)
        results, said = [], ""
        for number, (name, _, printed) in enumerate(parts):
            # After the last mark there is one more, empty, or what the failed block said.
            is_over = number < len(outputs) - 1
            holds = is_over and is_shown(printed, outputs[number])
            results.append((name, holds))
            if not holds:
                said = "\n".join([*outputs[number : number + 1], errors, logs(directory)])
                break
        return results, said


results, said = follow(DOCUMENT.read_text())
if "in use" in said:
    # Somebody took a port between the search and its use.
    results, said = follow(DOCUMENT.read_text())
for name, holds in results:
    print(("ok " if holds else "FAILED ") + name)
print(said)
sys.exit(not all(holds for _, holds in results))
