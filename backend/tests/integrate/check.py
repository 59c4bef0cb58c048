"""Runs the snippets of docs/integrate.md and docs/integrate/ as printed against the real
program, and tests the JWT libraries of the other two languages with forged proofs.

Next.js itself is not installed: its routes run on Node's own web standards.

COUNTERSIGN_BIN names the program, NODE_HOME the directory with jose in it. One
line per check: "ok …" or "FAILED …".
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox import sandbox  # noqa: E402

BLOCKS = re.compile(r"^( *)```(sh|js|python)( [\w-]+)?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def snippets(path):
    """Yields the language, the name if there is one, and the text of each snippet."""
    for _, language, name, text in BLOCKS.findall(Path(path).read_text()):
        if name != " no-test":
            yield language, name.strip(), textwrap.dedent(text)


SNIPPETS = [(language, text) for language, _, text in snippets("docs/integrate.md")]
OWN_FORM = {name or language: text for language, name, text in snippets("docs/integrate/own-form.md")}
EMBED = {name: text for _, name, text in snippets("docs/integrate/embed.md")}
HOME = Path(os.environ["NODE_HOME"])
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


def proof_of(number, nonce="a-word-of-mine"):
    """Obtains a proof as an honest browser would."""
    sent = call("/api/otp/send", {"recipient": number, "nonce": nonce})
    query = urllib.parse.urlencode({"recipient": number})
    otp = call(f"/sandbox/messages?{query}")[0]["otp"]
    return call("/api/otp/verify", {"session_uuid": sent["session_uuid"], "otp": otp})["proof"]


def run(language, text, proof=""):
    """Runs a snippet as printed, as a separate program."""
    names = {"sh": "snippet.sh", "js": "snippet.mjs", "python": "snippet.py"}
    programs = {"sh": "sh", "js": "node", "python": sys.executable}
    path = HOME / names[language]
    path.write_text(text)
    environment = {**os.environ, "COUNTERSIGN_URL": url, "COUNTERSIGN_KEY": key, "PROOF": proof}
    return subprocess.run(
        [programs[language], path], env=environment, capture_output=True, text=True, timeout=60
    )


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def new_key():
    """A new key of the application defined by variables, and its hash."""
    said = subprocess.check_output([os.environ["COUNTERSIGN_BIN"], "--new-key", "default"], text=True)
    return re.search(r"^csk_\S+$", said, re.M)[0], re.search(r"^sha256:\S+$", said, re.M)[0]


@contextlib.contextmanager
def server(*command, **settings):
    """Runs a server on a free port, and yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "COUNTERSIGN_URL": url, "COUNTERSIGN_KEY": key, "PORT": str(port)}
    arguments = [str(argument).replace("PORT", str(port)) for argument in command]
    program = subprocess.Popen(arguments, cwd=HOME, env={**environment, **settings})
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        program.kill()
        program.wait()


def asked(address, body, headers=(), path=""):
    """Makes a call, and returns its status and answer, even for an error."""
    kind = "application/json" if isinstance(body, dict) else "application/x-www-form-urlencoded"
    data = json.dumps(body) if isinstance(body, dict) else body
    request = urllib.request.Request(
        address + path, data.encode(), {"content-type": kind, **dict(headers)}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def newest_code(number):
    return call(f"/sandbox/messages?{urllib.parse.urlencode({'recipient': number})}")[0]["otp"]


def own_form(name, address, number):
    """Calls the two routes of a form as its page does."""
    status, said = asked(address, {"recipient": number}, path="/api/otp/send")
    check(f"{name} sends", status == 200, said)
    session = json.loads(said)["session_uuid"]
    otp = newest_code(number)
    wrong = f"{(int(otp) + 1) % 10 ** len(otp):0{len(otp)}}"
    status, said = asked(address, {"session_uuid": session, "otp": wrong}, path="/api/otp/verify")
    check(f"{name} refuses a wrong code", status == 400 and "wrong" in json.loads(said)["message"], said)
    # The session was made with the key, and cannot be verified without it.
    status, said = asked(url, {"session_uuid": session, "otp": otp}, path="/api/otp/verify")
    check(f"{name}: its session is nobody else's", status == 404, said)
    status, said = asked(address, {"session_uuid": session, "otp": otp}, path="/api/otp/verify")
    check(f"{name} verifies", status == 200 and json.loads(said)["verified"] is True, said)


# Calls a route's module as Next.js does.
NEXT = """
import { createServer } from "node:http";
import { POST as send } from "./next-send.mjs";
import { POST as verify } from "./next-verify.mjs";
const routes = { "/api/otp/send": send, "/api/otp/verify": verify };
createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const headers = { "x-forwarded-for": "made up, 203.0.113.9" };
  const asked = new Request(`http://x${request.url}`, { method: "POST", headers, body });
  const answer = await routes[request.url](asked);
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(await answer.text());
}).listen(process.env.PORT);
"""


def own_forms():
    ran = run("sh", OWN_FORM["sh"])
    check("own form: curl as printed", '"verified":true' in ran.stdout, ran.stdout + ran.stderr)
    for name in ("next-send", "next-verify", "express"):
        (HOME / f"{name}.mjs").write_text(OWN_FORM[name])
    (HOME / "next.mjs").write_text(NEXT)
    (HOME / "server.py").write_text(OWN_FORM["fastapi"])
    uvicorn = (sys.executable, "-m", "uvicorn", "server:app", "--proxy-headers", "--log-level", "warning", "--port", "PORT")
    for name, number, command in (
        ("Next.js", "+14155550131", ("node", "next.mjs")),
        ("Express", "+14155550132", ("node", "express.mjs")),
        ("FastAPI", "+14155550133", uvicorn),
    ):
        with server(*command) as address:
            own_form(name, address, number)


def embedded():
    """The page's server issues a nonce, and accepts a proof once, from its own visitor."""
    (HOME / "embed.mjs").write_text(EMBED["embed"])
    with server("node", "embed.mjs", ACCEPT_SANDBOX="true") as address:
        with urllib.request.urlopen(f"{address}/account/phone") as answer:
            cookie = answer.headers["set-cookie"].split(";")[0]
            nonce = re.search(r'proof-nonce="([^"]+)"', answer.read().decode())[1]
        shown = proof_of("+14155550134", nonce)

        def show(proof, **headers):
            body = urllib.parse.urlencode({"proof": proof})
            return asked(address, body, headers, "/account/phone")

        check("embed: another visitor's proof is nothing", show(proof_of("+14155550135", "x"), cookie=cookie)[0] == 400)
        status, said = show(shown, cookie=cookie)
        check("embed: a proof is believed", status == 200 and "+14155550134" in said, said)
        check("embed: once", show(shown, cookie=cookie)[0] == 400)
    with server("node", "embed.mjs") as address:
        with urllib.request.urlopen(f"{address}/account/phone") as answer:
            cookie = answer.headers["set-cookie"].split(";")[0]
            nonce = re.search(r'proof-nonce="([^"]+)"', answer.read().decode())[1]
        shown = proof_of("+14155550136", nonce)
        body = urllib.parse.urlencode({"proof": shown})
        status, said = asked(address, body, {"cookie": cookie}, "/account/phone")
        check("embed: a sandbox's proof is nothing in production", status == 400, said)


def own_key():
    """The service's signing key."""
    keys = json.loads((directory / "proof-keys.json").read_text())["keys"]
    return load_pem_private_key(keys[0]["private_key"].encode(), None)


def resigned(proof, changes):
    """The same proof, signed again with these claims changed, as by another clock."""
    said = jwt.decode(proof, options={"verify_signature": False})
    header = jwt.get_unverified_header(proof)
    return jwt.encode({**said, **changes}, own_key(), "EdDSA", header)


def accepts_a_clock_apart(language, text):
    """Checks that a proof is accepted if the clocks differ by a few seconds."""
    now = int(time.time())
    ahead = run(language, text, resigned(proof, {"iat": now + 3, "exp": now + 600}))
    check(f"{language} takes a proof from a clock that is ahead", ahead.returncode == 0, ahead.stderr)
    # The proof expires now by the local clock. If the program takes longer than the
    # leeway, the result means nothing: try again.
    for _ in range(20):
        started = time.time()
        behind = run(language, text, resigned(proof, {"exp": int(started)}))
        if behind.returncode == 0 or time.time() - started < 3:
            break
    check(f"{language} takes a proof that is just over", behind.returncode == 0, behind.stderr)


def forgeries(proof):
    """Yields forged proofs, as an attacker would submit them."""
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

key, key_hash = new_key()
SETTINGS["API_KEY_HASHES"] = key_hash

# For libraries without Ed25519.
with sandbox(**SETTINGS, PROOF_ALGORITHM="ES256") as (_, address, directory):
    url = f"http://{address}"
    proof = proof_of("+14155550125")
    for language, text in SNIPPETS[1:]:
        ran = run(language, text.replace("EdDSA", "ES256"), proof)
        check(f"{language} with ES256", "+14155550125" in ran.stdout, ran.stdout + ran.stderr)
        ran = run(language, text, proof)
        check(f"{language} takes no other algorithm than its own", ran.returncode != 0, ran.stdout)

with sandbox(**SETTINGS) as (_, address, directory):
    url = f"http://{address}"
    own_forms()
    embedded()
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
