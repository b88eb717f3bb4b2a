// Asks with the real flowise-sdk: one JSON request on stdin, on stdout one JSON line for each event or for the reply.
// {"baseUrl", "apiKey", "data": {...}, "stopAfter": n}
import { readFileSync } from "node:fs";
import sdk from "../vendor/flowise-sdk/flowise-sdk.js";

const { baseUrl, apiKey, data, stopAfter } = JSON.parse(readFileSync(0, "utf8"));
const tell = (value) => console.log(JSON.stringify(value));

try {
  const reply = await new sdk.default({ baseUrl, apiKey }).createPrediction(data);
  if (reply[Symbol.asyncIterator]) {
    let count = 0;
    for await (const event of reply) {
      tell(event);
      count += 1;
      if (count === stopAfter) break;
    }
  } else {
    tell({ reply });
  }
} catch (error) {
  tell({ thrown: error.message });
}
process.exit(0);
