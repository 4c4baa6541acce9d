"""The audit: what is vulnerable fails, what is not known is never called safe."""

import json
from datetime import date

import pytest

from scripts.audit import EXCEPTIONS, Accepted, Advisory, Audit, judge, of_npm, of_pip, read_exceptions

TODAY = date(2026, 11, 24)
FLAW = Advisory("granian", ("GHSA-1", "CVE-1"), "a flaw")
ACCEPTED = Accepted("CVE-1", "granian", "not reachable here", date(2026, 12, 31))


def pip(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def npm(**vulnerabilities: object) -> str:
    return json.dumps(
        {
            "auditReportVersion": 2,
            "vulnerabilities": vulnerabilities,
            "metadata": {"vulnerabilities": {"total": len(vulnerabilities)}, "dependencies": {"total": 480}},
        }
    )


SKIPPED = "Dependency not found and could not be audited: starlette (1.10.0)"
VITE = {"source": 1, "name": "vite", "title": "Reads too much", "url": "https://example.org/advisories/GHSA-2"}


def test_pip_tells_what_is_vulnerable_what_is_not_and_what_it_does_not_know() -> None:
    known = {"id": "GHSA-1", "fix_versions": ["3"], "aliases": ["CVE-1"], "description": "a flaw\nin detail"}
    report = pip(
        {"name": "granian", "version": "2", "vulns": [known]},
        {"name": "anyio", "version": "4", "vulns": []},
        {"name": "starlette", "skip_reason": SKIPPED},
    )
    assert of_pip(report) == Audit("Python", audited=2, found=(FLAW,), unaudited=("starlette",))


def test_npm_tells_each_advisory_once_and_by_the_package_that_has_it() -> None:
    report = npm(
        vite={"name": "vite", "severity": "high", "via": [VITE]},
        plugin={"name": "plugin", "severity": "high", "via": ["vite", VITE]},
    )
    flaw = Advisory("vite", ("GHSA-2",), "Reads too much")
    assert of_npm(report) == Audit("npm", audited=480, found=(flaw,))
    assert of_npm(npm()) == Audit("npm", audited=480)


@pytest.mark.parametrize("said", ["", "<html>", "[]", '{"message": "405 Method Not Allowed", "statusCode": 405}'])
def test_a_service_that_does_not_answer_is_no_clean_bill(said: str) -> None:
    for audit in (of_pip(said), of_npm(said)):
        assert audit.unaudited == ("all, for the advisory service did not answer",)
        status, lines = judge([audit], [], TODAY, is_strict=False)
        assert status == 0
        assert lines[0] == f"{audit.name}: not audited: all, for the advisory service did not answer"
        assert "nothing is known" in lines[-1]
        assert judge([audit], [], TODAY, is_strict=True)[0] == 2


def test_packages_that_no_list_has_are_named() -> None:
    unknown = of_pip(pip(*({"name": f"package-{number}", "skip_reason": SKIPPED} for number in range(7))))
    status, lines = judge([unknown], [], TODAY, is_strict=False)
    assert status == 0
    assert lines[0].startswith("Python: not audited: package-0, package-1")
    assert lines[0].endswith("and 2 more")
    assert judge([of_pip(pip())], [], TODAY, is_strict=True)[0] == 2, "nothing asked is nothing known"


def test_a_vulnerability_fails_and_one_that_is_accepted_does_not() -> None:
    audits = [Audit("Python", audited=2, found=(FLAW,))]
    assert judge(audits, [], TODAY, is_strict=False) == (
        1,
        [
            "Python: granian GHSA-1/CVE-1 a flaw - VULNERABLE",
            "Python: 2 packages audited, known vulnerabilities: 1",
        ],
    )
    status, lines = judge(audits, [ACCEPTED], TODAY, is_strict=True)
    assert status == 0
    assert lines[0].endswith("accepted until 2026-12-31: not reachable here")


@pytest.mark.parametrize(
    ("exception", "today"),
    [
        (ACCEPTED, date(2027, 1, 1)),
        (Accepted("CVE-2", "granian", "another", date(2027, 1, 1)), TODAY),
        (Accepted("CVE-1", "vite", "another", date(2027, 1, 1)), TODAY),
    ],
)
def test_an_exception_is_for_one_vulnerability_of_one_package_until_a_day(exception: Accepted, today: date) -> None:
    assert judge([Audit("Python", audited=1, found=(FLAW,))], [exception], today, is_strict=False)[0] == 1


def test_what_is_found_fails_even_where_something_else_is_not_known() -> None:
    audits = [Audit("Python", audited=1, found=(FLAW,)), of_npm("")]
    assert judge(audits, [], TODAY, is_strict=False)[0] == 1


def test_an_exception_needs_its_reason_and_its_day() -> None:
    entry = '[[exception]]\nid = "CVE-1"\npackage = "granian"\nreason = "not reachable here"\n'
    assert read_exceptions(f"{entry}expires = 2026-12-31") == (ACCEPTED,)
    with pytest.raises(TypeError, match="expires"):
        read_exceptions(entry)


def test_the_exceptions_of_this_project_can_be_read() -> None:
    assert all(exception.reason for exception in read_exceptions(EXCEPTIONS.read_text()))
