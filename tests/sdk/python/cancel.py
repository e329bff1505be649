"""A caller who leaves: in the middle of a stream, and before any answer."""

import openai
from openai import OpenAI

from checks import check, raises, run, same, wait

client = OpenAI(max_retries=0, timeout=15)
HI = [{"role": "user", "content": "hi"}]


@check
def closing_a_stream_cancels_it():
    stream = client.chat.completions.create(model="stalls", messages=HI, stream=True)
    same([next(stream).choices[0].delta.content for _ in range(2)], ["", "Hel"])
    stream.close()
    wait("stream closed")


@check
def a_timeout_cancels_the_call():
    hasty = client.with_options(timeout=0.5)
    raises(openai.APITimeoutError, lambda: hasty.chat.completions.create(model="never", messages=HI))
    wait("timed out")


run()
