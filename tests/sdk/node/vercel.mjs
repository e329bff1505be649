// What a caller does with Vercel's `ai`, in the dialect that SDK_SCRIPT names, whoever serves it. See journey.rs
// for the models.
import { all, facts, installed, left, ok, raises, run, same, z } from "./checks.mjs";

const { APICallError, Output, embedMany, generateObject, generateText, isStepCount } = installed("ai");
const { streamObject, streamText, tool } = installed("ai");

const { OPENAI_BASE_URL, ANTHROPIC_BASE_URL, GOOGLE_GEMINI_BASE_URL, SDK_SCRIPT } = process.env;
const { createOpenAI } = installed("@ai-sdk/openai");
const { createAnthropic } = installed("@ai-sdk/anthropic");
const { createGoogle } = installed("@ai-sdk/google");
const OF_OPENAI = (options) => createOpenAI({ baseURL: OPENAI_BASE_URL, ...options });
const PROVIDERS = {
  chat: (options) => OF_OPENAI(options).chat,
  responses: (options) => OF_OPENAI(options),
  messages: (options) => createAnthropic({ baseURL: `${ANTHROPIC_BASE_URL}/v1`, ...options }),
  gemini: (options) => createGoogle({ baseURL: `${GOOGLE_GEMINI_BASE_URL}/v1beta`, ...options }),
};
const apiKey = process.env.OPENAI_API_KEY;
const model = PROVIDERS[SDK_SCRIPT]({ apiKey });

const asking = (name, more = {}) => ({
  model: model(name),
  prompt: "hi, no json",
  maxRetries: 0,
  maxOutputTokens: 2000,
  ...more,
});
const generate = (...asked) => generateText(asking(...asked));
const streaming = (name, more) => streamText(asking(name, { onError() {}, ...more }));
const texts = (parts) => parts.filter((p) => p.type === "text-delta").map((p) => p.text).filter(Boolean);

async function refused(status, call) {
  const error = await raises(APICallError, call);
  same(error.statusCode, status);
  same(error.isRetryable, [408, 409, 429].includes(status) || status >= 500);
  if (!facts.direct) ok(error.responseHeaders["x-aisix-request-id"], "no request id");
  return error;
}

/** Throws the error that a stream brought. */
async function read(stream, parts = []) {
  for await (const part of stream.fullStream) {
    if (part.type === "error") throw part.error;
    parts.push(part);
  }
  return parts;
}

const CALLS = [["weather", { city: "Paris" }], ["time", { zone: "CET" }]];
const schemas = { weather: z.object({ city: z.string() }), time: z.object({ zone: z.string() }) };
const described = ([name, inputSchema]) => [name, tool({ description: name, inputSchema })];
const tools = Object.fromEntries(Object.entries(schemas).map(described));
const called = (calls) => calls.map((c) => [c.toolName, c.input]);

function runnable() {
  const asked = [];
  const execute = (name) => (input) => asked.push([name, input]) && { sky: "blue" };
  const whole = ([name, inputSchema]) => [name, tool({ description: name, inputSchema, execute: execute(name) })];
  return [asked, Object.fromEntries(Object.entries(schemas).map(whole))];
}

const thinking = {
  anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } },
  google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
  openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true },
};
// Of responses, this SDK sends only the names of texts that the server keeps, unless it is told that none are kept.
const kept = facts.verbatim ? {} : { openai: { store: false } };
// Without it, a model that the SDK does not know is asked by a tool.
const structured = { anthropic: { structuredOutputMode: "outputFormat" } };
const Person = z.object({ name: z.string(), age: z.number() });

await run({
  async a_text_is_generated() {
    const reply = await generate("text", { instructions: "be brief", temperature: 0, stopSequences: ["END"] });
    same([reply.text, reply.finishReason], ["Hello wörld", "stop"]);
    const { inputTokens, outputTokens, totalTokens, inputTokenDetails } = reply.usage;
    same([inputTokens, outputTokens, totalTokens, inputTokenDetails.cacheReadTokens], [12, 3, 15, 8]);
    same(reply.response.modelId ?? "text", "text");
  },

  async a_text_is_streamed_in_pieces() {
    const stream = streaming("text");
    same(texts(await read(stream)), ["Hel", "lo ", "wörld"]);
    same([await stream.text, await stream.finishReason], ["Hello wörld", "stop"]);
    const { inputTokens, outputTokens, inputTokenDetails } = await stream.usage;
    same([inputTokens, outputTokens, inputTokenDetails.cacheReadTokens], [12, 3, 8]);
  },

  async thoughts_come_before_the_text() {
    // Of chat completions, this SDK reads no thoughts.
    const thoughts = SDK_SCRIPT === "chat" ? [] : ["Let me ", "think."];
    const whole = await generate("thinking", { providerOptions: thinking });
    same([whole.reasoningText ?? "", whole.text], [thoughts.join(""), "Hello wörld"]);
    const parts = await read(streaming("thinking", { providerOptions: thinking }));
    const told = parts.filter((p) => p.type === "reasoning-delta").map((p) => p.text).filter(Boolean);
    same([told, texts(parts).join("")], [thoughts, "Hello wörld"]);
    const messages = [{ role: "user", content: "hi" }, ...whole.responseMessages, { role: "user", content: "and?" }];
    const more = { prompt: undefined, messages, providerOptions: kept };
    same((await generate("text", more)).text, "Hello wörld");
  },

  async a_tool_is_called() {
    const reply = await generate("tool", { tools });
    same([reply.finishReason, called(reply.toolCalls)], ["tool-calls", CALLS.slice(0, 1)]);
    const forced = await generate("tool", { tools, toolChoice: { type: "tool", toolName: "weather" } });
    same(called(forced.toolCalls), CALLS.slice(0, 1));
  },

  async arguments_are_streamed() {
    const parts = await read(streaming("two-tools", { tools }));
    same(called(parts.filter((p) => p.type === "tool-call")), CALLS);
    const started = parts.filter((p) => p.type === "tool-input-start").map((p) => p.id);
    const pieces = (id) => parts.filter((p) => p.type === "tool-input-delta" && p.id === id).map((p) => p.delta);
    same(started.map((id) => JSON.parse(pieces(id).join(""))), CALLS.map(([, input]) => input));
  },

  async the_tool_loop_comes_to_an_end() {
    const [asked, tools] = runnable();
    const reply = await generate("loop", { tools, stopWhen: isStepCount(5) });
    same([reply.text, reply.steps.length, asked], ["Hello wörld", 2, CALLS]);
  },

  async the_streamed_tool_loop_comes_to_an_end() {
    const [asked, tools] = runnable();
    const stream = streaming("loop", { tools, stopWhen: isStepCount(5) });
    const parts = await read(stream);
    same([texts(parts).join(""), (await stream.steps).length, asked], ["Hello wörld", 2, CALLS]);
  },

  async objects_are_generated() {
    const wanted = { name: "Ada", age: 36 };
    const asked = asking("structured", { schema: Person, providerOptions: structured });
    same((await generateObject(asked)).object, wanted);
    const stream = streamObject({ ...asked, onError() {} });
    ok((await all(stream.partialObjectStream)).length > 0);
    same(await stream.object, wanted);
    const output = Output.object({ schema: Person });
    same((await generate("structured", { output, providerOptions: structured })).output, wanted);
    const { output: streamed } = streaming("structured", { output, providerOptions: structured });
    same(await streamed, wanted);
  },

  async texts_are_embedded() {
    // Anthropic's dialect has no embeddings, and Gemini's are not served.
    if (SDK_SCRIPT !== "chat") return;
    const embed = () => embedMany({ model: OF_OPENAI({ apiKey }).embedding("embed"), values: ["a", "b"], maxRetries: 0 });
    if (facts.embeddings !== 200) return await refused(facts.embeddings, embed);
    same((await embed()).embeddings, [[0, 0.5, -0.25], [1, 0.5, -0.25]]);
  },

  async every_refusal_has_its_status() {
    for (const [name, status] of Object.entries(facts.refusals)) {
      for (const call of [generate, (name) => read(streaming(name))]) {
        const error = await refused(status, () => call(name));
        if (status === 429) same(error.responseHeaders["retry-after"], facts.retry_after ? "7" : undefined);
        if (status < 500) ok(error.message.includes(name), error.message);
      }
    }
  },

  async a_wrong_key_is_refused() {
    const wrong = PROVIDERS[SDK_SCRIPT]({ apiKey: "sk-wrong" })("text");
    // Gemini itself says 400 to a wrong key, the gateway 401.
    await refused(facts.direct && SDK_SCRIPT === "gemini" ? 400 : 401, () => generate("text", { model: wrong }));
  },

  async a_stream_that_fails_midway_raises_after_its_text() {
    const parts = [];
    let raised;
    await read(streaming("fails-midway"), parts).catch((error) => (raised = error));
    ok(raised, "nothing was raised");
    same(texts(parts), ["Hel"]);
  },

  async aborting_a_stream_cancels_it() {
    const leaving = new AbortController();
    for await (const part of streaming("stalls", { abortSignal: leaving.signal }).fullStream) {
      if (part.type === "text-delta" && part.text === "Hel") break;
    }
    leaving.abort();
    await left("stalls");
  },

  async a_timeout_cancels_the_call() {
    const asked = generate("never", { abortSignal: AbortSignal.timeout(500) });
    await asked.then(() => ok(false, "it was answered"), (error) => same(error.name, "TimeoutError"));
    await left("never");
  },
});
