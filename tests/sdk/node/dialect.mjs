// What a caller does with the dialect, whoever serves it. See journey.rs for the models.
import { all, OpenAI, ok, raises, run, same, z, zodResponseFormat } from "./checks.mjs";

const client = new OpenAI({ maxRetries: 0, timeout: 15_000 });
const chat = client.chat.completions;
const messages = [{ role: "user", content: "hi" }];
const tools = ["weather", "time"].map((name) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: {} } },
}));
const Person = zodResponseFormat(z.object({ name: z.string(), age: z.number() }), "person");

await run({
  async a_chat_is_answered() {
    const reply = await chat.create({ model: "text", messages, temperature: 0, seed: 0 });
    same(reply.choices[0].message.content, "Hello wörld");
    same(reply.choices[0].finish_reason, "stop");
    same([reply.usage.prompt_tokens, reply.usage.completion_tokens], [12, 3]);
  },

  async a_stream_brings_the_text_in_pieces_and_no_usage() {
    const chunks = await all(await chat.create({ model: "text", messages, stream: true }));
    same(chunks.map((c) => c.choices[0].delta.content), ["", "Hel", "lo ", "wörld", undefined]);
    same(chunks.at(-1).choices[0].finish_reason, "stop");
    ok(chunks.every((c) => c.usage == null));
  },

  async a_stream_brings_usage_last_when_asked() {
    const asked = { model: "text", messages, stream: true, stream_options: { include_usage: true } };
    const chunks = await all(await chat.create(asked));
    same(chunks.at(-1).choices, []);
    same(chunks.at(-1).usage.total_tokens, 15);
  },

  async unknown_members_travel_both_ways() {
    const reply = await chat.create({ model: "thinking", messages, top_secret_knob: { a: [1, 2.5] } });
    same(reply.choices[0].message.reasoning_content, "Let me think.");
    const chunks = await all(await chat.create({ model: "thinking", messages, stream: true }));
    same(chunks.map((c) => c.choices[0].delta.reasoning_content).filter(Boolean), ["Let me ", "think."]);
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
    const calls = reply.choices[0].message.tool_calls.map((c) => [c.id, c.function.name, c.function.arguments]);
    same(calls, [["call_1", "weather", '{"city":"Paris"}'], ["call_2", "time", "{}"]]);
  },

  async structured_output_is_parsed() {
    const asked = { model: "structured", messages, response_format: Person };
    same((await chat.parse(asked)).choices[0].message.parsed, { name: "Ada", age: 36 });
    const streamed = await chat.stream(asked).finalChatCompletion();
    same(streamed.choices[0].message.parsed, { name: "Ada", age: 36 });
  },

  async embeddings_come_in_base64_and_in_floats() {
    const embed = async (more) => {
      const reply = await client.embeddings.create({ model: "embed", input: ["a", "b"], ...more });
      return reply.data.map((d) => (typeof d.embedding === "string" ? d.embedding : [...d.embedding]));
    };
    same(await embed({}), [[0, 0.5, -0.25], [1, 0.5, -0.25]]);
    same(await embed({ encoding_format: "float" }), [[0, 0.5, -0.25], [1, 0.5, -0.25]]);
    same(await embed({ encoding_format: "base64" }), ["AAAAAAAAAD8AAIC+", "AACAPwAAAD8AAIC+"]);
  },

  async legacy_completions_work() {
    const reply = await client.completions.create({ model: "text", prompt: "hi" });
    same(reply.choices[0].text, "Hello wörld");
    const chunks = await all(await client.completions.create({ model: "text", prompt: ["hi"], stream: true }));
    same(chunks.map((c) => c.choices[0].text).join(""), "Hello wörld");
  },

  async every_refusal_has_its_class() {
    const table = {
      "bad-400": OpenAI.BadRequestError,
      "key-401": OpenAI.AuthenticationError,
      "forbidden-403": OpenAI.PermissionDeniedError,
      "missing-404": OpenAI.NotFoundError,
      "conflict-409": OpenAI.ConflictError,
      "invalid-422": OpenAI.UnprocessableEntityError,
      "limited-429": OpenAI.RateLimitError,
      "broken-500": OpenAI.InternalServerError,
    };
    for (const [model, kind] of Object.entries(table)) {
      for (const stream of [false, true]) {
        const error = await raises(kind, () => chat.create({ model, messages, stream }));
        ok(error.requestID, `${model} has no request id`);
        ok(error.error.message, `${model} has no message`);
        if (kind === OpenAI.RateLimitError) same(error.headers.get("retry-after"), "7");
      }
    }
    const error = await raises(OpenAI.BadRequestError, () => client.embeddings.create({ model: "bad-400", input: "a" }));
    same(error.code, "context_length_exceeded");
  },

  async a_wrong_key_is_an_authentication_error() {
    const wrong = client.withOptions({ apiKey: "sk-wrong" });
    const error = await raises(OpenAI.AuthenticationError, () => wrong.chat.completions.create({ model: "text", messages }));
    ok(error.requestID);
  },

  async no_messages_are_a_bad_request() {
    await raises(OpenAI.BadRequestError, () => chat.create({ model: "text", messages: [] }));
  },

  async a_stream_that_fails_midway_raises_after_its_text() {
    const stream = await chat.create({ model: "fails-midway", messages, stream: true });
    const texts = [];
    await raises(OpenAI.APIError, async () => {
      for await (const chunk of stream) texts.push(chunk.choices[0].delta.content);
    });
    same(texts, ["Hel"]);
  },

  async a_provider_that_never_answers_is_a_timeout() {
    const asked = chat.create({ model: "never", messages }, { timeout: 300 });
    await raises(OpenAI.APIConnectionTimeoutError, () => asked);
  },
});
