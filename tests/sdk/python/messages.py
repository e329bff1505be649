"""What a caller does with messages, whoever serves it. See journey.rs for the models."""

import anthropic
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from pydantic import BaseModel

from checks import check, facts, ids, left, raises, run, same

client = Anthropic(max_retries=0, timeout=15, _strict_response_validation=True)
HI = [{"role": "user", "content": "hi, no json"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TIME = {"type": "object", "properties": {"zone": {"type": "string"}}}
TOOLS = [
    {"name": name, "description": name, "input_schema": schema} for name, schema in (("weather", WEATHER), ("time", TIME))
]
CALLS = [("weather", {"city": "Paris"}), ("time", {"zone": "CET"})]
KINDS = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    402: anthropic.PaymentRequiredError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    409: anthropic.ConflictError,
    422: anthropic.UnprocessableEntityError,
    429: anthropic.RateLimitError,
    529: anthropic.OverloadedError,
}


def create(model, messages=HI, **more):
    return client.messages.create(model=model, messages=messages, max_tokens=2000, **more)


def streaming(model, messages=HI, **more):
    return client.messages.stream(model=model, messages=messages, max_tokens=2000, **more)


def refused(status, call):
    error = raises(KINDS.get(status, anthropic.InternalServerError), call)
    same((error.status_code, error.body["type"]), (status, "error"))
    assert error.request_id, "no request id"
    assert error.body["error"]["type"].endswith("_error"), error.body
    assert error.body["error"]["message"], "no message"
    return error


def calls(message):
    return [b for b in message.content if b.type == "tool_use"]


def read(message):
    return [(c.name, c.input) for c in calls(message)]


def answered(message):
    results = [{"type": "tool_result", "tool_use_id": c.id, "content": '{"sky":"blue"}'} for c in calls(message)]
    return [*HI, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]


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
    usage = final.usage
    same((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens), (4, 8, 3))
    same(final.model, "text")


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
def thoughts_come_before_the_text():
    for thinking in ({"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}):
        reply = create("thinking", thinking=thinking)
        same([b.type for b in reply.content], ["thinking", "text"])
        same((reply.content[0].thinking, reply.content[1].text), ("Let me think.", "Hello wörld"))
        assert isinstance(reply.content[0].signature, str)
    with streaming("thinking", thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
        thoughts = [e.thinking for e in stream if e.type == "thinking"]
        final = stream.get_final_message()
    same(thoughts, ["Let me ", "think."])
    same([b.type for b in final.content], ["thinking", "text"])
    turns = [*HI, {"role": "assistant", "content": final.content}, {"role": "user", "content": "and?"}]
    same(create("text", turns).content[-1].text, "Hello wörld")


@check
def a_tool_is_called_and_answered():
    reply = create("tool", tools=TOOLS, tool_choice={"type": "auto"})
    same((reply.stop_reason, [b.type for b in reply.content]), ("tool_use", ["tool_use"]))
    same(read(reply), CALLS[:1])
    ids([c.id for c in calls(reply)], ["call_1"])
    same(create("text", answered(reply), tools=TOOLS).content[0].text, "Hello wörld")


@check
def a_tool_may_be_forced():
    for choice in ({"type": "any"}, {"type": "tool", "name": "weather"}):
        same(read(create("tool", tools=TOOLS, tool_choice=choice)), CALLS[:1])


@check
def two_tools_are_called_in_a_stream_and_answered():
    pieces = {}
    with streaming("two-tools", tools=TOOLS) as stream:
        for event in stream:
            if event.type == "content_block_delta":
                pieces.setdefault(event.index, []).append(event.delta.partial_json)
        final = stream.get_final_message()
    same((read(final), final.stop_reason, sorted(pieces)), (CALLS, "tool_use", [0, 1]))
    ids([c.id for c in calls(final)], ["call_1", "call_2"])
    with streaming("loop", answered(final), tools=TOOLS) as stream:
        same(stream.get_final_text(), "Hello wörld")


asked = []


@beta_tool
def weather(city: str) -> str:
    """The weather in a city."""
    asked.append(("weather", {"city": city}))
    return '{"sky":"blue"}'


@beta_tool
def time(zone: str) -> str:
    """The time in a zone."""
    asked.append(("time", {"zone": zone}))
    return "noon"


@check
def the_tool_runner_comes_to_an_end():
    for stream in (False, True):
        asked.clear()
        runner = client.beta.messages.tool_runner(
            model="loop", messages=HI, max_tokens=100, tools=[weather, time], stream=stream
        )
        final = runner.until_done()
        same((final.content[0].text, sorted(asked)), ("Hello wörld", sorted(CALLS)))


class Person(BaseModel):
    name: str
    age: int


@check
def structured_output_is_parsed():
    asked = {"model": "structured", "max_tokens": 100, "messages": HI, "output_format": Person}
    same(client.messages.parse(**asked).parsed_output, Person(name="Ada", age=36))
    with client.messages.stream(**asked) as stream:
        same(stream.get_final_message().parsed_output, Person(name="Ada", age=36))


@check
def tokens_are_counted_where_the_provider_counts():
    def count():
        return client.messages.count_tokens(model="text", messages=HI, tools=TOOLS, system="be brief")

    if facts["counting"] == 200:
        same(count().input_tokens, 12)
    else:
        refused(facts["counting"], count)


@check
def every_refusal_has_its_class():
    for model, status in facts["refusals"].items():
        for stream in (False, True):
            error = refused(status, lambda: create(model, stream=stream))
            if status == 429:
                same(error.response.headers.get("retry-after"), "7")
            if status < 500:
                assert model in error.body["error"]["message"], error.body


@check
def a_wrong_key_is_an_authentication_error():
    wrong = client.with_options(api_key="sk-wrong")
    error = refused(401, lambda: wrong.messages.create(model="text", messages=HI, max_tokens=100))
    same(error.body["error"]["type"], "authentication_error")


@check
def no_messages_are_a_bad_request():
    same(refused(400, lambda: create("text", [])).body["error"]["type"], "invalid_request_error")


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
def closing_a_stream_cancels_it():
    stream = create("stalls", stream=True)
    texts = (e.delta.text for e in stream if e.type == "content_block_delta")
    same(next(texts), "Hel")
    stream.close()
    left("stalls")


@check
def a_timeout_cancels_the_call():
    hasty = client.with_options(timeout=0.5)
    raises(anthropic.APITimeoutError, lambda: hasty.messages.create(model="never", messages=HI, max_tokens=100))
    left("never")


run()
