// What a caller does with responses, whoever serves them. See journey.rs for the models.
import { all, facts, ids, installed, left, ok, raises, run, same, z } from "./checks.mjs";

const { OpenAI } = installed("openai");
const { zodResponsesFunction, zodTextFormat } = installed("openai/helpers/zod");

const client = new OpenAI({ maxRetries: 0, timeout: 15_000 });
const string = { type: "string" };
const tools = [
  ["weather", { type: "object", properties: { city: string }, required: ["city"] }],
  ["time", { type: "object", properties: { zone: string } }],
].map(([name, parameters]) => ({ type: "function", name, description: name, parameters, strict: false }));
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
const asking = (model, more = {}) => ({ model, input: "hi, no json", store: false, ...more });
const create = (model, more, options) => client.responses.create(asking(model, more), options);

async function refused(status, call) {
  const error = await raises(KINDS[status] ?? OpenAI.InternalServerError, call);
  same(error.status, status);
  ok(error.requestID, "no request id");
  ok(error.error.message, "no message");
  return error;
}

const calls = (response) => response.output.filter((item) => item.type === "function_call");
const read = (response) => calls(response).map((c) => [c.name, JSON.parse(c.arguments)]);
const deltas = (events, kind) => events.filter((e) => e.type === `response.${kind}.delta`).map((e) => e.delta);

function answered(response) {
  const result = ({ call_id }) => ({ type: "function_call_output", call_id, output: '{"sky":"blue"}' });
  return [{ role: "user", content: "hi, no json" }, ...response.output, ...calls(response).map(result)];
}

await run({
  async a_response_is_given() {
    const reply = await create("text", { instructions: "be brief", temperature: 0, max_output_tokens: 50 });
    same([reply.output_text, reply.status, reply.model], ["Hello wörld", "completed", "text"]);
    const { input_tokens, output_tokens, total_tokens, input_tokens_details } = reply.usage;
    same([input_tokens, output_tokens, total_tokens, input_tokens_details.cached_tokens], [12, 3, 15, 8]);
    ok(reply.id && reply._request_id);
  },

  async events_come_in_their_order() {
    const events = await all(await create("text", { stream: true }));
    const part = [...Array(3).fill("output_text.delta"), "output_text.done"];
    const item = ["output_item.added", "content_part.added", ...part, "content_part.done", "output_item.done"];
    same(events.map((e) => e.type), ["created", "in_progress", ...item, "completed"].map((kind) => `response.${kind}`));
    same(events.map((e) => e.sequence_number), events.map((_, index) => index));
    same(deltas(events, "output_text"), ["Hel", "lo ", "wörld"]);
    same(events.at(-1).response.usage.total_tokens, 15);
  },

  async the_stream_helper_builds_the_response() {
    const texts = [];
    const stream = client.responses.stream(asking("text")).on("response.output_text.delta", (e) => texts.push(e.delta));
    same([(await stream.finalResponse()).output_text, texts], ["Hello wörld", ["Hel", "lo ", "wörld"]]);
  },

  async thoughts_come_before_the_text() {
    const asked = { reasoning: { effort: "low", summary: "auto" }, include: ["reasoning.encrypted_content"] };
    const reply = await create("thinking", asked);
    same(reply.output.map((item) => item.type), ["reasoning", "message"]);
    same([reply.output[0].summary[0].text, reply.output_text], ["Let me think.", "Hello wörld"]);
    const events = await all(await create("thinking", { ...asked, stream: true }));
    same(deltas(events, "reasoning_summary_text"), ["Let me ", "think."]);
    const turns = [{ role: "user", content: "hi" }, ...reply.output, { role: "user", content: "and?" }];
    same((await create("text", { input: turns })).output_text, "Hello wörld");
  },

  async a_tool_is_called_and_answered() {
    const reply = await create("tool", { tools, tool_choice: "auto" });
    same([reply.output_text, read(reply)], ["", CALLS.slice(0, 1)]);
    ids(calls(reply).map((c) => c.call_id), ["call_1"]);
    same((await create("text", { input: answered(reply), tools })).output_text, "Hello wörld");
  },

  async two_tools_are_called_in_a_stream_and_answered() {
    const final = await client.responses.stream(asking("two-tools", { tools })).finalResponse();
    same(read(final), CALLS);
    ids(calls(final).map((c) => c.call_id), ["call_1", "call_2"]);
    const stream = client.responses.stream(asking("loop", { input: answered(final), tools }));
    same((await stream.finalResponse()).output_text, "Hello wörld");
  },

  async structured_output_is_parsed() {
    const asked = asking("structured", { text: { format: zodTextFormat(Person, "person") } });
    same((await client.responses.parse(asked)).output_parsed, { name: "Ada", age: 36 });
    same((await client.responses.stream(asked).finalResponse()).output_parsed, { name: "Ada", age: 36 });
  },

  async arguments_are_parsed() {
    const weather = zodResponsesFunction({ name: "weather", parameters: z.object({ city: z.string() }) });
    const [call] = (await client.responses.parse(asking("tool", { tools: [weather] }))).output;
    same(call.parsed_arguments, { city: "Paris" });
  },

  async every_refusal_has_its_class() {
    for (const [model, status] of Object.entries(facts.refusals)) {
      for (const stream of [false, true]) {
        const error = await refused(status, () => create(model, { stream }));
        if (status === 429) same(error.headers.get("retry-after"), "7");
        if (status < 500) ok(error.error.message.includes(model), error.error.message);
      }
    }
  },

  async a_wrong_key_is_an_authentication_error() {
    const wrong = client.withOptions({ apiKey: "sk-wrong" });
    await refused(401, () => wrong.responses.create(asking("text")));
  },

  async no_input_is_a_bad_request() {
    await refused(400, () => create("text", { input: [] }));
  },

  async a_stream_that_fails_midway_raises_after_its_text() {
    const texts = [];
    let raised;
    try {
      for await (const event of await create("fails-midway", { stream: true })) {
        if (event.type === "response.output_text.delta") texts.push(event.delta);
        // An error event is an event of this dialect, which the SDK hands on.
        if (event.type === "error") raised = event.message;
      }
    } catch (error) {
      raised = error.message;
    }
    ok(raised, "nothing was raised");
    same(texts, ["Hel"]);
  },

  async aborting_a_stream_cancels_it() {
    for await (const event of await create("stalls", { stream: true })) {
      if (event.delta === "Hel") break;
    }
    await left("stalls");
  },

  async a_timeout_cancels_the_call() {
    await raises(OpenAI.APIConnectionTimeoutError, () => create("never", {}, { timeout: 500 }));
    await left("never");
  },
});
