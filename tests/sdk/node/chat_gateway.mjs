// What the gateway itself says to a caller. See journey.rs for its keys and models.
import { all, installed, ok, raises, run, same } from "./checks.mjs";

const { OpenAI } = installed("openai");
const client = new OpenAI({ maxRetries: 0, timeout: 15_000 });
const messages = [{ role: "user", content: "hi" }];
const as = (apiKey) => client.withOptions({ apiKey });
const ask = (model = "text", caller = client, more = {}, options = {}) =>
  caller.chat.completions.create({ model, messages, ...more }, options);

await run({
  async models_are_listed_and_found() {
    const ids = (await all(await client.models.list())).map((m) => m.id);
    same(ids, [...ids].sort());
    ok(["text", "alias", "embed"].every((id) => ids.includes(id)), `${ids}`);
    const model = await client.models.retrieve("alias");
    same([model.id, model.object], ["alias", "model"]);
    same((await client.models.retrieve("alias")).created, model.created);
    await raises(OpenAI.NotFoundError, () => client.models.retrieve("nowhere"));
  },

  async a_caller_sees_only_the_models_it_may_use() {
    same((await all(await as("sk-narrow").models.list())).map((m) => m.id), ["text"]);
    const error = await raises(OpenAI.PermissionDeniedError, () => ask("alias", as("sk-narrow")));
    same(error.type, "permission_denied");
  },

  async an_alias_reaches_its_model() {
    same((await ask("alias")).choices[0].message.content, "Hello wörld");
  },

  async keys_that_do_not_count_are_refused() {
    same((await raises(OpenAI.AuthenticationError, () => ask("text", as("sk-wrong")))).type, "invalid_api_key");
    same((await raises(OpenAI.AuthenticationError, () => ask("text", as("sk-disabled")))).code, "api_key_disabled");
  },

  async an_unknown_model_is_not_found() {
    const error = await raises(OpenAI.NotFoundError, () => ask("nowhere"));
    same(error.type, "model_not_found");
    ok(error.message.includes("nowhere"));
  },

  async a_caller_over_its_limit_is_told_when_to_come_back() {
    await ask("text", as("sk-limited"));
    const error = await raises(OpenAI.RateLimitError, () => ask("text", as("sk-limited")));
    same(error.type, "rate_limit_exceeded");
    const seconds = Number(error.headers.get("retry-after"));
    ok(seconds > 0 && seconds <= 86_400, `${seconds}`);
  },

  async every_answer_has_a_request_id() {
    const ids = [(await ask())._request_id, (await ask())._request_id];
    ok(ids[0] && ids[1] && ids[0] !== ids[1], `${ids}`);
    const headers = { "x-aisix-request-id": "my-own-id" };
    const { response, request_id } = await ask("text", client, {}, { headers }).withResponse();
    same([request_id, response.headers.get("x-aisix-request-id")], ["my-own-id", "my-own-id"]);
    ok(response.headers.get("server").startsWith("AISIX/"));
    const error = await raises(OpenAI.NotFoundError, () => ask("nowhere", client, {}, { headers }));
    same(error.requestID, "my-own-id");
  },

  async a_slow_provider_is_a_gateway_timeout() {
    const error = await raises(OpenAI.InternalServerError, () => ask("slow"));
    same([error.status, error.type], [504, "timeout"]);
  },

  async a_broken_provider_is_a_bad_gateway_without_its_words() {
    const error = await raises(OpenAI.InternalServerError, () => ask("broken-500"));
    same([error.status, error.type], [502, "upstream_error"]);
    ok(!error.message.includes("broken-500"));
  },

  async a_stream_cut_by_the_provider_is_an_error_and_not_an_end() {
    const stream = await ask("cut-midway", client, { stream: true });
    const texts = [];
    await raises(OpenAI.APIError, async () => {
      for await (const chunk of stream) texts.push(chunk.choices[0].delta.content);
    });
    same(texts, ["", "Hel"]);
  },
});
