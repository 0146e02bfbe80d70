"""Names that two processes share exist in aro.contracts.names and nowhere else."""

import ast
import re

import pytest
from import_law import SHARED, TESTING, module_name, source_files

from aro.contracts import names

NAMES_MODULE = "aro.contracts.names"
# Names that mean nothing else: nobody else may spell them. Short ones like "ticks" are watched where they are used.
DISTINCTIVE = sorted(
    value
    for key, value in vars(names).items()
    if key.isupper() and isinstance(value, str) and re.search(r"[:._-]", value)
)
COMMANDS = {
    *{"xadd", "xack", "xlen", "xrange", "xtrim", "xpending", "xclaim", "xautoclaim", "xinfo_groups", "xgroup_create"},
    *{"publish", "subscribe", "hset", "hget", "hgetall", "hmget", "hdel", "sadd", "smembers", "lpush", "llen", "rpush"},
    *{"get_collection", "create_collection", "send_task", "signature"},
}
KEYWORDS = {"queue", "collection", "routing_key"}


def spelled_out(source):
    """Constants of `source` that are, or begin with, a shared name, or that name something in a call."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from (name for name in DISTINCTIVE if node.value == name or node.value.startswith(f"{name}:"))
            if node.value.startswith(names.LIVE_PREFIX):
                yield node.value
        if isinstance(node, ast.Call):
            yield from _in_call(node)
        if isinstance(node, ast.Subscript) and "database" in ast.unparse(node.value).lower() and _text(node.slice):
            yield _text(node.slice)


def _in_call(node):
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if called in COMMANDS and node.args and _text(node.args[0]):
        yield _text(node.args[0])
    yield from (_text(item.value) for item in node.keywords if item.arg in KEYWORDS and _text(item.value))
    if called == "task":
        yield from (_text(item.value) for item in node.keywords if item.arg == "name" and _text(item.value))


def _text(node):
    if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
        return str(node.values[0].value)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


WATCHED = [path for path in source_files() if not module_name(path).startswith((NAMES_MODULE, TESTING))]


@pytest.mark.parametrize("path", WATCHED, ids=module_name)
def test_no_module_spells_a_shared_name_itself(path):
    assert list(spelled_out(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "client.xadd('mine', {})",
        "key = 'market:ticks'",
        "key = f'live:{channel}'",
        "database['users'].find()",
        "self._database.get_collection('users')",
        "app.send_task('enrich')",
        "Queue(queue='enrich')",
        "@app.task(name='enrich')\ndef run(): ...",
    ],
)
def test_a_name_spelled_out_is_caught(source):
    assert list(spelled_out(source))


@pytest.mark.parametrize("source", ['"""Reads market:ticks."""', "counter('ticks')", "client.xadd(STREAM, {})"])
def test_words_that_are_no_names_are_not(source):
    assert list(spelled_out(source)) == []


def test_publish_script_announces_and_registers_where_readers_look():
    script = (SHARED / "adapters" / "publish.lua").read_text(encoding="utf-8")
    assert f"local bus, index = '{names.PUBSUB_LIVE}', '{names.LIVE_INDEX}'" in script
    session = "' .. session .. '"  # as Lua puts it into the middle of a text, or at its end
    bus, index = f"'{names.replay_bus(session)}'".removesuffix(" .. ''"), f"'{names.replay_index(session)}'"
    assert f"    bus, index = {bus}, {index}\n" in script
    assert f"redis.call('HEXISTS', '{names.KEY_REPLAY_ORDERS}', session)" in script
    told = re.findall(r"redis\.call\('(PUBLISH|SADD)', (\w+), channel", script)
    assert told == [("SADD", "index"), ("PUBLISH", "bus")]
