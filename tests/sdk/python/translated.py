"""What an OpenAI caller can do at a provider that speaks Messages. See journey/messages.rs for the models."""

import json

import openai
from openai import OpenAI

from checks import check, raises, run, same

client = OpenAI(max_retries=0, timeout=15)
chat = client.chat.completions
HI = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "time")
]


@check
def a_chat_is_answered():
    reply = chat.create(model="text", messages=HI, temperature=0, stop="END", max_completion_tokens=50)
    same((reply.choices[0].message.content, reply.choices[0].finish_reason), ("Hello wörld", "stop"))
    same((reply.usage.prompt_tokens, reply.usage.completion_tokens), (12, 3))
    same((reply.usage.prompt_tokens_details.cached_tokens, reply.model), (8, "text"))


@check
def a_stream_brings_the_text_and_usage_last_when_asked():
    chunks = list(chat.create(model="text", messages=HI, stream=True, stream_options={"include_usage": True}))
    texts = [c.choices[0].delta.content for c in chunks if c.choices]
    same([t for t in texts if t], ["Hel", "lo ", "wörld"])
    same((chunks[-1].choices, chunks[-1].usage.total_tokens), ([], 15))
    chunks = list(chat.create(model="text", messages=HI, stream=True))
    same({c.usage for c in chunks}, {None})
    same(chunks[-1].choices[0].finish_reason, "stop")


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
    same([(c.id, c.function.name, json.loads(c.function.arguments)) for c in calls],
         [("call_1", "weather", {"city": "Paris"}), ("call_2", "time", {})])


@check
def every_refusal_has_its_class():
    table = {
        "bad-400": openai.BadRequestError,
        "key-401": openai.AuthenticationError,
        "forbidden-403": openai.PermissionDeniedError,
        "missing-404": openai.NotFoundError,
        "limited-429": openai.RateLimitError,
        "broken-500": openai.InternalServerError,
    }
    for model, kind in table.items():
        for stream in (False, True):
            error = raises(kind, lambda: chat.create(model=model, messages=HI, stream=stream))
            assert error.request_id, f"{model} has no request id"
            assert error.body["message"], f"{model} has no message"


@check
def a_stream_that_fails_midway_raises_after_its_text():
    texts = []

    def read():
        for chunk in chat.create(model="fails-midway", messages=HI, stream=True):
            texts.append(chunk.choices[0].delta.content)

    raises(openai.APIError, read)
    same([t for t in texts if t], ["Hel"])


run()
