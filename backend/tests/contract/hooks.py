"""Hooks for Schemathesis, which cannot guess a code: some of its checks get the right
one, read from the pretend phone. Also replaces the numbers for which the simulator
imitates a failure of Plivo (docs/simulator.md), because that is not an error of the
service.
"""

import json
import urllib.parse
import urllib.request

import schemathesis

recipients = {}


def operation(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.hook
def after_call(context, case, response):
    if operation(case) == "send_otp" and response.status_code == 200:
        sent = response.json()
        recipients[sent["session_uuid"]] = sent["recipient"]


def steered_away(recipient):
    """Changes the last two digits of the number if they are 80 to 99."""
    places = [place for place, letter in enumerate(recipient) if letter in "0123456789"]
    if len(places) < 2 or recipient[places[-2]] + recipient[places[-1]] < "80":
        return recipient
    return recipient[: places[-2]] + "2" + recipient[places[-2] + 1 :]


@schemathesis.hook
def before_call(context, case, kwargs):
    if not isinstance(case.body, dict):
        return
    recipient = case.body.get("recipient")
    if operation(case) == "send_otp" and isinstance(recipient, str):
        case.body["recipient"] = steered_away(recipient)
    if operation(case) == "verify_otp":
        try_the_right_code(case)


def try_the_right_code(case):
    session = case.body.get("session_uuid")
    recipient = recipients.get(session) if isinstance(session, str) else None
    # Half of the sessions, chosen by the last digit of their random ids.
    if recipient is None or session[-1] > "7":
        return
    query = urllib.parse.urlencode({"recipient": recipient})
    with urllib.request.urlopen(f"{case.operation.base_url.rstrip('/')}/sandbox/messages?{query}") as answer:
        messages = json.load(answer)
    if messages:
        case.body["otp"] = messages[0]["otp"]
