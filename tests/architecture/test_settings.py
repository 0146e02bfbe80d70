"""Settings are documented, and .env.example lists exactly those that exist."""

import ast
import re

import pytest
import settings_table
from import_law import ROOT, module_name, source_files

MODULES = settings_table.modules(ROOT)
# A person's command line, the one reader of settings, the frame of test servers, and the probe, which has no settings
# of its own but asks the process beside it, may name variables.
MAY_NAME_VARIABLES = re.compile(r"(.*\.)?(settings|__main__|probe)$|aro\.testing\..*")


@pytest.mark.parametrize("module", MODULES)
def test_every_setting_says_what_it_means(module):
    assert settings_table.undocumented(module) == []
    assert list(settings_table.variables(module))


def test_example_lists_exactly_the_settings_that_exist():
    text = settings_table.EXAMPLE.read_text(encoding="utf-8")
    listed = re.findall(r"^#?(ARO_[A-Z_]+)=", text, re.MULTILINE)
    existing = {variable.name for module in MODULES for variable in settings_table.variables(module)}
    assert len(listed) == len(set(listed))
    assert set(listed) == existing
    assert text == settings_table.example(MODULES)


def test_one_variable_has_one_default():
    defaults = {}
    for module in MODULES:
        for variable in settings_table.variables(module):
            # None (required) beside "" (may be left out) is a difference between processes, not in meaning.
            if variable.default:
                defaults.setdefault(variable.name, set()).add(variable.default)
    assert {name: values for name, values in defaults.items() if len(values) > 1} == {}


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_only_settings_name_variables(path):
    if MAY_NAME_VARIABLES.fullmatch(module_name(path)):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in found if re.fullmatch(r"ARO_[A-Z_]+", text)] == []
