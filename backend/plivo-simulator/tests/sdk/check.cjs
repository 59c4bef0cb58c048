// Plivo's official Node SDK, unmodified, against the simulator.
//
// PLIVO_SIMULATOR names the program. One line per check: "ok …" or "FAILED …".
const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");
const plivo = require("plivo");

const id = "MASIMULATORXXXXXXXXX";
let failures = 0;

function check(name, holds, seen = "") {
  console.log(holds ? `ok ${name}` : `FAILED ${name} ${seen}`);
  failures += holds ? 0 : 1;
}

async function rejects(name, call, holds) {
  try {
    await call();
    check(name, false, "was not rejected");
  } catch (error) {
    check(name, holds(error), `${error.status} ${error.message}`);
  }
}

async function run(baseUrl) {
  const client = (token) =>
    new plivo.Client(id, token, { url: `${baseUrl}/v1/Account/${id}`, timeout: 5000 });
  const sessions = client("simulator_auth_token").verify_session;
  const otp = async (recipient) => {
    const answer = await fetch(`${baseUrl}/_messages?recipient=${recipient}`);
    return (await answer.json())[0].otp;
  };

  const created = await sessions.create({ recipient: "+14155550123" });
  check("create", created.message === "Session initiated" && created.sessionUuid.length === 36);
  const again = await sessions.create({ recipient: "14155550123", channel: "whatsapp" });
  check("create again is the same session", again.sessionUuid === created.sessionUuid);
  const status = (expected) => (error) => error.status === expected;
  await rejects("wrong code", () => sessions.validate({ id: created.sessionUuid, otp: "x" }), status(400));
  const code = await otp("14155550123");
  const validated = await sessions.validate({ id: created.sessionUuid, otp: code });
  check("validate", validated.message === "session validated successfully.", JSON.stringify(validated));
  const seen = await sessions.get(created.sessionUuid);
  check("retrieve", seen.status === "verified" && seen.count === 2, JSON.stringify(seen));
  const listed = await sessions.list({ limit: 1, offset: 0 });
  check("list", JSON.stringify(listed).includes(created.sessionUuid), JSON.stringify(listed));
  check("list without parameters", JSON.stringify(await sessions.list()).includes(created.sessionUuid));

  const create = (recipient) => () => sessions.create({ recipient });
  await rejects("unknown session", () => sessions.get("8e712097-8090-4644-81e7-8f4265d8354e"), status(404));
  await rejects("bad recipient", create("0000"), status(400));
  await rejects("country refused", create("+14155550194"), status(403));
  // This SDK has no words for 429: a plain error without a status.
  await rejects("throttled", create("+14155550195"), (error) => error.status === undefined);
  await rejects("server error", create("+14155550196"), status(500));
  await rejects("wrong token", () => client("wrong").verify_session.create({ recipient: "+14155550123" }), status(401));
}

const simulator = spawn(process.env.PLIVO_SIMULATOR, ["--listen", "127.0.0.1:0"], {
  stdio: ["ignore", "pipe", "inherit"],
});
createInterface({ input: simulator.stdout }).once("line", async (line) => {
  try {
    await run(line.split(" ").pop());
  } catch (error) {
    check("no surprise", false, error.stack);
  }
  simulator.kill();
  process.exitCode = failures > 0 ? 1 : 0;
});
