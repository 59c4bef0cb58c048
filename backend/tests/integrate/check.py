"""The samples of docs/integrate.md and docs/integrate/, run as printed against the real
program; and the libraries in them against forged proofs.

COUNTERSIGN_BIN names the program, NODE_HOME the directory with the packages of Node.js.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import nextjs
from client import check_client
from forgeries import forgeries, keys_of_a_change, own_key, resigned
from libraries import check_libraries
from programs import HOME, server
from report import check, leave

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox import sandbox  # noqa: E402

BLOCKS = re.compile(r"^( *)```(sh|jsx?|tsx?|python|ruby)( [\w-]+)?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def snippets(path):
    """The language, the name where it has one, and the text of each."""
    for _, language, name, text in BLOCKS.findall(Path(path).read_text()):
        if name != " no-test":
            yield language, name.strip(), textwrap.dedent(text)


SNIPPETS = [(language, text) for language, _, text in snippets("docs/integrate.md")]
OWN_FORM = {name or language: text for language, name, text in snippets("docs/integrate/own-form.md")}
EMBED = {name: text for _, name, text in snippets("docs/integrate/embed.md")}
LIBRARIES = {name: text for _, name, text in snippets("docs/integrate/libraries.md")}
NUMBER = "+14155550123"


def call(path, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def proof_of(number, nonce="a-word-of-mine"):
    """A proof as an honest browser gets it."""
    sent = call("/api/otp/send", {"recipient": number, "nonce": nonce})
    query = urllib.parse.urlencode({"recipient": number})
    otp = call(f"/sandbox/messages?{query}")[0]["otp"]
    return call("/api/otp/verify", {"session_uuid": sent["session_uuid"], "otp": otp})["proof"]


def run(language, text, proof=""):
    """The snippet as printed, as a program of its own."""
    names = {"sh": "snippet.sh", "js": "snippet.mjs", "python": "snippet.py"}
    programs = {"sh": "sh", "js": "node", "python": sys.executable}
    path = HOME / names[language]
    path.write_text(text)
    environment = {**os.environ, **application(), "PROOF": proof}
    return subprocess.run(
        [programs[language], path], env=environment, capture_output=True, text=True, timeout=60
    )


def new_key():
    """A key of the application that the variables make, and its hash."""
    said = subprocess.check_output([os.environ["COUNTERSIGN_BIN"], "--new-key", "default"], text=True)
    return re.search(r"^csk_\S+$", said, re.M)[0], re.search(r"^sha256:\S+$", said, re.M)[0]


def application():
    """What the programs of the samples find in their environment."""
    return {"COUNTERSIGN_URL": url, "COUNTERSIGN_KEY": key}


def asked(address, body, headers=(), path=""):
    """The status and the answer of a call, whatever it is."""
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
    """A form's two routes, as a page calls them."""
    status, said = asked(address, {"recipient": number}, path="/api/otp/send")
    check(f"{name} sends", status == 200, said)
    session = json.loads(said)["session_uuid"]
    otp = newest_code(number)
    wrong = f"{(int(otp) + 1) % 10 ** len(otp):0{len(otp)}}"
    status, said = asked(address, {"session_uuid": session, "otp": wrong}, path="/api/otp/verify")
    check(f"{name} refuses a wrong code", status == 400 and "wrong" in json.loads(said)["message"], said)
    # The session was made with the key, and nobody else ends it.
    status, said = asked(url, {"session_uuid": session, "otp": otp}, path="/api/otp/verify")
    check(f"{name}: its session is nobody else's", status == 404, said)
    status, said = asked(address, {"session_uuid": session, "otp": otp}, path="/api/otp/verify")
    check(f"{name} verifies", status == 200 and json.loads(said)["verified"] is True, said)


def own_forms():
    ran = run("sh", OWN_FORM["sh"])
    check("own form: curl as printed", '"verified":true' in ran.stdout, ran.stdout + ran.stderr)
    (HOME / "express.mjs").write_text(OWN_FORM["express"])
    (HOME / "server.py").write_text(OWN_FORM["fastapi"])
    uvicorn = (sys.executable, "-m", "uvicorn", "server:app", "--proxy-headers", "--log-level", "warning", "--port", "PORT")
    home = nextjs.build(OWN_FORM)
    with server(*nextjs.START, cwd=home, **application()) as address:
        own_form("Next.js", address, "+14155550131")
        nextjs.check_page(address, "+14155550138", newest_code)
    for name, number, command in (
        ("Express", "+14155550132", ("node", "express.mjs")),
        ("FastAPI", "+14155550133", uvicorn),
    ):
        with server(*command, **application()) as address:
            own_form(name, address, number)


def clients():
    def send(number):
        headers = {"authorization": f"Bearer {key}"}
        body = {"recipient": number, "end_user": {"address": "203.0.113.7"}}
        _, said = asked(url, body, headers, "/api/otp/send")
        return json.loads(said)["session_uuid"]

    check_client(OWN_FORM["client"], {**os.environ, **application()}, send, newest_code)


def embedded():
    """The page's server gives out a nonce, and believes a proof once, for its own visitor."""
    (HOME / "embed.mjs").write_text(EMBED["embed"])
    with server("node", "embed.mjs", **application(), ACCEPT_SANDBOX="true") as address:
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
    with server("node", "embed.mjs", **application()) as address:
        with urllib.request.urlopen(f"{address}/account/phone") as answer:
            cookie = answer.headers["set-cookie"].split(";")[0]
            nonce = re.search(r'proof-nonce="([^"]+)"', answer.read().decode())[1]
        shown = proof_of("+14155550136", nonce)
        body = urllib.parse.urlencode({"proof": shown})
        status, said = asked(address, body, {"cookie": cookie}, "/account/phone")
        check("embed: a sandbox's proof is nothing in production", status == 400, said)


def accepts_a_clock_apart(language, text):
    """Whether a proof is taken where the clocks differ by a few seconds."""
    now = int(time.time())
    own = own_key(keys_file, "EdDSA")
    ahead = run(language, text, resigned(proof, own, {"iat": now + 3, "exp": now + 600}))
    check(f"{language} takes a proof from a clock that is ahead", ahead.returncode == 0, ahead.stderr)
    # It is over at this very moment by the clock here. Where the program itself takes
    # longer than the leeway, that says nothing: so once more.
    for _ in range(20):
        started = time.time()
        behind = run(language, text, resigned(proof, own, {"exp": int(started)}))
        if behind.returncode == 0 or time.time() - started < 3:
            break
    check(f"{language} takes a proof that is just over", behind.returncode == 0, behind.stderr)


def refuses_forgeries(language, text, proof, own):
    for what, forged in forgeries(proof, own):
        ran = run(language, text, forged)
        refused = ran.returncode != 0 and not ran.stdout.strip()
        check(f"{language} refuses {what}", refused, ran.stdout)


def es256():
    """For libraries that know no Ed25519."""
    proof = proof_of("+14155550125")
    own = own_key(keys_file, "ES256")
    for language, text in SNIPPETS[1:]:
        changed = text.replace("EdDSA", "ES256")
        ran = run(language, changed, proof)
        check(f"{language} with ES256", "+14155550125" in ran.stdout, ran.stdout + ran.stderr)
        refuses_forgeries(language, changed, proof, own)
        ran = run(language, text, proof)
        check(f"{language} takes no other algorithm than its own", ran.returncode != 0, ran.stdout)
    check_libraries(LIBRARIES, url, "ES256", proof, "+14155550125", own)


SETTINGS = {
    "RESEND_WAITS": "1s",
    "LIMIT_SENDS_PER_NUMBER": "off",
    "LIMIT_REQUESTS_PER_ADDRESS": "off",
}

key, key_hash = new_key()
SETTINGS["API_KEY_HASHES"] = key_hash

with tempfile.TemporaryDirectory() as place:
    keys_file = keys_of_a_change(Path(place))
    with sandbox(**SETTINGS, PROOF_SIGNING_KEYS_FILE=str(keys_file)) as (_, address, _):
        url = f"http://{address}"
        es256()

with sandbox(**SETTINGS) as (_, address, directory):
    url = f"http://{address}"
    keys_file = directory / "proof-keys.json"
    own = own_key(keys_file, "EdDSA")
    own_forms()
    embedded()
    clients()
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
        refuses_forgeries(language, text, proof, own)

    far_ahead = {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}
    ran = run("python", dict(SNIPPETS)["python"], resigned(proof, own, far_ahead))
    check("python refuses a proof from the future", ran.returncode != 0, ran.stdout)
    check_libraries(LIBRARIES, url, "EdDSA", proof, "+14155550124", own)

leave()
