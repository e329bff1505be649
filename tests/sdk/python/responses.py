"""What a caller does with responses, whoever serves them. See journey.rs for the models."""

import json

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from checks import check, facts, ids, left, raises, run, same

client = OpenAI(max_retries=0, timeout=15, _strict_response_validation=True)
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TIME = {"type": "object", "properties": {"zone": {"type": "string"}}}
TOOLS = [
    {"type": "function", "name": name, "description": name, "parameters": parameters, "strict": False}
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


def create(model, input="hi, no json", **more):
    return client.responses.create(model=model, input=input, store=False, **more)


def streaming(model, input="hi, no json", **more):
    return client.responses.stream(model=model, input=input, store=False, **more)


def refused(status, call):
    error = raises(KINDS.get(status, openai.InternalServerError), call)
    same(error.status_code, status)
    assert error.request_id, "no request id"
    assert error.body["message"], "no message"
    return error


def calls(response):
    return [item for item in response.output if item.type == "function_call"]


def read(response):
    return [(c.name, json.loads(c.arguments)) for c in calls(response)]


def answered(response):
    results = [
        {"type": "function_call_output", "call_id": c.call_id, "output": '{"sky":"blue"}'} for c in calls(response)
    ]
    return [{"role": "user", "content": "hi, no json"}, *response.output, *results]


@check
def a_response_is_given():
    reply = create("text", instructions="be brief", temperature=0, top_p=0.9, max_output_tokens=50)
    same((reply.output_text, reply.status, reply.model, reply.object), ("Hello wörld", "completed", "text", "response"))
    same(([item.type for item in reply.output], reply.error, reply.instructions), (["message"], None, "be brief"))
    usage = reply.usage
    same((usage.input_tokens, usage.output_tokens, usage.total_tokens), (12, 3, 15))
    same(usage.input_tokens_details.cached_tokens, 8)
    assert reply.id and reply._request_id


@check
def events_come_in_their_order():
    events = list(create("text", stream=True))
    part = ["output_text.delta"] * 3 + ["output_text.done"]
    item = ["output_item.added", "content_part.added", *part, "content_part.done", "output_item.done"]
    same([e.type for e in events], [f"response.{kind}" for kind in ("created", "in_progress", *item, "completed")])
    same([e.sequence_number for e in events], list(range(len(events))))
    same([e.delta for e in events if e.type == "response.output_text.delta"], ["Hel", "lo ", "wörld"])
    final = events[-1].response
    same((final.output_text, final.usage.total_tokens, final.id), ("Hello wörld", 15, events[0].response.id))
    same(len({e.item_id for e in events if getattr(e, "item_id", None)}), 1)


@check
def the_stream_helper_builds_the_response():
    with streaming("text") as stream:
        texts = [e.delta for e in stream if e.type == "response.output_text.delta"]
        final = stream.get_final_response()
    same((texts, final.output_text), (["Hel", "lo ", "wörld"], "Hello wörld"))


@check
async def the_async_client_streams_too():
    async with AsyncOpenAI(max_retries=0, timeout=15) as several:
        stream = await several.responses.create(model="text", input="hi", stream=True)
        same("".join([e.delta async for e in stream if e.type == "response.output_text.delta"]), "Hello wörld")


@check
def the_output_is_the_next_input():
    turns = [{"role": "user", "content": "hi"}, *create("text").output, {"role": "user", "content": "and?"}]
    same(create("text", turns).output_text, "Hello wörld")


@check
def an_unknown_member_travels_or_is_said_to_be_dropped():
    raw = client.responses.with_raw_response.create(
        model="text", input="hi", extra_body={"top_secret_knob": {"a": [1, 2.50]}}
    )
    same(raw.parse().output_text, "Hello wörld")
    dropped = raw.headers.get("x-aisix-dropped-params")
    assert dropped is None if facts["verbatim"] else "top_secret_knob" in dropped, dropped


@check
def thoughts_come_before_the_text():
    asked = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    reply = create("thinking", **asked)
    same([item.type for item in reply.output], ["reasoning", "message"])
    same((reply.output[0].summary[0].text, reply.output_text), ("Let me think.", "Hello wörld"))
    events = list(create("thinking", stream=True, **asked))
    same([e.delta for e in events if e.type == "response.reasoning_summary_text.delta"], ["Let me ", "think."])
    same(events[-1].response.output_text, "Hello wörld")
    turns = [{"role": "user", "content": "hi"}, *reply.output, {"role": "user", "content": "and?"}]
    same(create("text", turns).output_text, "Hello wörld")


@check
def a_tool_is_called_and_answered():
    reply = create("tool", tools=TOOLS, tool_choice="auto")
    same((reply.output_text, read(reply)), ("", CALLS[:1]))
    ids([c.call_id for c in calls(reply)], ["call_1"])
    same(create("text", answered(reply), tools=TOOLS).output_text, "Hello wörld")


@check
def a_tool_may_be_forced():
    for choice in ("required", {"type": "function", "name": "weather"}):
        same(read(create("tool", tools=TOOLS, tool_choice=choice)), CALLS[:1])


@check
def two_tools_are_called_in_a_stream_and_answered():
    pieces = {}
    with streaming("two-tools", tools=TOOLS, parallel_tool_calls=True) as stream:
        for event in stream:
            if event.type == "response.function_call_arguments.delta":
                pieces.setdefault(event.output_index, []).append(event.delta)
        final = stream.get_final_response()
    same(read(final), CALLS)
    same([json.loads("".join(pieces[index])) for index in sorted(pieces)], [arguments for _, arguments in CALLS])
    ids([c.call_id for c in calls(final)], ["call_1", "call_2"])
    with streaming("loop", answered(final), tools=TOOLS) as stream:
        same(stream.get_final_response().output_text, "Hello wörld")


class Person(BaseModel):
    name: str
    age: int


class City(BaseModel):
    city: str


@check
def structured_output_is_parsed():
    reply = client.responses.parse(model="structured", input="hi", text_format=Person)
    same(reply.output_parsed, Person(name="Ada", age=36))
    with streaming("structured", text_format=Person) as stream:
        same(stream.get_final_response().output_parsed, Person(name="Ada", age=36))


@check
def arguments_are_parsed():
    function = openai.pydantic_function_tool(City, name="weather", description="weather")["function"]
    [call] = client.responses.parse(model="tool", input="hi", tools=[{"type": "function", **function}]).output
    same(call.parsed_arguments, {"city": "Paris"})


@check
def what_is_not_kept_cannot_be_gone_on_with():
    if not facts["verbatim"]:
        same(refused(400, lambda: create("text", previous_response_id="resp_1")).param, "previous_response_id")


@check
def every_refusal_has_its_class():
    for model, status in facts["refusals"].items():
        for stream in (False, True):
            error = refused(status, lambda: create(model, stream=stream))
            if status == 429:
                same(error.response.headers.get("retry-after"), "7")
            if status < 500:
                assert model in error.body["message"], error.body


@check
def a_wrong_key_is_an_authentication_error():
    wrong = client.with_options(api_key="sk-wrong")
    refused(401, lambda: wrong.responses.create(model="text", input="hi"))


@check
def no_input_is_a_bad_request():
    refused(400, lambda: create("text", []))


@check
def a_stream_that_fails_midway_raises_after_its_text():
    texts = []

    def read():
        for event in create("fails-midway", stream=True):
            if event.type == "response.output_text.delta":
                texts.append(event.delta)
            # An error event is an event of this dialect, which the SDK hands on.
            if event.type == "error":
                assert event.message
                raise RuntimeError(event.message)

    try:
        read()
    except (openai.APIError, RuntimeError):
        pass
    else:
        raise AssertionError("nothing was raised")
    same(texts, ["Hel"])


@check
def closing_a_stream_cancels_it():
    stream = create("stalls", stream=True)
    same(next(e.delta for e in stream if e.type == "response.output_text.delta"), "Hel")
    stream.close()
    left("stalls")


@check
def a_timeout_cancels_the_call():
    hasty = client.with_options(timeout=0.5)
    raises(openai.APITimeoutError, lambda: hasty.responses.create(model="never", input="hi"))
    left("never")


run()
