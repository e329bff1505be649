"""A list of checks that counts itself. Each is a function marked with @check."""

import asyncio
import inspect
import json
import os
import sys
import traceback

# What differs by who serves; see journey/facts.rs.
facts = json.loads(os.environ["SDK_FACTS"])

_checks = []


def check(function):
    _checks.append(function)
    return function


def run():
    """Runs every check in order; fails at the end when one did."""
    failed = 0
    for function in _checks:
        print("check", function.__name__, flush=True)
        try:
            result = function()
            if inspect.isawaitable(result):
                asyncio.run(result)
        except Exception:
            failed += 1
            print(traceback.format_exc(limit=-4), flush=True)
    if failed:
        sys.exit(f"{failed} checks failed")
    print("OK", len(_checks), "checks", flush=True)


def left(model):
    """Holds still until the test has seen that the call for this model is gone at the upstream."""
    print("WAIT", model, flush=True)
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


def ids(got, wanted):
    """The ids of tool calls: those of the provider, or different ones where it gives none."""
    if facts["ids"]:
        same(list(got), list(wanted))
    assert all(got) and len(set(got)) == len(wanted), f"{got!r}"
