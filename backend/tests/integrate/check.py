"""The snippets of docs/integrate.md, run as printed against the real program; and
the two libraries of other languages in them against forged proofs.

COUNTERSIGN_BIN names the program, NODE_HOME the directory with jose in it. One
line per check: "ok …" or "FAILED …".
"""

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox import sandbox  # noqa: E402

DOCUMENT = Path("docs/integrate.md").read_text()
SNIPPETS = re.findall(r"^```(sh|js|python)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
NUMBER = "+14155550123"
failures = 0


def check(name, holds, seen=""):
    global failures
    print(("ok " if holds else "FAILED ") + name, "" if holds else seen)
    failures += not holds


def call(path, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def proof_of(number):
    """A proof as an honest browser gets it."""
    sent = call("/api/otp/send", {"recipient": number, "nonce": "a-word-of-mine"})
    query = urllib.parse.urlencode({"recipient": number})
    otp = call(f"/sandbox/messages?{query}")[0]["otp"]
    return call("/api/otp/verify", {"session_uuid": sent["session_uuid"], "otp": otp})["proof"]


def run(language, text, proof=""):
    """The snippet as printed, as a program of its own."""
    names = {"sh": "snippet.sh", "js": "snippet.mjs", "python": "snippet.py"}
    programs = {"sh": "sh", "js": "node", "python": sys.executable}
    path = Path(os.environ["NODE_HOME"]) / names[language]
    path.write_text(text)
    environment = {**os.environ, "COUNTERSIGN_URL": url, "PROOF": proof}
    return subprocess.run(
        [programs[language], path], env=environment, capture_output=True, text=True, timeout=60
    )


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def own_key():
    """The key that the service signs with."""
    keys = json.loads((directory / "proof-keys.json").read_text())["keys"]
    return load_pem_private_key(keys[0]["private_key"].encode(), None)


def resigned(proof, changes):
    """The same proof by a service whose clock, or lifetime, is another."""
    said = jwt.decode(proof, options={"verify_signature": False})
    header = jwt.get_unverified_header(proof)
    return jwt.encode({**said, **changes}, own_key(), "EdDSA", header)


def accepts_a_clock_apart(language, text):
    """Whether a proof is taken where the clocks differ by a few seconds."""
    now = int(time.time())
    ahead = run(language, text, resigned(proof, {"iat": now + 3, "exp": now + 600}))
    check(f"{language} takes a proof from a clock that is ahead", ahead.returncode == 0, ahead.stderr)
    # It is over at this very moment by the clock here. Where the program itself takes
    # longer than the leeway, that says nothing: so once more.
    for _ in range(20):
        started = time.time()
        behind = run(language, text, resigned(proof, {"exp": int(started)}))
        if behind.returncode == 0 or time.time() - started < 3:
            break
    check(f"{language} takes a proof that is just over", behind.returncode == 0, behind.stderr)


def forgeries(proof):
    """What an attacker hands to a server instead."""
    header, claims, signature = proof.split(".")
    said = jwt.decode(proof, options={"verify_signature": False})
    named = jwt.get_unverified_header(proof)
    key = call("/.well-known/jwks.json")["keys"][0]
    public = base64.urlsafe_b64decode(key["x"] + "==")
    symmetric = encoded({**named, "alg": "HS256"}) + "." + claims
    mac = hmac.new(public, symmetric.encode(), hashlib.sha256).digest()
    stranger = Ed25519PrivateKey.generate()
    own = own_key()

    def signed(by, changes=None, headers=None):
        return jwt.encode({**said, **(changes or {})}, by, "EdDSA", {**named, **(headers or {})})

    yield "an edited number", f"{header}.{encoded({**said, 'phone_number': '+14155550199'})}.{signature}"
    yield "alg none", encoded({**named, "alg": "none"}) + f".{claims}."
    yield "HS256 with the public key", (
        symmetric + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    )
    yield "another key", signed(stranger)
    yield "another key by jku", signed(stranger, headers={"jku": "http://127.0.0.1:1/keys"})
    yield "another kid", signed(stranger, headers={"kid": "mine"})
    yield "another audience", signed(own, {"aud": "another"})
    yield "another issuer", signed(own, {"iss": "https://evil.example"})
    yield "long over", signed(own, {"exp": said["iat"] - 3600})
    yield "another type", signed(own, headers={"typ": "JWT"})


SETTINGS = {
    "RESEND_WAITS": "1s",
    "LIMIT_SENDS_PER_NUMBER": "off",
    "LIMIT_REQUESTS_PER_ADDRESS": "off",
}

with sandbox(**SETTINGS) as (_, address, directory):
    url = f"http://{address}"
    languages = [language for language, _ in SNIPPETS]
    check("the snippets are there", languages == ["sh", "js", "python"], languages)
    proof = proof_of("+14155550124")
    for language, text in SNIPPETS:
        number = NUMBER if language == "sh" else "+14155550124"
        ran = run(language, text, proof)
        holds = ran.returncode == 0 and number in ran.stdout and "a-word-of-mine" in ran.stdout
        check(f"{language} as printed", holds, ran.stdout + ran.stderr)
        if language == "sh":
            continue
        accepts_a_clock_apart(language, text)
        for what, forged in forgeries(proof):
            ran = run(language, text, forged)
            refused = ran.returncode != 0 and not ran.stdout.strip()
            check(f"{language} refuses {what}", refused, ran.stdout)

    far_ahead = {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}
    ran = run("python", dict(SNIPPETS)["python"], resigned(proof, far_ahead))
    check("python refuses a proof from the future", ran.returncode != 0, ran.stdout)

sys.exit(failures > 0)
