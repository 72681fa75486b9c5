import json
from pathlib import Path

import pytest
from localcluster.daemons import Daemon
from localcluster.images import Order, build_key
from localcluster.settings import Settings

from localcluster import cluster, controlplane, dns, fakenodes, health, node

TOOLS = {name: f"/cache/{name}" for name in ("kubernetes", "kwok", "coredns", "charts", "pause")}
DEFAULT = Settings(address="192.0.2.7", bridge_netfilter=True, tools=TOOLS)


def commands(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {daemon.name: daemon.command for daemon in cluster.definitions(settings)}


def test_every_component_is_defined_and_called_like_its_program() -> None:
    programs = {name: Path(command[0]).name for name, command in commands(DEFAULT).items()}

    assert programs == {name: name for name in cluster.COMPONENTS}


def test_raised_client_limits_change_the_controller_manager_and_the_scheduler_only() -> None:
    raised = DEFAULT.changed("raised", None)

    changed = {name for name, command in commands(raised).items() if command != commands(DEFAULT)[name]}

    assert changed == {"kube-controller-manager"}
    assert controlplane.scheduler_config(raised) != controlplane.scheduler_config(DEFAULT)


def test_settings_that_are_not_asked_for_stay_as_they_are() -> None:
    raised = DEFAULT.changed("raised", 9)

    assert raised.changed(None, None) == raised


def test_another_build_of_a_tool_changes_the_components_made_of_it() -> None:
    rebuilt = Settings(**{**vars(DEFAULT), "tools": {**TOOLS, "kwok": "/cache/kwok-new"}})

    changed = {name for name, command in commands(rebuilt).items() if command != commands(DEFAULT)[name]}

    assert changed == {"kwok"}


def test_a_component_is_outdated_when_a_file_it_read_changes(tmp_path: Path) -> None:
    config = tmp_path / "config"
    daemon = Daemon("x", ("x",), lambda: True, inputs=(config,))
    config.write_text("one")
    before = daemon.key()

    config.write_text("two")

    assert daemon.key() != before


def test_the_api_server_logs_every_call_before_it_answers() -> None:
    assert "--audit-log-mode=blocking" in controlplane.api_server_flags(DEFAULT)


def test_services_are_masqueraded_where_bridged_packets_bypass_iptables() -> None:
    blind = Settings(address="192.0.2.7", bridge_netfilter=False)

    assert node.proxy_config(blind)["iptables"] == {"masqueradeAll": True}
    assert node.proxy_config(DEFAULT)["iptables"] == {"masqueradeAll": False}


def test_configurations_are_plain_data() -> None:
    for config in (node.kubelet_config(), node.network_config(), controlplane.audit_policy()):
        assert json.loads(json.dumps(config)) == config


def test_names_outside_the_cluster_go_to_the_machines_resolver_if_it_has_one() -> None:
    assert "forward ." in dns.corefile(forward=True)
    assert "forward ." not in dns.corefile(forward=False)
    assert dns.has_resolver("# none\nnameserver 192.0.2.53\n")
    assert not dns.has_resolver("search example\nnameserver 10.244.0.1\n")


def test_fake_nodes_are_added_and_removed_but_the_real_one_stays() -> None:
    assert fakenodes.changes(2, {"node1", "fake-1", "fake-7"}) == ([0], ["fake-7"])
    assert fakenodes.changes(0, {"node1"}) == ([], [])


def test_a_dns_question_is_encoded_label_by_label() -> None:
    assert health.dns_query("a.bc.", 1)[12:] == b"\x01a\x02bc\x00\x00\x01\x00\x01"


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1")
    return Order("localhost/x:dev", tmp_path / "Dockerfile", tmp_path, {"A": "1"}, (Path("src"),))


def test_an_image_is_built_anew_when_an_input_changes(order: Order) -> None:
    before = build_key(order, "base")

    (order.context / "src" / "a.py").write_text("2")

    assert build_key(order, "base") != before


def test_an_image_is_not_built_anew_for_a_file_that_is_no_input(order: Order) -> None:
    before = build_key(order, "base")

    (order.context / "README").write_text("hello")

    assert build_key(order, "base") == before


def test_an_image_is_built_anew_on_another_base(order: Order) -> None:
    assert build_key(order, "base") != build_key(order, "other base")
