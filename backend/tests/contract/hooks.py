"""Lets schemathesis get past the doors that made-up values do not open: some of
its checks have the right code, as the pretend phone received it."""

import json
import urllib.parse
import urllib.request

import schemathesis

recipients = {}


def operation(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.hook
def after_call(context, case, response):
    if operation(case) == "send" and response.status_code == 200:
        sent = response.json()
        recipients[sent["session_uuid"]] = sent["recipient"]


@schemathesis.hook
def before_call(context, case, kwargs):
    if operation(case) != "verify" or not isinstance(case.body, dict):
        return
    session = case.body.get("session_uuid")
    recipient = recipients.get(session) if isinstance(session, str) else None
    # Half of the sessions; which of them, chance has decided with their names.
    if recipient is None or session[-1] > "7":
        return
    query = urllib.parse.urlencode({"recipient": recipient})
    with urllib.request.urlopen(f"{case.operation.base_url.rstrip('/')}/sandbox/messages?{query}") as answer:
        messages = json.load(answer)
    if messages:
        case.body["otp"] = messages[0]["otp"]
