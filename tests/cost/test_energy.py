import sys
import types

import pytest

from textune.cost.energy import WATTS_PER_CORE, Energy, counting_energy


@pytest.fixture
def powercap(monkeypatch, tmp_path):
    """An empty folder in place of the kernel's counters."""
    monkeypatch.setattr("textune.cost.energy.POWERCAP", tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def no_nvml(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def add_zone(powercap, folder, name, microjoules, largest=1_000_000_000):
    zone = powercap / folder
    zone.mkdir()
    (zone / "name").write_text(f"{name}\n")
    (zone / "energy_uj").write_text(f"{microjoules}\n")
    (zone / "max_energy_range_uj").write_text(f"{largest}\n")
    return zone / "energy_uj"


class FakeNvml(types.ModuleType):
    """NVML with two devices that count millijoules by hand."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, counts=True):
        super().__init__("pynvml")
        self.counts = counts
        self.millijoules = {0: 5_000, 1: 9_000}

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return {"GPU-second": 1}[uuid]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        if not self.counts:
            raise self.NVMLError("not supported")
        return self.millijoules[handle]


@pytest.fixture
def nvml(monkeypatch):
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_packages_and_their_memory_are_summed_and_parts_of_packages_are_not(powercap):
    counters = [
        add_zone(powercap, "intel-rapl:0", "package-0", 1_000_000),
        add_zone(powercap, "intel-rapl:1", "package-1", 0),
        add_zone(powercap, "intel-rapl:0:1", "dram", 0),
        add_zone(powercap, "intel-rapl:0:0", "core", 0),
        add_zone(powercap, "intel-rapl-mmio:0", "package-0", 1_000_000),
    ]
    with counting_energy(has_device=False) as meter:
        for counter in counters:
            counter.write_text("3000000")
        energy = meter.energy(cpu_seconds=1.0)
    assert energy.joules == pytest.approx(2 + 3 + 3)
    assert energy.provenance == "counter"


def test_a_counter_that_starts_again_from_zero_loses_nothing(powercap):
    counter = add_zone(powercap, "intel-rapl:0", "package-0", 9_000_000, largest=9_999_999)
    with counting_energy(has_device=False) as meter:
        counter.write_text("2000000")
        energy = meter.energy(cpu_seconds=1.0)
    assert energy.joules == pytest.approx(3)


def test_counters_are_read_in_the_background_so_that_several_laps_count(powercap, monkeypatch):
    counter = add_zone(powercap, "intel-rapl:0", "package-0", 0, largest=9_999_999)
    with counting_energy(has_device=False) as meter:
        for microjoules in (6_000_000, 2_000_000, 8_000_000, 4_000_000):
            counter.write_text(str(microjoules))
            meter.advance()
        energy = meter.energy(cpu_seconds=1.0)
    assert energy.joules == pytest.approx(24)


def test_a_counter_that_may_not_be_read_leads_to_an_estimate(powercap):
    add_zone(powercap, "intel-rapl:0", "package-0", 0).unlink()
    with counting_energy(has_device=False) as meter:
        energy = meter.energy(cpu_seconds=10.0)
    assert energy.provenance == "estimate"


def test_without_counters_the_estimate_says_what_it_assumed(powercap):
    with counting_energy(has_device=False) as meter:
        energy = meter.energy(cpu_seconds=10.0)
    assert energy.joules == 10 * WATTS_PER_CORE
    assert energy.provenance == "estimate"
    assert f"{WATTS_PER_CORE:g} W" in energy.note


def test_an_accelerator_that_does_not_count_has_no_energy(powercap, monkeypatch):
    with counting_energy(has_device=True) as meter:
        assert meter.energy(cpu_seconds=10.0) is None
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(counts=False))
    with counting_energy(has_device=True) as meter:
        assert meter.energy(cpu_seconds=10.0) is None


def test_an_accelerator_is_counted_alone_where_the_processor_is_not(powercap, nvml):
    with counting_energy(has_device=True) as meter:
        nvml.millijoules[0] += 2_500
        energy = meter.energy(cpu_seconds=10.0)
    assert energy == Energy(joules=2.5, provenance="counter", note="accelerator, no processor")


def test_accelerator_and_processor_are_summed_where_both_count(powercap, nvml):
    counter = add_zone(powercap, "intel-rapl:0", "package-0", 0)
    with counting_energy(has_device=True) as meter:
        nvml.millijoules[0] += 2_500
        counter.write_text("1000000")
        energy = meter.energy(cpu_seconds=10.0)
    assert energy.joules == pytest.approx(3.5)
    assert energy.note == "accelerator and processor"


def test_an_idle_accelerator_is_not_counted(powercap, nvml):
    with counting_energy(has_device=False) as meter:
        nvml.millijoules[0] += 2_500
        assert meter.energy(cpu_seconds=1.0).provenance == "estimate"


@pytest.mark.parametrize("visible", ["1", "1,0", "GPU-second"])
def test_the_first_visible_accelerator_is_the_one_counted(powercap, nvml, monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with counting_energy(has_device=True) as meter:
        nvml.millijoules[1] += 1_000
        assert meter.energy(cpu_seconds=1.0).joules == 1
