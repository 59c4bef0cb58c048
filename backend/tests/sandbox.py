"""The real program in sandbox, on a free port, for the checks in the directories
beside this file. COUNTERSIGN_BIN names it.
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
    """Its process, its address, and the directory that its state is in."""
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
            # A pipe that nobody empties would stop the service.
            threading.Thread(target=service.stderr.read, daemon=True).start()
            yield service, json.loads(started)["address"], Path(place)
        finally:
            service.kill()
            service.wait()
