"""Two rules of our own, and taking all iptables rules of the cluster away again, and nobody else's."""

import re
from collections.abc import Iterator

from localcluster.debian import installed
from localcluster.shell import LocalClusterError, capture, succeeds

TABLES = ("iptables", "ip6tables")
PREFIXES = ("KUBE-", "CNI-")


REFUSED = "CNI-REFUSED"
"""The chain of our own: its name is one of those that are taken away at the end."""


def refuse(addresses: str) -> None:
    """Have what goes to these addresses, and is not sent elsewhere before, refused rather than leave the machine.

    A Service's address is an address of nobody until kube-proxy has heard of it. Whatever is outside may answer then: a
    proxy of the network does so for any address, in words that no client of the Service understands.
    """
    _keep_in(addresses, "REJECT")


def lose(addresses: str) -> None:
    """Have what leaves the machine for these addresses lost: nobody answers, and nobody refuses, as on a lost node."""
    _keep_in(addresses, "DROP", "!", "-o", "lo")


def _keep_in(addresses: str, target: str, *only: str) -> None:
    succeeds(["iptables", "-N", REFUSED])
    _ensure_rule([REFUSED, "-d", addresses, *only, "-j", target])
    for hook in ("FORWARD", "OUTPUT"):
        _ensure_rule([hook, "-j", REFUSED])


def _ensure_rule(rule: list[str]) -> None:
    """Have a rule, before all others of its chain."""
    if not succeeds(["iptables", "-C", *rule]):
        capture(["iptables", "-I", *rule])


def chains(saved: str) -> set[str]:
    """Chains in the output of iptables-save with the names of Kubernetes or a CNI plugin. Pure."""
    return {
        line[1:].split()[0]
        for line in saved.splitlines()
        if line.startswith(tuple(f":{p}" for p in PREFIXES))
    }


def removal(saved: str, keep: set[str]) -> str:
    """Input for `iptables-restore --noflush` that removes those chains and all rules to them. Pure.

    `keep` are chains that were there before us. Empty when there is nothing to remove. All other rules stay
    untouched: they are not even named.
    """
    parts = []
    for table, lines in _tables(saved):
        ours = chains("\n".join(lines)) - keep
        rules = [line for line in lines if line.startswith("-A ")]
        leading = [rule for rule in rules if rule.split()[1] not in ours and _target(rule) in ours]
        if ours:
            commands = [f"-D{rule[2:]}" for rule in leading]
            commands += [f"-F {chain}" for chain in sorted(ours)] + [f"-X {chain}" for chain in sorted(ours)]
            parts.append("\n".join([f"*{table}", *commands, "COMMIT", ""]))
    return "".join(parts)


def _tables(saved: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", list[str]()
    for line in saved.splitlines():
        if line.startswith("*"):
            name, lines = line[1:], []
        elif line == "COMMIT":
            yield name, lines
        else:
            lines.append(line)


def _target(rule: str) -> str:
    match = re.search(r" (?:-j|-g|--jump|--goto) (\S+)", rule)
    return match.group(1) if match else ""


def all_chains() -> set[str]:
    """The chains of that kind that there are now, IPv4 and IPv6."""
    return {chain for command in TABLES for chain in chains(_save(command))}


def clean(keep: set[str]) -> None:
    """Remove our chains and the rules that lead to them. Raises LocalClusterError when some are left."""
    for command in TABLES:
        script = removal(_save(command), keep)
        if script:
            capture([f"{command}-restore", "--noflush"], stdin=script)
    left = all_chains() - keep
    if left:
        raise LocalClusterError(f"iptables chains are left: {', '.join(sorted(left))}")


def _save(command: str) -> str:
    if not installed(f"{command}-save"):
        return ""
    try:
        return capture([f"{command}-save"])
    except LocalClusterError:
        return ""  # a kernel without IPv6
