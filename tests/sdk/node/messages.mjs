// What a caller does with the Messages dialect, whoever serves it. See journey/messages.rs for the models.
import { all, Anthropic, ok, raises, run, same } from "./checks.mjs";

const client = new Anthropic({ maxRetries: 0, timeout: 15_000 });
const messages = [{ role: "user", content: "hi" }];
const tools = ["weather", "time"].map((name) => ({
  name,
  description: name,
  input_schema: { type: "object", properties: {} },
}));
const asking = (model, more = {}) => ({ model, messages, max_tokens: 100, ...more });
const create = (model, more, options) => client.messages.create(asking(model, more), options);

await run({
  async a_message_is_answered() {
    const reply = await create("text", { system: "be brief", temperature: 0, stop_sequences: ["END"] });
    same(reply.content.map((b) => [b.type, b.text]), [["text", "Hello wörld"]]);
    same([reply.type, reply.role, reply.model, reply.stop_reason], ["message", "assistant", "text", "end_turn"]);
    const { input_tokens, cache_read_input_tokens, output_tokens } = reply.usage;
    same([input_tokens, cache_read_input_tokens, output_tokens], [4, 8, 3]);
    ok(reply.id && reply._request_id);
  },

  async a_stream_brings_the_text_in_pieces() {
    const texts = [];
    const stream = client.messages.stream(asking("text")).on("text", (text) => texts.push(text));
    const final = await stream.finalMessage();
    same(texts, ["Hel", "lo ", "wörld"]);
    same([final.content[0].text, final.stop_reason, final.model], ["Hello wörld", "end_turn", "text"]);
    same(final.usage.output_tokens, 3);
  },

  async raw_events_come_in_their_order() {
    const kinds = (await all(await create("text", { stream: true }))).map((e) => e.type).filter((t) => t !== "ping");
    const block = ["content_block_start", ...Array(3).fill("content_block_delta"), "content_block_stop"];
    same(kinds, ["message_start", ...block, "message_delta", "message_stop"]);
  },

  async a_tool_is_called_and_answered() {
    const asked = await create("tool", { tools, tool_choice: { type: "auto" } });
    same(asked.stop_reason, "tool_use");
    const [call] = asked.content;
    same([call.type, call.id, call.name, call.input], ["tool_use", "call_1", "weather", { city: "Paris" }]);
    const result = { type: "tool_result", tool_use_id: call.id, content: '{"sky":"blue"}' };
    const turns = [...messages, { role: "assistant", content: asked.content }, { role: "user", content: [result] }];
    same((await create("text", { messages: turns, tools })).content[0].text, "Hello wörld");
  },

  async two_tools_are_called_in_a_stream() {
    const final = await client.messages.stream(asking("two-tools", { tools })).finalMessage();
    const calls = final.content.map((c) => [c.id, c.name, c.input]);
    same(calls, [["call_1", "weather", { city: "Paris" }], ["call_2", "time", {}]]);
    same(final.stop_reason, "tool_use");
  },

  async every_refusal_has_its_class() {
    const table = {
      "bad-400": Anthropic.BadRequestError,
      "key-401": Anthropic.AuthenticationError,
      "forbidden-403": Anthropic.PermissionDeniedError,
      "missing-404": Anthropic.NotFoundError,
      "limited-429": Anthropic.RateLimitError,
      "broken-500": Anthropic.InternalServerError,
    };
    for (const [model, kind] of Object.entries(table)) {
      for (const stream of [false, true]) {
        const error = await raises(kind, () => create(model, { stream }));
        ok(error.requestID, `${model} has no request id`);
        same(error.error.type, "error");
        ok(error.error.error.message, `${model} has no message`);
        if (kind === Anthropic.RateLimitError) same(error.headers.get("retry-after"), "7");
      }
    }
  },

  async a_wrong_key_is_an_authentication_error() {
    const wrong = client.withOptions({ apiKey: "sk-wrong" });
    const error = await raises(Anthropic.AuthenticationError, () => wrong.messages.create(asking("text")));
    ok(error.requestID);
    same(error.error.error.type, "authentication_error");
  },

  async no_messages_are_a_bad_request() {
    await raises(Anthropic.BadRequestError, () => create("text", { messages: [] }));
  },

  async a_stream_that_fails_midway_raises_after_its_text() {
    const texts = [];
    await raises(Anthropic.APIError, async () => {
      for await (const event of await create("fails-midway", { stream: true })) {
        if (event.delta?.text) texts.push(event.delta.text);
      }
    });
    same(texts, ["Hel"]);
  },

  async a_provider_that_never_answers_is_a_timeout() {
    await raises(Anthropic.APIConnectionTimeoutError, () => create("never", {}, { timeout: 300 }));
  },
});
