"""What a caller does with chat completions, whoever serves it. See journey.rs for the models."""

import json

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from checks import check, facts, ids, left, raises, run, same

client = OpenAI(max_retries=0, timeout=15, _strict_response_validation=True)
# The types of this SDK know neither base64 of embeddings nor the pieces of completions.
lenient = OpenAI(max_retries=0, timeout=15)
chat = client.chat.completions
HI = [{"role": "system", "content": "be brief, no json"}, {"role": "user", "content": "hi"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TIME = {"type": "object", "properties": {"zone": {"type": "string"}}}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}
    for name, parameters in (("weather", WEATHER), ("time", TIME))
]
CALLS = [("weather", {"city": "Paris"}), ("time", {"zone": "CET"})]
KINDS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    402: openai.APIStatusError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


def refused(status, call):
    error = raises(KINDS.get(status, openai.InternalServerError), call)
    same(error.status_code, status)
    assert error.request_id, "no request id"
    assert error.body["message"], "no message"
    return error


def read(calls):
    return [(c.function.name, json.loads(c.function.arguments)) for c in calls]


def results(calls):
    return [{"role": "tool", "tool_call_id": c.id, "content": '{"sky":"blue"}'} for c in calls]


@check
def a_chat_is_answered():
    raw = chat.with_raw_response.create(
        model="text", messages=HI, temperature=0, top_p=0.9, stop="END", max_completion_tokens=50
    )
    reply = raw.parse()
    same((reply.choices[0].message.content, reply.choices[0].finish_reason), ("Hello wörld", "stop"))
    usage = reply.usage
    same((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (12, 3, 15))
    same((usage.prompt_tokens_details.cached_tokens, reply.model, reply.object), (8, "text", "chat.completion"))
    assert reply.id and raw.request_id


@check
def a_stream_brings_the_text_in_pieces_and_no_usage():
    chunks = list(chat.create(model="text", messages=HI, stream=True))
    same([c.choices[0].delta.content for c in chunks if c.choices[0].delta.content], ["Hel", "lo ", "wörld"])
    same(chunks[0].choices[0].delta.role, "assistant")
    same([c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason], ["stop"])
    same({c.usage for c in chunks}, {None})
    same(len({c.id for c in chunks}), 1)


@check
def a_stream_brings_usage_last_when_asked():
    options = {"include_usage": True}
    chunks = list(chat.create(model="text", messages=HI, stream=True, stream_options=options))
    same((chunks[-1].choices, chunks[-1].usage.total_tokens), ([], 15))
    same({c.usage for c in chunks[:-1]}, {None})


@check
async def the_async_client_streams_too():
    async with AsyncOpenAI(max_retries=0, timeout=15) as several:
        stream = await several.chat.completions.create(model="text", messages=HI, stream=True)
        same("".join([c.choices[0].delta.content or "" async for c in stream]), "Hello wörld")


@check
def the_stream_helper_tells_what_happens():
    with chat.stream(model="text", messages=HI) as stream:
        events = list(stream)
    same([e.delta for e in events if e.type == "content.delta" and e.delta], ["Hel", "lo ", "wörld"])
    same([e.content for e in events if e.type == "content.done"], ["Hello wörld"])


@check
def an_unknown_member_travels_or_is_said_to_be_dropped():
    raw = chat.with_raw_response.create(model="text", messages=HI, extra_body={"top_secret_knob": {"a": [1, 2.50]}})
    same(raw.parse().choices[0].message.content, "Hello wörld")
    same(raw.headers.get("x-aisix-dropped-params"), None if facts["verbatim"] else "top_secret_knob")


@check
def thoughts_come_before_the_text():
    asked = {"model": "thinking", "messages": HI, "reasoning_effort": "low"}
    message = chat.create(**asked).choices[0].message
    same((message.reasoning_content, message.content), ("Let me think.", "Hello wörld"))
    deltas = [c.choices[0].delta for c in chat.create(**asked, stream=True)]
    thoughts = [getattr(d, "reasoning_content", None) for d in deltas]
    same([t for t in thoughts if t], ["Let me ", "think."])
    same("".join(d.content or "" for d in deltas), "Hello wörld")


@check
def a_tool_is_called_and_answered():
    reply = chat.create(model="tool", messages=HI, tools=TOOLS, tool_choice="auto")
    same(reply.choices[0].finish_reason, "tool_calls")
    message = reply.choices[0].message
    same((message.content, read(message.tool_calls)), (None, CALLS[:1]))
    ids([c.id for c in message.tool_calls], ["call_1"])
    turns = [*HI, message, *results(message.tool_calls)]
    same(chat.create(model="text", messages=turns, tools=TOOLS).choices[0].message.content, "Hello wörld")


@check
def a_tool_may_be_forced():
    named = {"type": "function", "function": {"name": "weather"}}
    for choice in ("required", named):
        reply = chat.create(model="tool", messages=HI, tools=TOOLS, tool_choice=choice)
        same(reply.choices[0].message.tool_calls[0].function.name, "weather")


@check
def two_tools_are_called_in_a_stream_and_answered():
    pieces = {}
    with chat.stream(model="two-tools", messages=HI, tools=TOOLS, parallel_tool_calls=True) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                pieces.setdefault(event.index, []).append(event.arguments_delta)
        message = stream.get_final_completion().choices[0].message
    same(read(message.tool_calls), CALLS)
    same([json.loads("".join(pieces[index])) for index in (0, 1)], [arguments for _, arguments in CALLS])
    ids([c.id for c in message.tool_calls], ["call_1", "call_2"])
    with chat.stream(model="loop", messages=[*HI, message, *results(message.tool_calls)], tools=TOOLS) as stream:
        same(stream.get_final_completion().choices[0].message.content, "Hello wörld")


class Person(BaseModel):
    name: str
    age: int


@check
def structured_output_is_parsed():
    reply = chat.parse(model="structured", messages=HI, response_format=Person)
    same(reply.choices[0].message.parsed, Person(name="Ada", age=36))
    with chat.stream(model="structured", messages=HI, response_format=Person) as stream:
        same(stream.get_final_completion().choices[0].message.parsed, Person(name="Ada", age=36))


class City(BaseModel):
    city: str


@check
def arguments_are_parsed():
    tool = openai.pydantic_function_tool(City, name="weather", description="weather")
    [call] = chat.parse(model="tool", messages=HI, tools=[tool]).choices[0].message.tool_calls
    same(call.function.parsed_arguments, City(city="Paris"))


@check
def embeddings_come_in_base64_and_in_floats():
    def embed(**more):
        return lenient.embeddings.create(model="embed", input=["a", "b"], **more)

    if facts["embeddings"] != 200:
        refused(facts["embeddings"], embed)
        return
    for asked in ({}, {"encoding_format": "float"}):
        same([list(d.embedding) for d in embed(**asked).data], [[0, 0.5, -0.25], [1, 0.5, -0.25]])
    vectors = [d.embedding for d in embed(encoding_format="base64").data]
    same(vectors, ["AAAAAAAAAD8AAIC+", "AACAPwAAAD8AAIC+"])


@check
def embeddings_take_every_kind_of_input():
    for value, count in (("a", 1), ([1, 2], 1), ([[1], [2, 3]], 2)):
        def embed():
            return lenient.embeddings.create(model="embed", input=value)

        wanted = facts["embeddings"]
        if wanted == 200 and value != "a":
            wanted = facts["tokens"]
        if wanted == 200:
            same(len(embed().data), count)
        else:
            refused(wanted, embed)


@check
def legacy_completions_work():
    def complete(**more):
        return lenient.completions.create(model="text", prompt="hi", **more)

    if facts["completions"] != 200:
        refused(facts["completions"], complete)
        return
    same(complete().choices[0].text, "Hello wörld")
    same("".join(c.choices[0].text for c in complete(stream=True)), "Hello wörld")


@check
def every_refusal_has_its_class():
    for model, status in facts["refusals"].items():
        for stream in (False, True):
            error = refused(status, lambda: chat.create(model=model, messages=HI, stream=stream))
            if status == 429:
                same(error.response.headers.get("retry-after"), "7" if facts["retry_after"] else None)
            if status < 500:
                assert model in error.body["message"], error.body


@check
def a_wrong_key_is_an_authentication_error():
    wrong = client.with_options(api_key="sk-wrong")
    refused(401, lambda: wrong.chat.completions.create(model="text", messages=HI))


@check
def no_messages_are_a_bad_request():
    refused(400, lambda: chat.create(model="text", messages=[]))


@check
def a_stream_that_fails_midway_raises_after_its_text():
    texts = []

    def read():
        for chunk in chat.create(model="fails-midway", messages=HI, stream=True):
            texts.append(chunk.choices[0].delta.content)

    raises(openai.APIError, read)
    same([t for t in texts if t], ["Hel"])


@check
def closing_a_stream_cancels_it():
    stream = chat.create(model="stalls", messages=HI, stream=True)
    texts = (c.choices[0].delta.content for c in stream)
    same(next(t for t in texts if t), "Hel")
    stream.close()
    left("stalls")


@check
def a_timeout_cancels_the_call():
    hasty = client.with_options(timeout=0.5)
    raises(openai.APITimeoutError, lambda: hasty.chat.completions.create(model="never", messages=HI))
    left("never")


run()
