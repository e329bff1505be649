// What an OpenAI caller can do at a provider that speaks Messages. See journey/messages.rs for the models.
import { all, OpenAI, ok, raises, run, same } from "./checks.mjs";

const client = new OpenAI({ maxRetries: 0, timeout: 15_000 });
const chat = client.chat.completions;
const messages = [{ role: "system", content: "be brief" }, { role: "user", content: "hi" }];
const tools = ["weather", "time"].map((name) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: {} } },
}));

await run({
  async a_chat_is_answered() {
    const asked = { model: "text", messages, temperature: 0, stop: "END", max_completion_tokens: 50 };
    const { choices, usage, model } = await chat.create(asked);
    same([choices[0].message.content, choices[0].finish_reason, model], ["Hello wörld", "stop", "text"]);
    same([usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens], [12, 3, 8]);
  },

  async a_stream_brings_the_text_and_usage_last_when_asked() {
    const asked = { model: "text", messages, stream: true };
    const chunks = await all(await chat.create({ ...asked, stream_options: { include_usage: true } }));
    const texts = chunks.map((c) => c.choices[0]?.delta.content).filter(Boolean);
    same(texts, ["Hel", "lo ", "wörld"]);
    same([chunks.at(-1).choices, chunks.at(-1).usage.total_tokens], [[], 15]);
    const without = await all(await chat.create(asked));
    ok(without.every((c) => c.usage == null));
    same(without.at(-1).choices[0].finish_reason, "stop");
  },

  async a_tool_is_called_and_answered() {
    const asked = await chat.create({ model: "tool", messages, tools, tool_choice: "auto" });
    const { message, finish_reason } = asked.choices[0];
    same(finish_reason, "tool_calls");
    const [call] = message.tool_calls;
    same([call.id, call.function.name, JSON.parse(call.function.arguments)], ["call_1", "weather", { city: "Paris" }]);
    const result = { role: "tool", tool_call_id: call.id, content: '{"sky":"blue"}' };
    const reply = await chat.create({ model: "text", messages: [...messages, message, result], tools });
    same(reply.choices[0].message.content, "Hello wörld");
  },

  async two_tools_are_called_in_a_stream() {
    const reply = await chat.stream({ model: "two-tools", messages, tools }).finalChatCompletion();
    const calls = reply.choices[0].message.tool_calls;
    const read = calls.map((c) => [c.id, c.function.name, JSON.parse(c.function.arguments)]);
    same(read, [["call_1", "weather", { city: "Paris" }], ["call_2", "time", {}]]);
  },

  async every_refusal_has_its_class() {
    const table = {
      "bad-400": OpenAI.BadRequestError,
      "key-401": OpenAI.AuthenticationError,
      "forbidden-403": OpenAI.PermissionDeniedError,
      "missing-404": OpenAI.NotFoundError,
      "limited-429": OpenAI.RateLimitError,
      "broken-500": OpenAI.InternalServerError,
    };
    for (const [model, kind] of Object.entries(table)) {
      for (const stream of [false, true]) {
        const error = await raises(kind, () => chat.create({ model, messages, stream }));
        ok(error.requestID, `${model} has no request id`);
        ok(error.error.message, `${model} has no message`);
      }
    }
  },

  async a_stream_that_fails_midway_raises_after_its_text() {
    const texts = [];
    await raises(OpenAI.APIError, async () => {
      for await (const chunk of await chat.create({ model: "fails-midway", messages, stream: true })) {
        texts.push(chunk.choices[0].delta.content);
      }
    });
    same(texts.filter(Boolean), ["Hel"]);
  },
});
