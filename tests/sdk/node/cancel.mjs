// A caller who leaves: in the middle of a stream, and before any answer.
import { OpenAI, raises, run, same, wait } from "./checks.mjs";

const client = new OpenAI({ maxRetries: 0, timeout: 15_000 });
const messages = [{ role: "user", content: "hi" }];

await run({
  async aborting_a_stream_cancels_it() {
    const stream = await client.chat.completions.create({ model: "stalls", messages, stream: true });
    const texts = [];
    for await (const chunk of stream) {
      texts.push(chunk.choices[0].delta.content);
      if (texts.length === 2) break;
    }
    same(texts, ["", "Hel"]);
    await wait("stream closed");
  },

  async a_timeout_cancels_the_call() {
    const asked = client.chat.completions.create({ model: "never", messages }, { timeout: 500 });
    await raises(OpenAI.APIConnectionTimeoutError, () => asked);
    await wait("timed out");
  },
});
