"""What a caller does with the dialect, whoever serves it. See journey.rs for the models."""

import json

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from checks import check, raises, run, same

client = OpenAI(max_retries=0, timeout=15)
chat = client.chat.completions
HI = [{"role": "user", "content": "hi"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]


@check
def a_chat_is_answered():
    reply = chat.create(model="text", messages=HI, temperature=0, seed=0)
    same(reply.choices[0].message.content, "Hello wörld")
    same(reply.choices[0].finish_reason, "stop")
    same((reply.usage.prompt_tokens, reply.usage.completion_tokens), (12, 3))
    same(reply.usage.prompt_tokens_details.cached_tokens, 8)


@check
def a_stream_brings_the_text_in_pieces_and_no_usage():
    chunks = list(chat.create(model="text", messages=HI, stream=True))
    same([c.choices[0].delta.content for c in chunks], ["", "Hel", "lo ", "wörld", None])
    same(chunks[-1].choices[0].finish_reason, "stop")
    same([c.usage for c in chunks], [None] * 5)


@check
def a_stream_brings_usage_last_when_asked():
    options = {"include_usage": True}
    chunks = list(chat.create(model="text", messages=HI, stream=True, stream_options=options))
    same(chunks[-1].choices, [])
    same(chunks[-1].usage.total_tokens, 15)
    same([c.usage for c in chunks[:-1]], [None] * 5)


@check
async def the_async_client_streams_too():
    async with AsyncOpenAI(max_retries=0, timeout=15) as several:
        stream = await several.chat.completions.create(model="text", messages=HI, stream=True)
        same("".join([c.choices[0].delta.content or "" async for c in stream]), "Hello wörld")


@check
def unknown_members_travel_both_ways():
    reply = chat.create(model="thinking", messages=HI, extra_body={"top_secret_knob": {"a": [1, 2.50]}})
    same(reply.choices[0].message.reasoning_content, "Let me think.")
    stream = chat.create(model="thinking", messages=HI, stream=True)
    deltas = [getattr(c.choices[0].delta, "reasoning_content", None) for c in stream]
    same([d for d in deltas if d], ["Let me ", "think."])


@check
def a_tool_is_called_and_answered():
    reply = chat.create(model="tool", messages=HI, tools=TOOLS, tool_choice="auto")
    same(reply.choices[0].finish_reason, "tool_calls")
    message = reply.choices[0].message
    [call] = message.tool_calls
    same((call.id, call.function.name, json.loads(call.function.arguments)), ("call_1", "weather", {"city": "Paris"}))
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"sky":"blue"}'}
    reply = chat.create(model="text", messages=[*HI, message, result], tools=TOOLS)
    same(reply.choices[0].message.content, "Hello wörld")


@check
def two_tools_are_called_in_a_stream():
    with chat.stream(model="two-tools", messages=HI, tools=TOOLS) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    same([(c.id, c.function.name, c.function.arguments) for c in calls],
         [("call_1", "weather", '{"city":"Paris"}'), ("call_2", "time", "{}")])


class Person(BaseModel):
    name: str
    age: int


@check
def structured_output_is_parsed():
    reply = chat.parse(model="structured", messages=HI, response_format=Person)
    same(reply.choices[0].message.parsed, Person(name="Ada", age=36))
    with chat.stream(model="structured", messages=HI, response_format=Person) as stream:
        same(stream.get_final_completion().choices[0].message.parsed, Person(name="Ada", age=36))


@check
def embeddings_come_in_base64_and_in_floats():
    for asked in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        reply = client.embeddings.create(model="embed", input=["a", "b"], **asked)
        vectors = [d.embedding for d in reply.data]
        if asked.get("encoding_format") == "base64":
            same(vectors, ["AAAAAAAAAD8AAIC+", "AACAPwAAAD8AAIC+"])
        else:
            same([list(v) for v in vectors], [[0, 0.5, -0.25], [1, 0.5, -0.25]])
        same(reply.usage.prompt_tokens, 12)


@check
def embeddings_take_every_kind_of_input():
    for value, count in (("a", 1), ([1, 2], 1), ([[1], [2, 3]], 2)):
        same(len(client.embeddings.create(model="embed", input=value).data), count)


@check
def legacy_completions_work():
    same(client.completions.create(model="text", prompt="hi").choices[0].text, "Hello wörld")
    chunks = list(client.completions.create(model="text", prompt=["hi"], stream=True))
    same("".join(c.choices[0].text for c in chunks), "Hello wörld")


@check
def every_refusal_has_its_class():
    table = {
        "bad-400": openai.BadRequestError,
        "key-401": openai.AuthenticationError,
        "forbidden-403": openai.PermissionDeniedError,
        "missing-404": openai.NotFoundError,
        "conflict-409": openai.ConflictError,
        "invalid-422": openai.UnprocessableEntityError,
        "limited-429": openai.RateLimitError,
        "broken-500": openai.InternalServerError,
    }
    for model, kind in table.items():
        for stream in (False, True):
            error = raises(kind, lambda: chat.create(model=model, messages=HI, stream=stream))
            assert error.request_id, f"{model} has no request id"
            assert error.body["message"], f"{model} has no message"
            if kind is openai.RateLimitError:
                same(error.response.headers["retry-after"], "7")
    error = raises(openai.BadRequestError, lambda: client.embeddings.create(model="bad-400", input="a"))
    same(error.code, "context_length_exceeded")


@check
def a_wrong_key_is_an_authentication_error():
    wrong = client.with_options(api_key="sk-wrong")
    error = raises(openai.AuthenticationError, lambda: wrong.chat.completions.create(model="text", messages=HI))
    assert error.request_id


@check
def no_messages_are_a_bad_request():
    raises(openai.BadRequestError, lambda: chat.create(model="text", messages=[]))


@check
def a_stream_that_fails_midway_raises_after_its_text():
    stream = chat.create(model="fails-midway", messages=HI, stream=True)
    same(next(stream).choices[0].delta.content, "Hel")
    raises(openai.APIError, lambda: list(stream))


@check
def a_provider_that_never_answers_is_a_timeout():
    hasty = client.with_options(timeout=0.3)
    raises(openai.APITimeoutError, lambda: hasty.chat.completions.create(model="never", messages=HI))


run()
