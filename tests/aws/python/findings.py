"""What checkov finds in the templates, and parliament and cloudsplaining in the roles, against what is accepted. Run in the workspace's root."""

import json
import os
import subprocess
import sys
from pathlib import Path

import parliament
from accepted_findings import CHECKOV, CLOUDSPLAINING, PARLIAMENT
from cloudsplaining.scan.policy_document import PolicyDocument
from evaluated import deployed, policies

NESTED = {"/network.yaml": "Network/", "/proxy.yaml": "ProxyService/", "/observability.yaml": "Observability/", "/function-alarms.yaml": "FunctionAlarms/"}
ASPECTS = [
    "all_allowed_unrestricted_actions",
    "infrastructure_modification",
    "allows_privilege_escalation",
    "permissions_management_without_constraints",
    "write_actions_without_constraints",
    "tagging_actions_without_constraints",
    "allows_data_exfiltration_actions",
    "credentials_exposure",
    "service_wildcard",
    "contains_statement_using_not_action",
]


def in_templates():
    parts = sorted(map(str, Path("infra/cloudformation").glob("*.yaml")))
    command = [Path(sys.executable).with_name("checkov"), "--framework", "cloudformation", "--output", "json"]
    command.append("--skip-download")  # links to explanations, from its maker
    said = subprocess.run([*command, "--file", "template.yaml", *parts], capture_output=True, text=True, env={**os.environ, "LOG_LEVEL": "ERROR"})
    report = json.loads(said.stdout)
    assert report["summary"]["parsing_errors"] == 0 and report["summary"]["passed"] > 100, (report["summary"], said.stderr)
    for found in report["results"]["failed_checks"]:
        where = Path("/", found["file_path"]).name
        prefix = "" if where == "template.yaml" else NESTED[f"/{where}"]
        yield found["check_id"], prefix + found["resource"].rsplit(".", 1)[1]


def in_roles():
    """With every statement that a parameter adds."""
    role = "arn:aws:iam::123456789012:role/data"
    stack = deployed("faregate", TaskRoleArn=role, SelectableTaskRoleArns=f"{role}2", DashboardSignIn="true")
    by_parliament, by_cloudsplaining = set(), set()
    for logical, _, document in policies(stack):
        # also its community's auditors, who know more of what is dangerous
        policy = parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True)
        by_parliament |= {(finding.issue, logical) for finding in policy.findings}
        document = PolicyDocument(document)
        for aspect in ASPECTS:
            found = getattr(document, aspect)
            if found() if callable(found) else found:
                by_cloudsplaining.add((aspect, logical))
    return by_parliament, by_cloudsplaining


def differences(tool, found, accepted):
    listed = {(finding, where) for finding, places, reason in accepted for where in places if reason}
    found = set(found)
    for finding, where in sorted(found - listed):
        yield f"{tool} finds {finding} in {where}: mend it, or say in accepted_findings.py why it is so"
    for finding, where in sorted(listed - found):
        yield f"{tool} no longer finds {finding} in {where}: take it out of accepted_findings.py"
    print(f"{tool}: {len(found)} findings")


by_parliament, by_cloudsplaining = in_roles()
wrong = [
    *differences("checkov", in_templates(), CHECKOV),
    *differences("parliament", by_parliament, PARLIAMENT),
    *differences("cloudsplaining", by_cloudsplaining, CLOUDSPLAINING),
]
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
