"""What a caller does with the Messages dialect, whoever serves it. See journey/messages.rs for the models."""

import anthropic
from anthropic import Anthropic, AsyncAnthropic

from checks import check, raises, run, same

client = Anthropic(max_retries=0, timeout=15)
HI = [{"role": "user", "content": "hi"}]
TOOLS = [
    {"name": name, "description": name, "input_schema": {"type": "object", "properties": {}}}
    for name in ("weather", "time")
]


def create(model, messages=HI, **more):
    return client.messages.create(model=model, messages=messages, max_tokens=100, **more)


def streaming(model, **more):
    return client.messages.stream(model=model, messages=HI, max_tokens=100, **more)


@check
def a_message_is_answered():
    reply = create("text", system="be brief", stop_sequences=["END"], extra_body={"temperature": 0})
    same([(b.type, b.text) for b in reply.content], [("text", "Hello wörld")])
    same((reply.type, reply.role, reply.model, reply.stop_reason), ("message", "assistant", "text", "end_turn"))
    usage = reply.usage
    same((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens), (4, 8, 3))
    assert reply.id and reply._request_id


@check
def a_stream_brings_the_text_in_pieces():
    with streaming("text") as stream:
        same(list(stream.text_stream), ["Hel", "lo ", "wörld"])
        final = stream.get_final_message()
    same(([b.text for b in final.content], final.stop_reason), (["Hello wörld"], "end_turn"))
    same((final.model, final.usage.output_tokens), ("text", 3))


@check
def raw_events_come_in_their_order():
    kinds = [e.type for e in create("text", stream=True) if e.type != "ping"]
    block = ["content_block_start", *["content_block_delta"] * 3, "content_block_stop"]
    same(kinds, ["message_start", *block, "message_delta", "message_stop"])


@check
async def the_async_client_streams_too():
    async with AsyncAnthropic(max_retries=0, timeout=15) as several:
        async with several.messages.stream(model="text", messages=HI, max_tokens=100) as stream:
            same(await stream.get_final_text(), "Hello wörld")


@check
def a_tool_is_called_and_answered():
    reply = create("tool", tools=TOOLS, tool_choice={"type": "auto"})
    same(reply.stop_reason, "tool_use")
    [call] = reply.content
    same((call.type, call.id, call.name, call.input), ("tool_use", "call_1", "weather", {"city": "Paris"}))
    result = {"type": "tool_result", "tool_use_id": call.id, "content": '{"sky":"blue"}'}
    turns = [*HI, {"role": "assistant", "content": reply.content}, {"role": "user", "content": [result]}]
    same(create("text", turns, tools=TOOLS).content[0].text, "Hello wörld")


@check
def two_tools_are_called_in_a_stream():
    with streaming("two-tools", tools=TOOLS) as stream:
        final = stream.get_final_message()
    same([(c.id, c.name, c.input) for c in final.content],
         [("call_1", "weather", {"city": "Paris"}), ("call_2", "time", {})])
    same(final.stop_reason, "tool_use")


@check
def every_refusal_has_its_class():
    table = {
        "bad-400": anthropic.BadRequestError,
        "key-401": anthropic.AuthenticationError,
        "forbidden-403": anthropic.PermissionDeniedError,
        "missing-404": anthropic.NotFoundError,
        "limited-429": anthropic.RateLimitError,
        "broken-500": anthropic.InternalServerError,
    }
    for model, kind in table.items():
        for stream in (False, True):
            error = raises(kind, lambda: create(model, stream=stream))
            assert error.request_id, f"{model} has no request id"
            same(error.body["type"], "error")
            assert error.body["error"]["message"], f"{model} has no message"
            if kind is anthropic.RateLimitError:
                same(error.response.headers["retry-after"], "7")


@check
def a_wrong_key_is_an_authentication_error():
    wrong = client.with_options(api_key="sk-wrong")
    error = raises(
        anthropic.AuthenticationError, lambda: wrong.messages.create(model="text", messages=HI, max_tokens=100)
    )
    assert error.request_id
    same(error.body["error"]["type"], "authentication_error")


@check
def no_messages_are_a_bad_request():
    same(raises(anthropic.BadRequestError, lambda: create("text", [])).body["error"]["type"], "invalid_request_error")


@check
def a_stream_that_fails_midway_raises_after_its_text():
    texts = []

    def read():
        for event in create("fails-midway", stream=True):
            if event.type == "content_block_delta":
                texts.append(event.delta.text)

    raises(anthropic.APIStatusError, read)
    same(texts, ["Hel"])


@check
def a_provider_that_never_answers_is_a_timeout():
    hasty = client.with_options(timeout=0.3)
    raises(anthropic.APITimeoutError, lambda: hasty.messages.create(model="never", messages=HI, max_tokens=100))


run()
