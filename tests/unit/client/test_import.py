"""Importing the package costs little more than importing distributed."""

import subprocess
import sys

PROGRAM = """
import sys
import distributed, distributed.deploy.cluster
before = set(sys.modules)
import dask_operator_client
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_nothing_is_loaded_that_only_a_connection_needs() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    others = set(done.stdout.split()) - sys.stdlib_module_names
    assert others == {"dask_operator_api", "dask_operator_client"}


def test_the_plugin_of_the_dask_command_loads_nothing_either() -> None:
    program = PROGRAM.replace("import dask_operator_client\n", "import dask_operator_client.cli\n")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"kubernetes", "aiohttp"} & set(done.stdout.split())
