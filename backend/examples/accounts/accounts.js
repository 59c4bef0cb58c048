// Requests and checks the code through this application's own server, and submits the
// proof to it: the server trusts nothing else.

const form = document.getElementById("verify");
const say = (text) => { document.getElementById("status").textContent = text; };
let session;
// The idempotency key of each code: if the answer to a check is lost, pressing the
// button again fetches it instead of reporting that the code was used.
const keys = new Map();

async function call(path, body, key) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key && { "idempotency-key": key }) },
    body: JSON.stringify(body),
  });
  const read = await answer.json();
  if (!answer.ok) throw new Error(read.message);
  return read;
}

function button(id, act) {
  const element = document.getElementById(id);
  element.addEventListener("click", async () => {
    element.disabled = true;
    try {
      await act(element);
    } catch (error) {
      say(error.message);
    } finally {
      element.disabled = false;
    }
  });
}

button("send", async (send) => {
  const sent = await call("/code/send", {});
  session = sent.session_uuid;
  send.hidden = true;
  document.getElementById("check").hidden = false;
  const otp = document.getElementById("otp");
  otp.parentElement.hidden = false;
  otp.focus();
  say("The code is on its way.");
});

button("check", async () => {
  const otp = document.getElementById("otp").value.trim();
  if (!keys.has(otp)) keys.set(otp, crypto.randomUUID());
  const answer = await call("/code/verify", { session_uuid: session, otp }, keys.get(otp));
  form.elements.proof.value = answer.proof;
  form.submit();
});
