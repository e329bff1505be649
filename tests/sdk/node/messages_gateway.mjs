// What the gateway itself says in the Messages dialect. See journey.rs.
import { installed, ok, raises, run, same } from "./checks.mjs";

const { Anthropic } = installed("@anthropic-ai/sdk");
const client = new Anthropic({ maxRetries: 0, timeout: 15_000 });
const messages = [{ role: "user", content: "hi" }];
const as = (apiKey) => client.withOptions({ apiKey });
const ask = (model = "text", caller = client, more = {}, options = {}) =>
  caller.messages.create({ model, messages, max_tokens: 100, ...more }, options);
const kind = (error) => error.error.error.type;

await run({
  async the_key_may_come_as_a_bearer_token() {
    const bearer = new Anthropic({ authToken: client.apiKey, apiKey: null, maxRetries: 0 });
    same((await ask("text", bearer)).content[0].text, "Hello wörld");
  },

  async keys_that_do_not_count_are_refused() {
    same(kind(await raises(Anthropic.AuthenticationError, () => ask("text", as("sk-wrong")))), "authentication_error");
    same(kind(await raises(Anthropic.PermissionDeniedError, () => ask("alias", as("sk-narrow")))), "permission_error");
  },

  async an_unknown_model_is_not_found() {
    const error = await raises(Anthropic.NotFoundError, () => ask("nowhere"));
    same(kind(error), "not_found_error");
    ok(error.error.error.message.includes("nowhere"));
  },

  async an_alias_reaches_its_model() {
    same((await ask("alias")).content[0].text, "Hello wörld");
  },

  async a_caller_over_its_limit_is_told_when_to_come_back() {
    await ask("text", as("sk-limited"));
    const error = await raises(Anthropic.RateLimitError, () => ask("text", as("sk-limited")));
    same(kind(error), "rate_limit_error");
    const seconds = Number(error.headers.get("retry-after"));
    ok(seconds > 0 && seconds <= 86_400, `${seconds}`);
  },

  async every_answer_has_a_request_id() {
    const ids = [(await ask())._request_id, (await ask())._request_id];
    ok(ids[0] && ids[1] && ids[0] !== ids[1], `${ids}`);
    const headers = { "x-aisix-request-id": "my-own-id" };
    same((await ask("text", client, {}, { headers }))._request_id, "my-own-id");
    const error = await raises(Anthropic.NotFoundError, () => ask("nowhere", client, {}, { headers }));
    same(error.requestID, "my-own-id");
  },

  async a_body_that_is_no_message_is_a_bad_request() {
    const bodies = [{ max_tokens: "many" }, { messages: "hi" }, { messages: [{ role: "nobody", content: "hi" }] }];
    for (const more of bodies) {
      same(kind(await raises(Anthropic.BadRequestError, () => ask("text", client, more))), "invalid_request_error");
    }
  },
});
