// What a caller does with chat completions, whoever serves it. See journey.rs for the models.
import { all, facts, ids, installed, left, ok, raises, run, same, z } from "./checks.mjs";

const { OpenAI } = installed("openai");
const { zodFunction, zodResponseFormat } = installed("openai/helpers/zod");

const client = new OpenAI({ maxRetries: 0, timeout: 15_000 });
const chat = client.chat.completions;
const messages = [{ role: "system", content: "be brief, no json" }, { role: "user", content: "hi" }];
const string = { type: "string" };
const tools = [
  ["weather", { type: "object", properties: { city: string }, required: ["city"] }],
  ["time", { type: "object", properties: { zone: string } }],
].map(([name, parameters]) => ({ type: "function", function: { name, description: name, parameters } }));
const CALLS = [["weather", { city: "Paris" }], ["time", { zone: "CET" }]];
const Person = z.object({ name: z.string(), age: z.number() });
const KINDS = {
  400: OpenAI.BadRequestError,
  401: OpenAI.AuthenticationError,
  402: OpenAI.APIError,
  403: OpenAI.PermissionDeniedError,
  404: OpenAI.NotFoundError,
  409: OpenAI.ConflictError,
  422: OpenAI.UnprocessableEntityError,
  429: OpenAI.RateLimitError,
};

async function refused(status, call) {
  const error = await raises(KINDS[status] ?? OpenAI.InternalServerError, call);
  same(error.status, status);
  ok(error.requestID, "no request id");
  ok(error.error.message, "no message");
  return error;
}

const read = (calls) => calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]);
const results = (calls) => calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: '{"sky":"blue"}' }));

await run({
  async a_chat_is_answered() {
    const asked = { model: "text", messages, temperature: 0, top_p: 0.9, stop: "END", max_completion_tokens: 50 };
    const reply = await chat.create(asked);
    same([reply.choices[0].message.content, reply.choices[0].finish_reason], ["Hello wörld", "stop"]);
    const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } = reply.usage;
    same([prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details.cached_tokens], [12, 3, 15, 8]);
    same([reply.model, reply.object], ["text", "chat.completion"]);
    ok(reply.id && reply._request_id);
  },

  async a_stream_brings_the_text_in_pieces_and_no_usage() {
    const chunks = await all(await chat.create({ model: "text", messages, stream: true }));
    same(chunks.map((c) => c.choices[0].delta.content).filter(Boolean), ["Hel", "lo ", "wörld"]);
    same(chunks.map((c) => c.choices[0].finish_reason).filter(Boolean), ["stop"]);
    ok(chunks.every((c) => c.usage == null));
  },

  async a_stream_brings_usage_last_when_asked() {
    const asked = { model: "text", messages, stream: true, stream_options: { include_usage: true } };
    const chunks = await all(await chat.create(asked));
    same([chunks.at(-1).choices, chunks.at(-1).usage.total_tokens], [[], 15]);
  },

  async the_stream_helper_tells_what_happens() {
    const texts = [];
    const stream = chat.stream({ model: "text", messages }).on("content", (text) => texts.push(text));
    same([await stream.finalContent(), texts], ["Hello wörld", ["Hel", "lo ", "wörld"]]);
  },

  async an_unknown_member_travels_or_is_said_to_be_dropped() {
    const asked = { model: "text", messages, top_secret_knob: { a: [1, 2.5] } };
    const { data, response } = await chat.create(asked).withResponse();
    same(data.choices[0].message.content, "Hello wörld");
    same(response.headers.get("x-aisix-dropped-params"), facts.verbatim ? null : "top_secret_knob");
  },

  async thoughts_come_before_the_text() {
    const asked = { model: "thinking", messages, reasoning_effort: "low" };
    const { message } = (await chat.create(asked)).choices[0];
    same([message.reasoning_content, message.content], ["Let me think.", "Hello wörld"]);
    const deltas = (await all(await chat.create({ ...asked, stream: true }))).map((c) => c.choices[0].delta);
    same(deltas.map((d) => d.reasoning_content).filter(Boolean), ["Let me ", "think."]);
    same(deltas.map((d) => d.content ?? "").join(""), "Hello wörld");
  },

  async a_tool_is_called_and_answered() {
    const asked = await chat.create({ model: "tool", messages, tools, tool_choice: "auto" });
    const { message, finish_reason } = asked.choices[0];
    same([finish_reason, message.content, read(message.tool_calls)], ["tool_calls", null, CALLS.slice(0, 1)]);
    ids(message.tool_calls.map((c) => c.id), ["call_1"]);
    const turns = [...messages, message, ...results(message.tool_calls)];
    same((await chat.create({ model: "text", messages: turns, tools })).choices[0].message.content, "Hello wörld");
  },

  async two_tools_are_called_in_a_stream() {
    const reply = await chat.stream({ model: "two-tools", messages, tools }).finalChatCompletion();
    const calls = reply.choices[0].message.tool_calls;
    same(read(calls), CALLS);
    ids(calls.map((c) => c.id), ["call_1", "call_2"]);
  },

  async the_tool_runner_comes_to_an_end() {
    for (const stream of [false, true]) {
      const asked = [];
      const run = (name, parameters) => ({
        type: "function",
        function: {
          name,
          description: name,
          parameters,
          parse: JSON.parse,
          function: (values) => asked.push([name, values]) && '{"sky":"blue"}',
        },
      });
      const runnable = tools.map((tool) => run(tool.function.name, tool.function.parameters));
      const runner = chat.runTools({ model: "loop", messages, tools: runnable, stream });
      same([await runner.finalContent(), asked], ["Hello wörld", CALLS]);
    }
  },

  async structured_output_is_parsed() {
    const asked = { model: "structured", messages, response_format: zodResponseFormat(Person, "person") };
    same((await chat.parse(asked)).choices[0].message.parsed, { name: "Ada", age: 36 });
    const streamed = await chat.stream(asked).finalChatCompletion();
    same(streamed.choices[0].message.parsed, { name: "Ada", age: 36 });
  },

  async arguments_are_parsed() {
    const weather = zodFunction({ name: "weather", parameters: z.object({ city: z.string() }) });
    const reply = await chat.parse({ model: "tool", messages, tools: [weather] });
    same(reply.choices[0].message.tool_calls[0].function.parsed_arguments, { city: "Paris" });
  },

  async embeddings_come_in_base64_and_in_floats() {
    const embed = async (more = {}) => {
      const reply = await client.embeddings.create({ model: "embed", input: ["a", "b"], ...more });
      return reply.data.map((d) => (typeof d.embedding === "string" ? d.embedding : [...d.embedding]));
    };
    if (facts.embeddings !== 200) return await refused(facts.embeddings, embed);
    same(await embed(), [[0, 0.5, -0.25], [1, 0.5, -0.25]]);
    same(await embed({ encoding_format: "float" }), [[0, 0.5, -0.25], [1, 0.5, -0.25]]);
    same(await embed({ encoding_format: "base64" }), ["AAAAAAAAAD8AAIC+", "AACAPwAAAD8AAIC+"]);
  },

  async legacy_completions_work() {
    const complete = (more = {}) => client.completions.create({ model: "text", prompt: "hi", ...more });
    if (facts.completions !== 200) return await refused(facts.completions, complete);
    same((await complete()).choices[0].text, "Hello wörld");
    const chunks = await all(await complete({ stream: true }));
    same(chunks.map((c) => c.choices[0].text).join(""), "Hello wörld");
  },

  async every_refusal_has_its_class() {
    for (const [model, status] of Object.entries(facts.refusals)) {
      for (const stream of [false, true]) {
        const error = await refused(status, () => chat.create({ model, messages, stream }));
        if (status === 429) same(error.headers.get("retry-after"), facts.retry_after ? "7" : null);
        if (status < 500) ok(error.error.message.includes(model), error.error.message);
      }
    }
  },

  async a_wrong_key_is_an_authentication_error() {
    const wrong = client.withOptions({ apiKey: "sk-wrong" });
    await refused(401, () => wrong.chat.completions.create({ model: "text", messages }));
  },

  async no_messages_are_a_bad_request() {
    await refused(400, () => chat.create({ model: "text", messages: [] }));
  },

  async a_stream_that_fails_midway_raises_after_its_text() {
    const stream = await chat.create({ model: "fails-midway", messages, stream: true });
    const texts = [];
    await raises(OpenAI.APIError, async () => {
      for await (const chunk of stream) texts.push(chunk.choices[0].delta.content);
    });
    same(texts.filter(Boolean), ["Hel"]);
  },

  async aborting_a_stream_cancels_it() {
    for await (const chunk of await chat.create({ model: "stalls", messages, stream: true })) {
      if (chunk.choices[0].delta.content === "Hel") break;
    }
    await left("stalls");
  },

  async a_timeout_cancels_the_call() {
    await raises(OpenAI.APIConnectionTimeoutError, () => chat.create({ model: "never", messages }, { timeout: 500 }));
    await left("never");
  },
});
