"""The sample of a client with types: generated, checked by TypeScript's own compiler, and run."""

import json
import subprocess

from programs import HOME
from report import check

OPTIONS = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "module": "nodenext",
        "target": "es2022",
        "types": ["node"],
        "outDir": "built",
    },
    "files": ["client.ts"],
}
# Fails where a field that the contract does not have is no error.
MISUSED = """
export function misused() {
  // @ts-expect-error
  return countersign.POST("/api/otp/verify", { body: { session: "", otp: "" } });
}
"""


def check_client(sample, environment, send, newest_code):
    home = HOME / "client"
    home.mkdir(exist_ok=True)
    (home / "package.json").write_text('{"private": true, "type": "module"}')
    (home / "tsconfig.json").write_text(json.dumps(OPTIONS))

    def run(*command):
        return subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=120
        )

    binaries = HOME / "node_modules/.bin"
    contract = f"{environment['COUNTERSIGN_URL']}/api/openapi.json"
    made = run(binaries / "openapi-typescript", contract, "-o", "countersign.d.ts")
    check("a client's types are generated", made.returncode == 0, made.stdout + made.stderr)
    (home / "client.ts").write_text(sample + MISUSED)
    ran = run(binaries / "tsc")
    check("the client's types hold", ran.returncode == 0, ran.stdout + ran.stderr)

    number = "+14155550137"
    session = send(number)
    for otp, said in (("000000", "error: otp_incorrect"), (newest_code(number), number)):
        script = f"""
            import {{ verify }} from "./built/client.js";
            const [session, otp] = {json.dumps([session, otp])};
            console.log(await verify(session, otp).catch(String));
        """
        ran = run("node", "--input-type=module", "--eval", script)
        check(f"the client hears {said}", said in ran.stdout.lower(), ran.stdout + ran.stderr)
