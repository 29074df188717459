"""What the command line of 2019 still looks for in Python, and later versions have moved or dropped.

Loaded by every Python that has this folder in PYTHONPATH, before anything else.
"""

import argparse
import collections
import collections.abc
import inspect
import time

if not hasattr(time, "clock"):
    time.clock = time.perf_counter

for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

if not hasattr(inspect, "getargspec"):
    _Spec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")

    def _getargspec(function):
        full = inspect.getfullargspec(function)
        return _Spec(full.args, full.varargs, full.varkw, full.defaults)

    inspect.getargspec = _getargspec

_add_parser = argparse._SubParsersAction.add_parser


def _add_parser_again(self, name, **more):
    """Python 3.11 refuses a sub-parser of the same name; before, the later one won."""
    self._name_parser_map.pop(name, None)
    return _add_parser(self, name, **more)


argparse._SubParsersAction.add_parser = _add_parser_again
