// What a caller does with messages, whoever serves it. See journey.rs for the models.
import { all, facts, ids, installed, left, ok, raises, run, same, z } from "./checks.mjs";

const { Anthropic } = installed("@anthropic-ai/sdk");
const { zodOutputFormat } = installed("@anthropic-ai/sdk/helpers/zod");
const { betaZodTool } = installed("@anthropic-ai/sdk/helpers/beta/zod");

const client = new Anthropic({ maxRetries: 0, timeout: 15_000 });
const messages = [{ role: "user", content: "hi, no json" }];
const string = { type: "string" };
const tools = [
  ["weather", { type: "object", properties: { city: string }, required: ["city"] }],
  ["time", { type: "object", properties: { zone: string } }],
].map(([name, input_schema]) => ({ name, description: name, input_schema }));
const CALLS = [["weather", { city: "Paris" }], ["time", { zone: "CET" }]];
const KINDS = {
  400: Anthropic.BadRequestError,
  401: Anthropic.AuthenticationError,
  402: Anthropic.PaymentRequiredError,
  403: Anthropic.PermissionDeniedError,
  404: Anthropic.NotFoundError,
  409: Anthropic.ConflictError,
  422: Anthropic.UnprocessableEntityError,
  429: Anthropic.RateLimitError,
  529: Anthropic.OverloadedError,
};
const asking = (model, more = {}) => ({ model, messages, max_tokens: 2000, ...more });
const create = (model, more, options) => client.messages.create(asking(model, more), options);

async function refused(status, call) {
  const error = await raises(KINDS[status] ?? Anthropic.InternalServerError, call);
  same([error.status, error.error.type], [status, "error"]);
  ok(error.requestID, "no request id");
  ok(error.error.error.message, "no message");
  return error;
}

const calls = (message) => message.content.filter((b) => b.type === "tool_use");
const read = (message) => calls(message).map((c) => [c.name, c.input]);

function answered(message) {
  const result = (call) => ({ type: "tool_result", tool_use_id: call.id, content: '{"sky":"blue"}' });
  const results = { role: "user", content: calls(message).map(result) };
  return [...messages, { role: "assistant", content: message.content }, results];
}

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
    same([final.usage.input_tokens, final.usage.cache_read_input_tokens, final.usage.output_tokens], [4, 8, 3]);
  },

  async raw_events_come_in_their_order() {
    const kinds = (await all(await create("text", { stream: true }))).map((e) => e.type).filter((t) => t !== "ping");
    const block = ["content_block_start", ...Array(3).fill("content_block_delta"), "content_block_stop"];
    same(kinds, ["message_start", ...block, "message_delta", "message_stop"]);
  },

  async thoughts_come_before_the_text() {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    const reply = await create("thinking", { thinking });
    same(reply.content.map((b) => b.thinking ?? b.text), ["Let me think.", "Hello wörld"]);
    const thoughts = [];
    const stream = client.messages.stream(asking("thinking", { thinking })).on("thinking", (t) => thoughts.push(t));
    const { content } = await stream.finalMessage();
    same([thoughts, content.map((b) => b.type)], [["Let me ", "think."], ["thinking", "text"]]);
    const turns = [...messages, { role: "assistant", content }, { role: "user", content: "and?" }];
    same((await create("text", { messages: turns })).content.at(-1).text, "Hello wörld");
  },

  async a_tool_is_called_and_answered() {
    const asked = await create("tool", { tools, tool_choice: { type: "auto" } });
    same([asked.stop_reason, read(asked)], ["tool_use", CALLS.slice(0, 1)]);
    ids(calls(asked).map((c) => c.id), ["call_1"]);
    same((await create("text", { messages: answered(asked), tools })).content[0].text, "Hello wörld");
  },

  async two_tools_are_called_in_a_stream_and_answered() {
    const final = await client.messages.stream(asking("two-tools", { tools })).finalMessage();
    same([final.stop_reason, read(final)], ["tool_use", CALLS]);
    ids(calls(final).map((c) => c.id), ["call_1", "call_2"]);
    const stream = client.messages.stream(asking("loop", { messages: answered(final), tools }));
    same(await stream.finalText(), "Hello wörld");
  },

  async the_tool_runner_comes_to_an_end() {
    for (const stream of [false, true]) {
      const asked = [];
      const run = (name) => (input) => asked.push([name, input]) && '{"sky":"blue"}';
      const runnable = [
        betaZodTool({ name: "weather", inputSchema: z.object({ city: z.string() }), description: "w", run: run("weather") }),
        betaZodTool({ name: "time", inputSchema: z.object({ zone: z.string() }), description: "t", run: run("time") }),
      ];
      const runner = client.beta.messages.toolRunner(asking("loop", { tools: runnable, stream }));
      const final = await runner.runUntilDone();
      same([final.content[0].text, asked], ["Hello wörld", CALLS]);
    }
  },

  async structured_output_is_parsed() {
    const format = zodOutputFormat(z.object({ name: z.string(), age: z.number() }));
    const asked = asking("structured", { output_config: { format } });
    same((await client.messages.parse(asked)).parsed_output, { name: "Ada", age: 36 });
    same((await client.messages.stream(asked).finalMessage()).parsed_output, { name: "Ada", age: 36 });
  },

  async tokens_are_counted_where_the_provider_counts() {
    const count = () => client.messages.countTokens({ model: "text", messages, tools });
    if (facts.counting !== 200) return await refused(facts.counting, count);
    same((await count()).input_tokens, 12);
  },

  async every_refusal_has_its_class() {
    for (const [model, status] of Object.entries(facts.refusals)) {
      for (const stream of [false, true]) {
        const error = await refused(status, () => create(model, { stream }));
        if (status === 429) same(error.headers.get("retry-after"), "7");
        if (status < 500) ok(error.error.error.message.includes(model), error.message);
      }
    }
  },

  async a_wrong_key_is_an_authentication_error() {
    const wrong = client.withOptions({ apiKey: "sk-wrong" });
    const error = await refused(401, () => wrong.messages.create(asking("text")));
    same(error.error.error.type, "authentication_error");
  },

  async no_messages_are_a_bad_request() {
    await refused(400, () => create("text", { messages: [] }));
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

  async aborting_a_stream_cancels_it() {
    for await (const event of await create("stalls", { stream: true })) {
      if (event.delta?.text === "Hel") break;
    }
    await left("stalls");
  },

  async a_timeout_cancels_the_call() {
    await raises(Anthropic.APIConnectionTimeoutError, () => create("never", {}, { timeout: 500 }));
    await left("never");
  },
});
