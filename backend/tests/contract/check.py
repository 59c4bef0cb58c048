"""Schemathesis against the real program in sandbox: every check, and the stateful
phase, in as many cases for each operation as CASES says.

COUNTERSIGN_BIN names the program, SECONDS bounds the whole. One line at the end:
"ok …" or "FAILED …".
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = os.environ.get("CASES", "50")
SECONDS = os.environ.get("SECONDS_AT_MOST", "60")

with tempfile.TemporaryDirectory() as place:
    limits = ["SENDS_PER_NUMBER", "VOICE_PER_NUMBER", "WRONG_CHECKS_PER_NUMBER"]
    service = subprocess.Popen(
        [os.environ["COUNTERSIGN_BIN"]],
        env={
            "PLIVO_MODE": "sandbox",
            "LISTEN_ADDR": "127.0.0.1:0",
            "METRICS_ADDR": "off",
            "PUBLIC_URL": "http://127.0.0.1:1",
            "LOG_FORMAT": "json",
            "RUST_LOG": "warn,countersign_backend::app=info",
            "STORE_URL": f"sqlite:{place}/countersign.db",
            "ALLOWED_CHANNELS": "sms,voice,whatsapp",
            "RESEND_WAITS": "1s",
            "LIMIT_REQUESTS_PER_ADDRESS": "off",
            **{f"LIMIT_{name}": "off" for name in limits},
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        started = next(line for line in service.stderr if '"server.started"' in line)
        url = "http://" + json.loads(started)["address"]
        # A pipe that nobody empties would stop the service.
        threading.Thread(target=service.stderr.read, daemon=True).start()
        program = Path(sys.executable).with_name("st")
        ran = subprocess.run(
            [program, "--config-file", HERE / "schemathesis.toml", "run", "--no-color"]
            + ["--max-examples", CASES, f"{url}/api/openapi.json"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "100"},
            timeout=int(SECONDS),
        )
        lives = service.poll() is None
        holds = ran.returncode == 0 and lives
    except subprocess.TimeoutExpired:
        holds = False
        print(f"not at its end after {SECONDS} seconds")
    finally:
        service.kill()
        service.wait()

print(("ok" if holds else "FAILED"), f"the contract, in {CASES} cases for each operation")
sys.exit(not holds)
