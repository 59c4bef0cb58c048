"""Verifiers that others wrote, against honest proofs and forged ones."""

import contextlib
import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from forgeries import forgeries
from programs import HOME, filter_of_lines, server
from report import check

SOURCE = Path(__file__).resolve().parent / "libraries"
# Not in the two commands: the machine has a Java or it has not.
JAVA = shutil.which("java") if shutil.which("javac") else None


@contextlib.contextmanager
def passport(url):
    """What the sample with passport-jwt makes of a proof in a form."""
    with server("node", "passport.mjs", COUNTERSIGN_URL=url) as address:

        def answer(proof):
            form = urllib.parse.urlencode({"proof": proof}).encode()
            try:
                with urllib.request.urlopen(f"{address}/account/phone", form) as said:
                    return json.load(said)["phone_number"]
            except urllib.error.HTTPError as error:
                # 401 is a refusal; anything else is a fault of the sample's.
                return "refused" if error.code == 401 else f"status {error.code}"

        yield answer


def verifiers(samples, url, algorithm):
    """Those that know the algorithm."""
    settings = {"COUNTERSIGN_URL": url, "PROOF_ALGORITHM": algorithm}
    for name in ("lines.mjs", "lines.rb"):
        shutil.copy(SOURCE / name, HOME / name)
    if algorithm == "ES256":
        (HOME / "check.mjs").write_text(samples["jsonwebtoken"])
        (HOME / "check.rb").write_text(samples["jwt"])
        (HOME / "passport.mjs").write_text(samples["passport"])
        yield "jsonwebtoken", filter_of_lines("node", "lines.mjs", **settings)
        yield "passport-jwt", passport(url)
        yield "Ruby's jwt", filter_of_lines("ruby", "lines.rb", **settings)
    if JAVA:
        yield "the JDK", filter_of_lines(JAVA, SOURCE / "Lines.java", **settings)


def check_libraries(samples, url, algorithm, proof, number, own):
    for name, verifier in verifiers(samples, url, algorithm):
        with verifier as says:
            said = says(proof)
            check(f"{name}, {algorithm}: takes a proof", said == number, said)
            for what, forged in forgeries(proof, own):
                said = says(forged)
                check(f"{name}, {algorithm}: refuses {what}", said.startswith("refused"), said)
            said = says(proof)
            check(f"{name}, {algorithm}: takes one afterwards", said == number, said)
    if not JAVA:
        print(f"skipped: the JDK's verifier with {algorithm}, there is no JDK here")
