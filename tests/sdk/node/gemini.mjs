// What a caller does with Gemini's own API, whoever serves it. See journey.rs for the models.
import { all, facts, installed, left, ok, raises, run, same, z } from "./checks.mjs";

const { ApiError, GoogleGenAI } = installed("@google/genai");

const client = new GoogleGenAI({ httpOptions: { timeout: 15_000 } });
const string = { type: "string" };
const tools = [
  {
    functionDeclarations: [
      ["weather", { type: "object", properties: { city: string }, required: ["city"] }],
      ["time", { type: "object", properties: { zone: string } }],
    ].map(([name, parametersJsonSchema]) => ({ name, description: name, parametersJsonSchema })),
  },
];
const CALLS = [["weather", { city: "Paris" }], ["time", { zone: "CET" }]];
const Person = z.object({ name: z.string(), age: z.number() });
const asking = (model, config = {}, contents = "hi, no json") => ({ model, contents, config });
const generate = (...asked) => client.models.generateContent(asking(...asked));
const streaming = (...asked) => client.models.generateContentStream(asking(...asked));

async function refused(status, call) {
  const error = await raises(ApiError, call);
  same(error.status, status);
  const { code, message, status: word } = JSON.parse(error.message).error;
  ok(message && word, error.message);
  same(code, status);
  return message;
}

const parts = (chunks) => chunks.flatMap((c) => c.candidates?.[0].content?.parts ?? []);
const read = (parts) => parts.flatMap((p) => (p.functionCall ? [[p.functionCall.name, p.functionCall.args]] : []));

function answered(content) {
  const calls = content.parts.flatMap((p) => p.functionCall ?? []);
  const result = ({ id, name }) => ({ functionResponse: { id, name, response: { sky: "blue" } } });
  return [{ role: "user", parts: [{ text: "hi" }] }, content, { role: "user", parts: calls.map(result) }];
}

await run({
  async content_is_generated() {
    const config = { systemInstruction: "be brief", temperature: 0, stopSequences: ["END"], maxOutputTokens: 50 };
    const reply = await generate("text", config);
    same([reply.text, reply.candidates[0].finishReason, reply.modelVersion], ["Hello wörld", "STOP", "text"]);
    const { promptTokenCount, candidatesTokenCount, totalTokenCount, cachedContentTokenCount } = reply.usageMetadata;
    same([promptTokenCount, candidatesTokenCount, totalTokenCount, cachedContentTokenCount], [12, 3, 15, 8]);
    ok(reply.responseId);
  },

  async a_stream_brings_the_text_in_pieces() {
    const chunks = await all(await streaming("text"));
    same(chunks.map((c) => c.text).filter(Boolean), ["Hel", "lo ", "wörld"]);
    same(chunks.map((c) => c.candidates?.[0].finishReason).filter(Boolean), ["STOP"]);
    same(chunks.at(-1).usageMetadata.totalTokenCount, 15);
  },

  async a_chat_remembers_its_turns() {
    const chat = client.chats.create({ model: "text" });
    same((await chat.sendMessage({ message: "hi" })).text, "Hello wörld");
    const chunks = await all(await chat.sendMessageStream({ message: "and?" }));
    same(chunks.map((c) => c.text ?? "").join(""), "Hello wörld");
    same(chat.getHistory(true).map((c) => c.role).slice(0, 3), ["user", "model", "user"]);
  },

  async thoughts_come_before_the_text() {
    const config = { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 }, maxOutputTokens: 2000 };
    const said = (parts) => parts.map((p) => [Boolean(p.thought), p.text]);
    const whole = await generate("thinking", config);
    same(said(parts([whole])), [[true, "Let me think."], [false, "Hello wörld"]]);
    const pieces = said(parts(await all(await streaming("thinking", config))));
    // A signature comes with a thought of no words.
    same(pieces.flatMap(([thought, text]) => (thought && text ? [text] : [])), ["Let me ", "think."]);
    same(pieces.map(([thought, text]) => (thought ? "" : text)).join(""), "Hello wörld");
  },

  async a_tool_is_called_and_answered() {
    const { content } = (await generate("tool", { tools })).candidates[0];
    same(read(content.parts), CALLS.slice(0, 1));
    same((await generate("text", { tools }, answered(content))).text, "Hello wörld");
  },

  async two_tools_are_called_in_a_stream_and_answered() {
    const called = parts(await all(await streaming("two-tools", { tools }))).filter((p) => p.functionCall);
    same(read(called), CALLS);
    const stream = await streaming("loop", { tools }, answered({ role: "model", parts: called }));
    same((await all(stream)).map((c) => c.text ?? "").join(""), "Hello wörld");
  },

  async structured_output_is_a_json_text() {
    const config = { responseMimeType: "application/json", responseJsonSchema: z.toJSONSchema(Person) };
    same(Person.parse(JSON.parse((await generate("structured", config)).text)), { name: "Ada", age: 36 });
  },

  async every_refusal_has_its_status() {
    for (const [model, status] of Object.entries(facts.refusals)) {
      for (const call of [generate, streaming]) {
        const message = await refused(status, () => call(model));
        if (status < 500) ok(message.includes(model), message);
      }
    }
  },

  async a_wrong_key_is_refused() {
    const wrong = new GoogleGenAI({ apiKey: "sk-wrong" });
    // Gemini itself says 400 to a wrong key, the gateway 401.
    await refused(facts.direct ? 400 : 401, () => wrong.models.generateContent(asking("text")));
  },

  async a_stream_that_fails_midway_raises_after_its_text() {
    const texts = [];
    await raises(ApiError, async () => {
      for await (const chunk of await streaming("fails-midway")) texts.push(chunk.text);
    });
    same(texts.filter(Boolean), ["Hel"]);
  },

  async aborting_a_stream_cancels_it() {
    const leaving = new AbortController();
    for await (const chunk of await streaming("stalls", { abortSignal: leaving.signal })) {
      if (chunk.text === "Hel") break;
    }
    leaving.abort();
    await left("stalls");
  },

  async a_timeout_cancels_the_call() {
    try {
      await generate("never", { httpOptions: { timeout: 500 } });
      ok(false, "it was answered");
    } catch (error) {
      ok(/abort/i.test(`${error}`), `${error}`);
    }
    await left("never");
  },
});
