"""What the build of an image is told and given."""

from pathlib import Path

from localcluster.images import Order, build_key, build_mounts, pip_conf

from localcluster import images


def test_pip_finds_packages_of_ours_where_there_are_some() -> None:
    index = {"PIP_INDEX_URL": "https://example.com/simple"}
    told = pip_conf(index, certified=True, wheels=True).splitlines()
    assert told[0] == "[global]"
    assert {"find-links = /wheels", "index-url = https://example.com/simple"} < set(told)
    assert any(line.startswith("cert = ") for line in told)
    assert len(pip_conf({}, certified=False, wheels=False).splitlines()) == len(told) - 3


def test_a_build_sees_the_folder_of_packages_and_nothing_of_it_otherwise(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    mounted = build_mounts(tmp_path, {}, wheels)
    assert mounted[wheels] == images.WHEELS
    assert f"find-links = {images.WHEELS}" in (tmp_path / "pip.conf").read_text()
    assert images.WHEELS not in build_mounts(tmp_path, {}).values()


def test_an_image_that_stands_in_for_another_makes_another_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a")
    plain = Order("localhost/x:dev", tmp_path / "Dockerfile", tmp_path, {}, ())
    other = Order("localhost/x:dev", tmp_path / "Dockerfile", tmp_path, {}, (), {"a": "localhost/b"})
    assert build_key(plain, "base") != build_key(other, "base")
