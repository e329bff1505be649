"""What the gateway itself says in the Messages dialect. See journey.rs."""

import anthropic
from anthropic import Anthropic

from checks import check, raises, run, same

client = Anthropic(max_retries=0, timeout=15)
HI = [{"role": "user", "content": "hi"}]


def ask(model="text", key=None, **more):
    asking = client.with_options(api_key=key) if key else client
    return asking.messages.create(model=model, messages=HI, max_tokens=100, **more)


def kind(error):
    return error.body["error"]["type"]


@check
def the_key_may_come_as_a_bearer_token():
    bearer = Anthropic(auth_token=client.api_key, api_key=None, max_retries=0)
    same(bearer.messages.create(model="text", messages=HI, max_tokens=100).content[0].text, "Hello wörld")


@check
def keys_that_do_not_count_are_refused():
    error = raises(anthropic.AuthenticationError, lambda: ask(key="sk-wrong"))
    same(kind(error), "authentication_error")
    error = raises(anthropic.PermissionDeniedError, lambda: ask("alias", "sk-narrow"))
    same(kind(error), "permission_error")


@check
def an_unknown_model_is_not_found():
    error = raises(anthropic.NotFoundError, lambda: ask("nowhere"))
    same(kind(error), "not_found_error")
    assert "nowhere" in error.body["error"]["message"]


@check
def an_alias_reaches_its_model():
    same(ask("alias").content[0].text, "Hello wörld")


@check
def a_caller_over_its_limit_is_told_when_to_come_back():
    ask(key="sk-limited")
    error = raises(anthropic.RateLimitError, lambda: ask(key="sk-limited"))
    same(kind(error), "rate_limit_error")
    assert 0 < int(error.response.headers["retry-after"]) <= 86400


@check
def every_answer_has_a_request_id():
    ids = {ask()._request_id, ask()._request_id}
    same(len(ids - {None}), 2)
    own = {"x-aisix-request-id": "my-own-id"}
    same(ask(extra_headers=own)._request_id, "my-own-id")
    same(raises(anthropic.NotFoundError, lambda: ask("nowhere", extra_headers=own)).request_id, "my-own-id")


@check
def a_body_that_is_no_message_is_a_bad_request():
    for more in ({"max_tokens": "many"}, {"messages": "hi"}, {"messages": [{"role": "nobody", "content": "hi"}]}):
        error = raises(anthropic.BadRequestError, lambda: ask(extra_body=more))
        same(kind(error), "invalid_request_error")


run()
