"""A list of checks that counts itself. Each is a function marked with @check."""

import inspect
import asyncio

_checks = []


def check(function):
    _checks.append(function)
    return function


def run():
    for function in _checks:
        print("check", function.__name__, flush=True)
        result = function()
        if inspect.isawaitable(result):
            asyncio.run(result)
    print("OK", len(_checks), "checks", flush=True)


def wait(what):
    """Holds still until the test says go on."""
    print("WAIT", what, flush=True)
    input()


def raises(kind, call):
    try:
        call()
    except kind as error:
        assert type(error) is kind, f"{type(error).__name__} is not exactly {kind.__name__}"
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def same(got, wanted):
    assert got == wanted, f"got {got!r}, not {wanted!r}"
