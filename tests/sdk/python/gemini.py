"""What a caller does with Gemini's own API, whoever serves it. See journey.rs for the models."""

import httpx2
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from checks import check, facts, left, raises, run, same

ONCE = types.HttpRetryOptions(attempts=1)
client = genai.Client(http_options=types.HttpOptions(timeout=15_000, retry_options=ONCE))
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TIME = {"type": "object", "properties": {"zone": {"type": "string"}}}
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=name, description=name, parameters_json_schema=schema)
            for name, schema in (("weather", WEATHER), ("time", TIME))
        ]
    )
]
CALLS = [("weather", {"city": "Paris"}), ("time", {"zone": "CET"})]


def generate(model, contents="hi, no json", **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def streaming(model, contents="hi, no json", **config):
    return client.models.generate_content_stream(model=model, contents=contents, config=config)


def refused(status, call):
    error = raises(errors.ClientError if status < 500 else errors.ServerError, call)
    same(error.code, status)
    assert error.message and error.status, f"{error}"
    return error


def read(parts):
    return [(p.function_call.name, p.function_call.args) for p in parts if p.function_call]


def answered(content):
    def result(call):
        response = types.FunctionResponse(id=call.id, name=call.name, response={"sky": "blue"})
        return types.Part(function_response=response)

    results = [result(p.function_call) for p in content.parts if p.function_call]
    question = types.Content(role="user", parts=[types.Part(text="hi")])
    return [question, content, types.Content(role="user", parts=results)]


@check
def content_is_generated():
    reply = generate(
        "text", system_instruction="be brief", temperature=0, top_p=0.9, stop_sequences=["END"], max_output_tokens=50
    )
    same((reply.text, reply.candidates[0].finish_reason), ("Hello wörld", types.FinishReason.STOP))
    same((reply.candidates[0].content.role, reply.model_version), ("model", "text"))
    usage = reply.usage_metadata
    same((usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count), (12, 3, 15))
    same(usage.cached_content_token_count, 8)
    assert reply.response_id


@check
def a_stream_brings_the_text_in_pieces():
    chunks = list(streaming("text"))
    same([c.text for c in chunks if c.text], ["Hel", "lo ", "wörld"])
    finishes = [c.candidates[0].finish_reason for c in chunks if c.candidates]
    same([f for f in finishes if f], [types.FinishReason.STOP])
    usage = chunks[-1].usage_metadata
    same((usage.prompt_token_count, usage.candidates_token_count, usage.cached_content_token_count), (12, 3, 8))


@check
async def the_async_client_streams_too():
    stream = await client.aio.models.generate_content_stream(model="text", contents="hi")
    same("".join([c.text or "" async for c in stream]), "Hello wörld")


@check
def a_chat_remembers_its_turns():
    chat = client.chats.create(model="text")
    same(chat.send_message("hi").text, "Hello wörld")
    same("".join(c.text or "" for c in chat.send_message_stream("and?")), "Hello wörld")
    same([c.role for c in chat.get_history(curated=True)][:3], ["user", "model", "user"])


@check
def thoughts_come_before_the_text():
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    parts = generate("thinking", thinking_config=thinking, max_output_tokens=2000).candidates[0].content.parts
    same([(bool(p.thought), p.text) for p in parts], [(True, "Let me think."), (False, "Hello wörld")])
    chunks = streaming("thinking", thinking_config=thinking, max_output_tokens=2000)
    parts = [p for c in chunks if c.candidates and c.candidates[0].content for p in c.candidates[0].content.parts or []]
    # A signature comes with a thought of no words.
    same([p.text for p in parts if p.thought and p.text], ["Let me ", "think."])
    same("".join(p.text or "" for p in parts if not p.thought), "Hello wörld")


@check
def a_tool_is_called_and_answered():
    reply = generate("tool", tools=TOOLS)
    content = reply.candidates[0].content
    same(read(content.parts), CALLS[:1])
    same(generate("text", answered(content), tools=TOOLS).text, "Hello wörld")


@check
def a_tool_may_be_forced():
    for more in ({}, {"allowed_function_names": ["weather"]}):
        calling = types.FunctionCallingConfig(mode="ANY", **more)
        reply = generate("tool", tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=calling))
        same([(c.name, c.args) for c in reply.function_calls], CALLS[:1])


@check
def two_tools_are_called_in_a_stream_and_answered():
    chunks = [c for c in streaming("two-tools", tools=TOOLS) if c.candidates and c.candidates[0].content]
    parts = [p for c in chunks for p in c.candidates[0].content.parts or [] if p.function_call]
    same(read(parts), CALLS)
    content = types.Content(role="model", parts=parts)
    same("".join(c.text or "" for c in streaming("loop", answered(content), tools=TOOLS)), "Hello wörld")


asked = []


def weather(city: str) -> dict:
    """The weather in a city."""
    asked.append(("weather", {"city": city}))
    return {"sky": "blue"}


def time(zone: str) -> dict:
    """The time in a zone."""
    asked.append(("time", {"zone": zone}))
    return {"time": "noon"}


@check
def functions_are_called_until_the_end():
    def chat():
        asked.clear()
        return client.chats.create(model="loop", config={"tools": [weather, time]})

    same((chat().send_message("hi").text, asked), ("Hello wörld", CALLS))


class Person(BaseModel):
    name: str
    age: int


@check
def structured_output_is_parsed():
    for schema in ({"response_schema": Person}, {"response_json_schema": Person.model_json_schema()}):
        reply = generate("structured", response_mime_type="application/json", **schema)
        parsed = reply.parsed if "response_schema" in schema else Person.model_validate(reply.parsed)
        same(parsed, Person(name="Ada", age=36))


@check
def every_refusal_has_its_class():
    for model, status in facts["refusals"].items():
        for call in (generate, lambda model: list(streaming(model))):
            error = refused(status, lambda: call(model))
            headers = error.response.headers
            if not facts["direct"]:
                assert headers["x-aisix-request-id"], f"{model} has no request id"
            if status == 429:
                same(headers.get("retry-after"), "7" if facts["retry_after"] else None)
            if status < 500:
                assert model in error.message, error.message


@check
def a_wrong_key_is_refused():
    wrong = genai.Client(api_key="sk-wrong", http_options=types.HttpOptions(retry_options=ONCE))
    # Gemini itself says 400 to a wrong key, the gateway 401.
    refused(400 if facts["direct"] else 401, lambda: wrong.models.generate_content(model="text", contents="hi"))


@check
def a_result_without_its_call_is_a_bad_request():
    result = types.FunctionResponse(name="weather", response={"sky": "blue"})
    refused(400, lambda: generate("text", types.Content(role="user", parts=[types.Part(function_response=result)])))


@check
def a_stream_that_fails_midway_raises_after_its_text():
    texts = []

    def read():
        for chunk in streaming("fails-midway"):
            texts.append(chunk.text)

    try:
        read()
    except errors.APIError:
        pass
    else:
        raise AssertionError("nothing was raised")
    same([t for t in texts if t], ["Hel"])


@check
def closing_a_stream_cancels_it():
    stream = streaming("stalls")
    same(next(c.text for c in stream if c.text), "Hel")
    stream.close()
    left("stalls")


@check
def a_timeout_cancels_the_call():
    hasty = genai.Client(http_options=types.HttpOptions(timeout=500, retry_options=ONCE))
    raises(httpx2.ReadTimeout, lambda: hasty.models.generate_content(model="never", contents="hi"))
    left("never")


run()
