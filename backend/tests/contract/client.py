"""A client that openapi-python-client makes of the document, with nothing left out, verifies
a number against the real program in sandbox, and asks about the proof.

COUNTERSIGN_BIN names the program. One line a check: "ok …" or "FAILED …".
"""

import importlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox import sandbox  # noqa: E402

RECIPIENT = "+447700900123"
failures = 0


def check(name, holds, seen=""):
    global failures
    print(("ok " if holds else "FAILED ") + name, "" if holds else seen, flush=True)
    failures += not holds


def generate(address, place):
    (place / "config.yml").write_text("post_hooks: []\n")
    generator = Path(sys.executable).with_name("openapi-python-client")
    return subprocess.run(
        [generator, "generate", "--url", f"http://{address}/api/openapi.json", "--meta", "none"]
        + ["--config", "config.yml", "--output-path", "countersign", "--fail-on-warning"],
        cwd=place,
        capture_output=True,
        text=True,
    )


with sandbox() as (_, address, place):
    made = generate(address, place)
    check("a client is made of the whole document", made.returncode == 0, made.stdout + made.stderr)
    sys.path.insert(0, str(place))
    client = importlib.import_module("countersign").Client(base_url=f"http://{address}")
    models = importlib.import_module("countersign.models")

    def call(tag, name, **arguments):
        operation = importlib.import_module(f"countersign.api.{tag}.{name}")
        return operation.sync(client=client, **arguments)

    sent = call("verification", "send_otp", body=models.SendRequest(recipient=RECIPIENT))
    check("send_otp answers a session", isinstance(sent, models.SendResponse), sent)
    session = sent.session_uuid
    wrong = models.VerifyRequest(session_uuid=session, otp="000000")
    wrong = call("verification", "verify_otp", body=wrong)
    check("a wrong code is a problem", isinstance(wrong, models.Problem) and wrong.checks_left == 4, wrong)
    [message] = call("sandbox", "list_sandbox_messages", recipient=RECIPIENT)
    right = models.VerifyRequest(session_uuid=session, otp=message.otp)
    verified = call("verification", "verify_otp", body=right)
    check("verify_otp answers a proof", isinstance(verified, models.VerifyResponse), verified)
    seen = call("form", "get_session", session_uuid=session)
    check("get_session answers the session", seen.status == models.SessionStatus.VERIFIED, seen)
    ask = models.IntrospectRequest(token=verified.proof, consume=True)
    active = call("verification", "introspect_proof", body=ask)
    holds = isinstance(active, models.ActiveProof) and active.phone_number == RECIPIENT
    check("introspect_proof answers the claims", holds, active)
    again = call("verification", "introspect_proof", body=ask)
    check("a consumed proof is inactive", isinstance(again, models.InactiveProof), again)

sys.exit(failures > 0)
