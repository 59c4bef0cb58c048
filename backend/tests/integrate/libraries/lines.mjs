// Says of each line whose proof it is.
import { createInterface } from "node:readline";
import { check } from "./check.mjs";

for await (const proof of createInterface({ input: process.stdin })) {
  const claims = await check(proof).catch((error) => ({ phone_number: `refused: ${error.message}` }));
  console.log(claims.phone_number);
}
