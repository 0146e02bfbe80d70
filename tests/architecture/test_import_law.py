import pytest
from import_law import imports, module_name, service_packages, source_files, violations

SERVICES = set(service_packages())


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_imports_go_down_only(path):
    source = path.read_text(encoding="utf-8")
    assert violations(module_name(path), source, SERVICES, is_package=path.name == "__init__.py") == []


def test_there_is_something_to_test():
    assert {"auth_service", "feed_generator", "socket_gateway", "storage_service", "worker_enricher"} <= SERVICES
    assert len(source_files()) > 50


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("aro.contracts.market", "import numpy"),
        ("aro.contracts.market", "from aro.quant import black"),
        ("aro.contracts.market", "import aro.adapters.mongo"),
        ("aro.quant.black", "from aro import adapters"),
        ("aro.quant.black", "import redis"),
        ("aro.quant.black", "import msgspec"),
        ("aro.adapters.mongo", "from aro.quant.black import price"),
        ("aro.adapters.mongo", "from aro.runtime.logs import get_logger"),
        ("aro.adapters.mongo", "import flask"),
        ("aro.adapters.mongo", "from ..quant import black"),
        ("aro.adapters.mongo", "import secantus"),
        ("aro.runtime.web", "from aro.adapters.embedded_mongo import PANIC"),
        ("aro.runtime.web", "import aro.quant"),
        ("aro.runtime.web", "import numpy as np"),
        ("aro.runtime.web", "import auth_service"),
        ("aro.testing.servers", "import feed_generator.feed"),
        ("auth_service.app", "from storage_service import reader"),
        ("auth_service.app", "from aro.testing.servers import RedisServer"),
        ("auth_service.app", "def late():\n    import worker_enricher.pipeline"),
        ("auth_service.app", "if TYPE_CHECKING:\n    from socket_gateway.channels import Channels"),
        ("auth_service.app", "importlib.import_module('feed_generator.feed')"),
        ("auth_service.app", "__import__('feed_generator')"),
    ],
)
def test_a_wrong_import_is_caught(name, source):
    assert violations(name, source, SERVICES | {"auth_service", "storage_service", "feed_generator"})


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("aro.contracts.market", "import msgspec, datetime"),
        ("aro.quant.black", "from scipy import special\nfrom aro.contracts import products"),
        ("aro.adapters.mongo", "import pymongo\nfrom . import paging"),
        ("aro.adapters.embedded_mongo", "from secantus import cli"),
        ("aro.runtime.web", "import flask\nfrom aro.adapters.tokens import TokenVerifier"),
        ("auth_service.app", "import numpy\nfrom aro.quant import black\nfrom auth_service import keys"),
        ("auth_service.app", "from . import keys\nfrom .keys import load_or_create"),
    ],
)
def test_a_right_import_is_not(name, source):
    assert violations(name, source, SERVICES | {"auth_service"}) == []


def test_relative_imports_are_resolved_from_modules_and_packages():
    assert [item.module for item in imports("a.b.c", "from . import x\nfrom ..d import y")] == ["a.b", "a.d"]
    assert [item.module for item in imports("a.b", "from . import x", is_package=True)] == ["a.b"]


def test_what_only_a_type_checker_reads_is_law_but_not_loaded():
    source = "if TYPE_CHECKING:\n    import a\nelse:\n    import b\n\ndef f():\n    import c\n"
    assert [item.module for item in imports("m", source)] == ["a", "b", "c"]
    assert [item.module for item in imports("m", source, at_run=True)] == ["b", "c"]
