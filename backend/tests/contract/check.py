"""Runs Schemathesis against the real program in sandbox mode: every check, and the
stateful phase, with CASES cases for each operation.

COUNTERSIGN_BIN is the path of the program, SECONDS the time limit of the whole run. The
last line is "ok …" or "FAILED …".
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox import sandbox  # noqa: E402

HERE = Path(__file__).resolve().parent
CASES = os.environ.get("CASES", "50")
SECONDS = os.environ.get("SECONDS_AT_MOST", "60")

LIMITS = ["SENDS_PER_NUMBER", "VOICE_PER_NUMBER", "WRONG_CHECKS_PER_NUMBER"]
SETTINGS = {
    "PUBLIC_URL": "http://127.0.0.1:1",
    "RUST_LOG": "warn,countersign_backend::app=info",
    "ALLOWED_CHANNELS": "sms,voice,whatsapp",
    "RESEND_WAITS": "1s",
    "LIMIT_REQUESTS_PER_ADDRESS": "off",
    **{f"LIMIT_{name}": "off" for name in LIMITS},
}

with sandbox(**SETTINGS) as (service, address, place):
    try:
        program = Path(sys.executable).with_name("st")
        ran = subprocess.run(
            [program, "--config-file", HERE / "schemathesis.toml", "run", "--no-color"]
            + ["--max-examples", CASES, f"http://{address}/api/openapi.json"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "100"},
            timeout=int(SECONDS),
        )
        lives = service.poll() is None
        holds = ran.returncode == 0 and lives
    except subprocess.TimeoutExpired:
        holds = False
        print(f"not at its end after {SECONDS} seconds")

print(("ok" if holds else "FAILED"), f"the contract, in {CASES} cases for each operation")
sys.exit(not holds)
