import lock
import pytest

SHARED = {
    "dependencies": ["msgspec>=0.19"],
    "optional-dependencies": {
        "redis": ["redis>=5"],
        "web": ["aro[service]", "gunicorn"],
        "service": ["flask>=3"],
        "loop": ["aro[loop,redis]"],
    },
}


def make_tree(root, *, versions="", hashed="", digest=None):
    files = {
        "services/shared/pyproject.toml": '[project]\nname = "aro"\ndependencies = ["msgspec"]\n'
        '[project.optional-dependencies]\nredis = ["redis>=5"]\n',
        "services/auth/requirements.in": "# words\nflask\n",
        "services/auth/pyproject.toml": '[project]\nname = "auth"\ndependencies = ["aro[redis]"]\n',
        "scripts/requirements.in": "supervisor\n",
        "tests/requirements.in": "pytest>=9  # newer\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    constraints = lock.constraints_target(root)
    constraints.output.write_text(f"# inputs sha256:{digest or constraints.digest}\n{versions}")
    for target in lock.targets(root):
        target.output.write_text(f"# inputs sha256:{target.digest}\n{hashed}")
    return root


def test_extras_of_our_package_become_what_they_need():
    assert lock.expand(["aro[web, redis]", "numpy"], SHARED) == {
        "flask>=3",
        "gunicorn",
        "redis>=5",
        "msgspec>=0.19",
        "numpy",
    }


def test_extras_that_name_each_other_end():
    assert lock.expand(["aro[loop]"], SHARED) == {"redis>=5", "msgspec>=0.19"}


def test_unknown_extra_is_an_error():
    with pytest.raises(lock.LockError, match="does not have"):
        lock.expand(["aro[typo]"], SHARED)


@pytest.mark.parametrize("line", ["-r other.txt", "--index-" + "url x", "./path"])
def test_only_plain_requirements_are_read(tmp_path, line):
    file = tmp_path / "requirements.in"
    file.write_text(f"flask\n{line}\n")
    with pytest.raises(lock.LockError, match="not a plain requirement"):
        lock.read_requirements(file)


def test_platform_and_tests_contain_what_all_services_need(tmp_path):
    targets = {target.output.parent.name: set(target.requirements) for target in lock.targets(make_tree(tmp_path))}
    assert targets["auth"] == {"flask", "redis>=5", "msgspec"}
    assert targets["scripts"] == targets["auth"] | {"supervisor"}
    assert targets["tests"] == targets["scripts"] | {"pytest>=9"}


@pytest.mark.parametrize("folder", ["scripts/tools", "tests/load/peers"])
def test_tools_and_peers_share_no_version_with_anybody(tmp_path, folder):
    root = make_tree(tmp_path)
    tools = root / folder
    tools.mkdir(parents=True)
    (tools / "requirements.in").write_text("checkov\n")
    (target,) = lock.tool_targets(root)
    assert target.requirements == ("checkov",)
    assert all("checkov" not in other.requirements for other in [*lock.targets(root), lock.constraints_target(root)])
    assert lock.faults(root) == [f"{folder}/requirements.txt was not compiled from the present requirements"]
    target.output.write_text(f"# inputs sha256:{target.digest}\ncheckov==3.3\n")
    assert lock.faults(root) == [f"{folder}/requirements.txt: checkov==3.3 has no hash"]


def test_pins_are_read_with_marker_and_canonical_name():
    text = "Typing_Extensions==4.1 \\\n    --hash=sha256:ab\n"
    text += 'colorama==0.4 ; sys_platform == "win32" \\\n    --hash=sha256:cd\n'
    assert lock.pins(text) == {"typing-extensions": "4.1", "colorama": '0.4 ; sys_platform == "win32"'}


def test_compiled_tree_is_up_to_date(tmp_path):
    root = make_tree(tmp_path, versions="flask==3.1\n", hashed="flask==3.1 \\\n    --hash=sha256:ab\n")
    assert lock.faults(root) == []


def test_changed_inputs_are_noticed(tmp_path):
    root = make_tree(tmp_path)
    (root / "services/auth/requirements.in").write_text("flask\nlimits\n")
    stale = lock.faults(root)
    assert len(stale) == 4
    assert all("not compiled from the present requirements" in fault for fault in stale)


@pytest.mark.parametrize(
    ("hashed", "fault"),
    [
        ("flask==3.0 \\\n    --hash=sha256:ab\n", "constraints.txt 3.1"),
        ("flask==3.1\n", "has no hash"),
        ("--extra-index-" + "url https://somewhere\n", "names an index or a path"),
    ],
)
def test_other_versions_missing_hashes_and_indexes_are_noticed(tmp_path, hashed, fault):
    root = make_tree(tmp_path, versions="flask==3.1\n", hashed=hashed)
    assert any(fault in found for found in lock.faults(root))
