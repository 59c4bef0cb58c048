"""Plivo's official Python SDK, unmodified, against the simulator.

PLIVO_SIMULATOR names the program. One line per check: "ok …" or "FAILED …".
"""

import json
import os
import subprocess
import sys
import urllib.request

import plivo
import plivo.rest.client
from plivo import exceptions

simulator = subprocess.Popen(
    [os.environ["PLIVO_SIMULATOR"], "--listen", "127.0.0.1:0", "--max-attempts", "3"],
    stdout=subprocess.PIPE,
    text=True,
)
base_url = simulator.stdout.readline().split()[-1]
plivo.rest.client.PLIVO_API_BASE_URI = base_url + "/v1/Account"
ID, TOKEN = "MASIMULATORXXXXXXXXX", "simulator_auth_token"
sessions = plivo.RestClient(ID, TOKEN).verify_session
failures = 0


def check(name, holds, seen=""):
    global failures
    print(("ok " if holds else "FAILED ") + name, "" if holds else seen)
    failures += not holds


def raises(name, error, call):
    try:
        call()
        check(name, False, "raised nothing")
    except Exception as raised:
        check(name, type(raised) is error, repr(raised))


def otp(recipient):
    with urllib.request.urlopen(f"{base_url}/_messages?recipient={recipient}") as answer:
        return json.load(answer)[0]["otp"]


try:
    created = sessions.create(recipient="+14155550123")
    check("create", created.message == "Session initiated" and len(created.session_uuid) == 36)
    again = sessions.create(recipient="14155550123", channel="voice", brand_name="Acme", locale="en_US")
    check("create again is the same session", again.session_uuid == created.session_uuid)
    raises("wrong code", exceptions.ValidationError,
           lambda: sessions.validate(session_uuid=created.session_uuid, otp="x"))
    validated = sessions.validate(session_uuid=created.session_uuid, otp=otp("14155550123"))
    check("validate", validated.message == "session validated successfully.")
    raises("validate twice", exceptions.ValidationError,
           lambda: sessions.validate(session_uuid=created.session_uuid, otp=otp("14155550123")))
    seen = sessions.get(created.session_uuid)
    check("retrieve", seen.status == "verified" and seen.recipient == "14155550123" and seen.count == 2)
    check("retrieve has its charges", seen.charges["total_charge"] == "0.01900", seen.charges)
    listed = sessions.list(limit=1, offset=0)
    check("list", [one.session_uuid for one in listed] == [created.session_uuid], listed)
    check("list by status", len(sessions.list(status="expired")) == 0)
    check("list by time", len(sessions.list(session_time__gte="2020-01-01 00:00")) == 1)
    custom = sessions.create(recipient="+14155550124", otp="246810")
    check("custom code", sessions.validate(session_uuid=custom.session_uuid, otp="246810") is not None)

    raises("unknown session", exceptions.ResourceNotFoundError,
           lambda: sessions.get("8e712097-8090-4644-81e7-8f4265d8354e"))
    raises("bad recipient", exceptions.ValidationError, lambda: sessions.create(recipient="0000"))
    raises("bad length", exceptions.ValidationError,
           lambda: sessions.create(recipient="+14155550125", code_length=3))
    raises("no credit", exceptions.ValidationError, lambda: sessions.create(recipient="+14155550190"))
    raises("country refused", exceptions.GeoPermissionError, lambda: sessions.create(recipient="+14155550194"))
    raises("throttled", exceptions.PlivoRestError, lambda: sessions.create(recipient="+14155550195"))
    raises("server error", exceptions.PlivoServerError, lambda: sessions.create(recipient="+14155550196"))
    raises("wrong token", exceptions.AuthenticationError,
           lambda: plivo.RestClient(ID, "wrong").verify_session.create(recipient="+14155550123"))
    for _ in range(3):
        sessions.create(recipient="+14155550126")
    raises("too many attempts", exceptions.ValidationError, lambda: sessions.create(recipient="+14155550126"))
finally:
    simulator.kill()
sys.exit(failures > 0)
