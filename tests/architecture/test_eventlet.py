"""Eventlet is kept where it can be replaced: `.github/decisions/0001-eventlet.md`."""

import ast

from import_law import module_name, source_files

KNOW_IT = {"socket_gateway.boot", "socket_gateway.entrance", "socket_gateway.loop"}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_few_modules_know_eventlet():
    found = {
        module_name(path)
        for path in source_files()
        if any(name.split(".")[0] == "eventlet" for name in imported(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found <= KNOW_IT


def test_the_patch_is_in_one_place():
    found = {module_name(path) for path in source_files() if "monkey_patch(" in path.read_text(encoding="utf-8")}
    assert found == {"socket_gateway.boot"}
