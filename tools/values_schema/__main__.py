"""``python -m tools.values_schema [--check]``: writes values.schema.json, or says whether it is as it would be."""

import json
import sys
from pathlib import Path

import yaml

from tools.values_schema import build

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("schema.yaml")
KUBERNETES = ROOT / "build" / "openapi" / "kubernetes-1.36" / "swagger.json"
"""The newest of those that `make tools` brings: what an older release does not know, its API server refuses."""
TARGET = ROOT / "charts" / "dask-operator" / "values.schema.json"


def text() -> str:
    """What values.schema.json has to be."""
    if not KUBERNETES.exists():
        sys.exit(f"{KUBERNETES} is missing: run `make tools`")
    schema = build(yaml.safe_load(SOURCE.read_text()), json.loads(KUBERNETES.read_text()))
    return json.dumps(schema, indent=1) + "\n"


def main() -> None:
    """Write, or with ``--check`` compare."""
    wanted = text()
    if "--check" not in sys.argv:
        TARGET.write_text(wanted)
    elif TARGET.read_text() != wanted:
        sys.exit(f"{TARGET} is not what tools/values_schema makes: run `make chart`")


if __name__ == "__main__":
    main()
