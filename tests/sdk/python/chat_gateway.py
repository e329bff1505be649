"""What the gateway itself says to a caller. See journey.rs for its keys and models."""

import openai
from openai import OpenAI

from checks import check, raises, run, same

client = OpenAI(max_retries=0, timeout=15)
HI = [{"role": "user", "content": "hi"}]


def ask(model="text", key=None, **more):
    asking = client.with_options(api_key=key) if key else client
    return asking.chat.completions.create(model=model, messages=HI, **more)


@check
def models_are_listed_and_found():
    ids = [m.id for m in client.models.list()]
    same(ids, sorted(ids))
    assert {"text", "alias", "embed"} <= set(ids), ids
    model = client.models.retrieve("alias")
    same((model.id, model.object), ("alias", "model"))
    same(client.models.retrieve("alias").created, model.created)
    raises(openai.NotFoundError, lambda: client.models.retrieve("nowhere"))


@check
def a_caller_sees_only_the_models_it_may_use():
    narrow = client.with_options(api_key="sk-narrow")
    same([m.id for m in narrow.models.list()], ["text"])
    error = raises(openai.PermissionDeniedError, lambda: ask("alias", "sk-narrow"))
    same(error.type, "permission_denied")


@check
def an_alias_reaches_its_model():
    same(ask("alias").choices[0].message.content, "Hello wörld")


@check
def keys_that_do_not_count_are_refused():
    same(raises(openai.AuthenticationError, lambda: ask(key="sk-wrong")).type, "invalid_api_key")
    same(raises(openai.AuthenticationError, lambda: ask(key="sk-disabled")).code, "api_key_disabled")


@check
def an_unknown_model_is_not_found():
    error = raises(openai.NotFoundError, lambda: ask("nowhere"))
    same(error.type, "model_not_found")
    assert "nowhere" in error.message


@check
def a_caller_over_its_limit_is_told_when_to_come_back():
    ask(key="sk-limited")
    error = raises(openai.RateLimitError, lambda: ask(key="sk-limited"))
    same(error.type, "rate_limit_exceeded")
    assert 0 < int(error.response.headers["retry-after"]) <= 86400


@check
def every_answer_has_a_request_id():
    ids = {ask()._request_id, ask()._request_id}
    same(len(ids - {None}), 2)
    own = {"x-aisix-request-id": "my-own-id"}
    raw = client.chat.completions.with_raw_response.create(model="text", messages=HI, extra_headers=own)
    same((raw.request_id, raw.headers["x-aisix-request-id"]), ("my-own-id", "my-own-id"))
    assert raw.headers["server"].startswith("AISIX/")
    error = raises(openai.NotFoundError, lambda: ask("nowhere", extra_headers=own))
    same(error.request_id, "my-own-id")


@check
def a_slow_provider_is_a_gateway_timeout():
    error = raises(openai.InternalServerError, lambda: ask("slow"))
    same((error.status_code, error.type), (504, "timeout"))


@check
def a_broken_provider_is_a_bad_gateway_without_its_words():
    error = raises(openai.InternalServerError, lambda: ask("broken-500"))
    same((error.status_code, error.type), (502, "upstream_error"))
    assert "broken-500" not in error.message


@check
def a_stream_cut_by_the_provider_is_an_error_and_not_an_end():
    stream = ask("cut-midway", stream=True)
    same(next(stream).choices[0].delta.content, "")
    same(next(stream).choices[0].delta.content, "Hel")
    raises(openai.APIError, lambda: list(stream))


run()
