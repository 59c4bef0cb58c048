"""Starts the real program in sandbox mode on a free port, for the checks in the
directories beside this file. COUNTERSIGN_BIN is its path.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path


@contextlib.contextmanager
def sandbox(**settings):
    """Runs the program, and yields its process, its address and the directory of its state."""
    with tempfile.TemporaryDirectory() as place:
        service = subprocess.Popen(
            [os.environ["COUNTERSIGN_BIN"]],
            env={
                "PLIVO_MODE": "sandbox",
                "LISTEN_ADDR": "127.0.0.1:0",
                "METRICS_ADDR": "off",
                "LOG_FORMAT": "json",
                "STORE_URL": f"sqlite:{place}/countersign.db",
                **settings,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            started = next(line for line in service.stderr if '"server.started"' in line)
            # A pipe that nobody reads would block the service.
            threading.Thread(target=service.stderr.read, daemon=True).start()
            yield service, json.loads(started)["address"], Path(place)
        finally:
            service.kill()
            service.wait()
