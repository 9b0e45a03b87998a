import pytest

from textune.models import device
from textune.models.device import machine_bytes, memory_bytes, usable_bytes


@pytest.fixture
def group(tmp_path, monkeypatch):
    """The folder of a job's control group, whose process this is, on a machine without CUDA."""
    monkeypatch.setattr(device, "has_cuda", lambda: False)
    monkeypatch.setattr(device, "GROUPS", tmp_path)
    monkeypatch.setattr(device, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("1:cpu:/other\n0::/slice/job\n")
    folder = tmp_path / "slice" / "job"
    folder.mkdir(parents=True)
    return folder


def test_memory_is_what_the_closest_limit_of_a_control_group_leaves(group):
    assert memory_bytes() == machine_bytes()
    (group / "memory.max").write_text("max\n")
    assert memory_bytes() == machine_bytes()
    (group.parent / "memory.max").write_text("3000000\n")
    assert memory_bytes() == 3_000_000
    (group / "memory.max").write_text("5000000\n")
    assert memory_bytes() == 3_000_000
    (group / "memory.max").write_text("2000000\n")
    assert (memory_bytes(), usable_bytes()) == (2_000_000, 1_800_000)


def test_so_it_is_with_groups_of_the_first_version(group):
    device.OWN_GROUPS.write_text("4:memory:/slice/job\n0::/\n")
    folder = device.GROUPS / "memory" / "slice" / "job"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("1000000\n")
    (folder.parent / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
    (group / "memory.max").write_text("500\n")
    assert memory_bytes() == 1_000_000


def test_without_control_groups_it_is_the_machines(group):
    (group / "memory.max").write_text("2000000\n")
    device.OWN_GROUPS.unlink()
    assert memory_bytes() == machine_bytes() > 2_000_000
