"""What a go.mod file says, as far as this package needs it. Pure."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class GoMod:
    """Go version wanted, the packages named by `tool` directives, and the version of each required module."""

    go: str
    tools: tuple[str, ...]
    requires: dict[str, str]

    def version(self, module: str) -> str:
        """Version of a required module, like `v1.36.3`. Raises KeyError when it is not required."""
        return self.requires[module]

    def module_of(self, package: str) -> str:
        """The required module that a package belongs to: the longest that is a prefix of its path."""
        matches = [m for m in self.requires if package == m or package.startswith(m + "/")]
        return max(matches, key=len)


def parse(text: str) -> GoMod:
    """Read a go.mod: both the one-line and the block form of each directive, comments ignored."""
    go = ""
    tools: list[str] = []
    requires: dict[str, str] = {}
    for verb, words in _directives(text):
        if verb == "go" and words:
            go = words[0]
        elif verb == "tool" and words:
            tools.append(words[0])
        elif verb == "require" and len(words) >= 2:
            requires[words[0]] = words[1]
    return GoMod(go, tuple(tools), requires)


def _directives(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    block = ""
    for line in text.splitlines():
        words = re.sub(r"//.*", "", line).split()
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
            else:
                found.append((block, words))
        elif words[-1] == "(":
            block = words[0]
        else:
            found.append((words[0], words[1:]))
    return found


def version_tuple(version: str) -> tuple[int, ...]:
    """`go1.26.8`, `v1.36.3` or `1.26` as numbers to compare; what follows the numbers is ignored."""
    match = re.match(r"(?:go|v)?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()
