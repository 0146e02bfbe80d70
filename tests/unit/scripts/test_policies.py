import policies
import pytest
from policies import Failure, Justification

FAILED = Failure("CKV_K8S_15", "Always pull", "Deployment.option-aro.auth", "k8s/local.yaml")
REPORT = {
    "results": {
        "failed_checks": [
            {
                "check_id": "CKV_K8S_15",
                "check_name": "Always pull",
                "resource": FAILED.resource,
                "file_path": "/k8s/local.yaml",
            }
        ],
        "passed_checks": [{"file_path": "/services/auth/Dockerfile"}],
    }
}


def document(reason, *, failures=True):
    entries = f'[{{check: CKV_K8S_15, resources: ["Deployment.*"], reason: "{reason}"}}]' if failures else "[]"
    excused = "[]" if failures else f'[{{file: a.yml, reason: "{reason}"}}]'
    return f"failures: {entries}\nunread: {excused}\n"


def test_reports_of_one_and_of_several_frameworks_are_read():
    assert policies.results(REPORT) == ([FAILED], {"k8s/local.yaml", "services/auth/Dockerfile"})
    assert policies.results([REPORT, {"passed": 0}])[0] == [FAILED]


def test_a_failure_must_be_justified():
    assert policies.faults([FAILED], [Justification("CKV_K8S_15", "Deployment.*")]) == []
    (fault,) = policies.faults([FAILED], [])
    assert "CKV_K8S_15 Always pull: Deployment.option-aro.auth" in fault


@pytest.mark.parametrize("pattern", ["StatefulSet.*", "Deployment.option-aro.storage"])
def test_a_justification_holds_for_its_resources_only_and_goes_with_its_failure(pattern):
    unjustified, in_vain = policies.faults([FAILED], [Justification("CKV_K8S_15", pattern)])
    assert "Always pull" in unjustified
    assert in_vain == f"CKV_K8S_15 is justified for {pattern}, where nothing fails"


def test_a_file_that_checkov_passes_over_is_noticed():
    assert policies.unread_faults({"a.yml", "b.yml"}, {"b.yml"}, set()) == [
        "a.yml was not checked: checkov could not read it"
    ]
    assert policies.unread_faults({"a.yml"}, set(), {"a.yml"}) == []
    assert policies.unread_faults({"a.yml"}, {"a.yml"}, {"a.yml"}) == ["a.yml is excused from being read, and is read"]


@pytest.mark.parametrize("failures", [True, False])
def test_every_entry_needs_a_reason(failures):
    assert policies.justifications(document("eight words are what makes a reason a sentence", failures=failures))
    with pytest.raises(policies.PolicyError, match="without a reason"):
        policies.justifications(document("because", failures=failures))


def test_the_file_of_the_repository_is_read():
    justified, excused = policies.justifications(policies.JUSTIFIED.read_text(encoding="utf-8"))
    assert justified
    assert all((policies.ROOT / name).is_file() for name in excused)
