"""One Dockerfile per service, and all of them alike: what is mended in one is mended in all."""

import re

import pytest
from import_law import ROOT, service_packages

SERVICES = {folder.name: package for package, folder in service_packages().items()}
COMPILER = re.compile(r"# hadolint ignore=DL3008\nRUN apt-get update .* gcc .*\n")
FOLDERS_OF_VOLUMES = re.compile(r" \\\n && install -d -o aro[^\n]*(?:\n  +[^\n]*)*")
SERVES_THE_PAGE = "api-gateway"
PAGE_STAGE = re.compile(r"# Node.js .*\nFROM base AS page\n(?:.+\n)+\n|COPY --from=page .*\n| \\\n    ARO_PAGE_DIR=.*")
"""The dashboard is built in the image of the service that serves it, and nowhere else."""
COMPILES = {"analytics", "worker-enricher"}
"""Services that solve volatilities, with the kernel that their images are built with."""


def normal(service: str) -> str:
    """The Dockerfile with this service's own words taken out."""
    text = (ROOT / "services" / service / "Dockerfile").read_text(encoding="utf-8")
    title = re.match(r"# (.+)\. Context is", text)
    assert title is not None
    for word, name in ((title[1], "TITLE"), (SERVICES[service], "PACKAGE")):
        text = text.replace(word, name)
    text = re.sub(rf"(services/|option-aro |\./|COPY services/SERVICE )?\b{re.escape(service)}\b", r"\1SERVICE", text)
    if service == SERVES_THE_PAGE:
        text = PAGE_STAGE.sub("", text)
    return FOLDERS_OF_VOLUMES.sub("", COMPILER.sub("", text))


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_dockerfiles_differ_in_names_only(service: str) -> None:
    assert normal(service) == normal("storage")


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_the_kernel_is_compiled_where_it_is_used(service: str) -> None:
    text = (ROOT / "services" / service / "Dockerfile").read_text(encoding="utf-8")
    assert bool(COMPILER.search(text)) == (service in COMPILES)
