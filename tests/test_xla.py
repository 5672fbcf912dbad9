"""What is set for XLA: flags by version, the user's own first; what is refused, and who is warned."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from zoo import xla
from zoo.errors import UserError

ROOT = Path(__file__).parent.parent
CURE = "--xla_cpu_experimental_ynn_fusion_type=-reduce"
SMALL_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=65536"
OTHER = "--xla_force_host_platform_device_count=2"


@pytest.fixture
def flags(monkeypatch):
    """(version of jaxlib, XLA_FLAGS) -> XLA_FLAGS as a command that begins has it; JAX has not started."""
    monkeypatch.setattr(xla, "started", lambda: False)

    def prepared(version, given=""):
        monkeypatch.setattr(xla, "jaxlib", lambda: version)
        monkeypatch.setenv("XLA_FLAGS", given)
        xla.prepare()
        return xla.in_force()

    return prepared


@pytest.mark.parametrize("version", ["0.10.1", "0.10.2", "0.10.2.dev1", "0.11.0"])
def test_affected_versions_get_the_flag_behind_those_of_the_user(flags, version):
    more = f" {SMALL_LOOPS}" if "0.10.2" in version else ""
    assert flags(version) == CURE + more
    assert flags(version, OTHER) == f"{OTHER} {CURE}{more}"
    assert flags(version, f"{OTHER} {CURE}") == f"{OTHER} {CURE}{more}"


def test_a_cpu_is_divided_into_as_many_devices_as_are_asked_for_and_no_more_than_its_cores(
    flags, monkeypatch
):
    monkeypatch.setattr(xla.cache, "cores", lambda: 4)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")

    def divided(count, given=""):
        flags("0.12.0", given)
        xla.divide_cpu(count)
        return xla.in_force()

    assert divided(2) == OTHER
    four, alone = f"{OTHER[:-1]}4", "--xla_cpu_multi_thread_eigen"
    assert divided(4, "--xla_dump_to=x") == f"--xla_dump_to=x {four} {alone}=false"
    assert divided(3, f"{alone}=true") == f"{alone}=true {OTHER[:-1]}3"
    assert [divided(count) for count in (-1, 1, 5)] == [""] * 3
    assert divided(4, OTHER) == OTHER
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert divided(2) == ""


@pytest.mark.parametrize("version", ["0.11.1", "0.11.2", "0.12.0", "0.12.0.1", "1.0"])
def test_right_versions_get_nothing(flags, version):
    assert flags(version) == ""
    assert flags(version, OTHER) == OTHER


def test_a_flag_that_the_user_has_set_is_kept(flags):
    own = "--xla_cpu_experimental_ynn_fusion_type=dot"
    assert flags("0.11.0", own) == own
    quoted = f"--xla_backend_extra_options='a=1, b' {own}"
    assert flags("0.10.2", quoted) == quoted


def test_xla_flags_may_name_a_file_of_flags(flags, tmp_path):
    file = tmp_path / "flags"
    file.write_text(OTHER + "\n")
    assert flags("0.11.0", str(file)) == f"{OTHER} {CURE}"


def test_a_version_that_was_never_checked_is_refused(flags):
    with pytest.raises(UserError, match=r"jaxlib 0\.9\.2 is older than 0\.10\.1.*pip install"):
        flags("0.9.2")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (f"{OTHER} --xla_cpu_no_such_flag=1 --xla_nor_this", "--xla_cpu_no_such_flag, --xla_nor_this"),
        ("-xla_dump_to=x", "-xla_dump_to"),
        (f"{OTHER} stray", "stray"),
        ("--xla_cpu_experimental_ynn", "--xla_cpu_experimental_ynn"),  # the beginning of a flag
    ],
)  # fmt: skip
def test_flags_that_this_version_does_not_know_are_named(flags, given, named):
    with pytest.raises(UserError, match=f"knows no flag {named}; remove it"):
        flags(xla.jaxlib(), given)


def test_what_is_neither_flags_nor_a_file_is_told(flags):
    with pytest.raises(UserError, match="XLA_FLAGS=xla_dump_to: neither flags"):
        flags(xla.jaxlib(), "xla_dump_to")


def test_nothing_is_changed_once_jax_has_started(monkeypatch):
    jax.devices()
    assert xla.started()
    monkeypatch.setenv("XLA_FLAGS", "--unknown")
    monkeypatch.setattr(xla, "jaxlib", lambda: "0.10.2")
    xla.prepare()
    assert xla.in_force() == "--unknown"


def test_a_warning_has_the_cure_and_comes_on_affected_cpus_only(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setattr(xla, "jaxlib", lambda: "0.10.2")
    with pytest.warns(RuntimeWarning, match=f"jaxlib 0.10.2 .*: set XLA_FLAGS={CURE} before JAX"):
        xla.warn()
    for changed in ({"XLA_FLAGS": CURE}, {"JAX_PLATFORMS": "cuda,cpu"}):
        with monkeypatch.context() as patched:
            for name, value in changed.items():
                patched.setenv(name, value)
            xla.warn()  # warnings are errors here
    monkeypatch.setattr(xla, "jaxlib", lambda: "0.12.0.1")
    xla.warn()


def test_importing_the_time_loop_warns_once_starts_nothing_and_can_still_be_cured():
    code = f"""
import sys, warnings
from zoo import xla
installed, xla.jaxlib = xla.jaxlib, lambda: "0.10.2"
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import zoo.unroll
    import zoo.models
assert [str(w.message).count("{CURE}") for w in caught] == [1], caught
assert caught[0].filename == "<string>", caught[0].filename
assert "jax" in sys.modules and not xla.started()
xla.jaxlib = installed
xla.prepare()  # XLA reads its flags now, not when JAX was imported
from zoo import canary
assert canary.verdict() == canary.RIGHT, canary.verdict()
assert xla.started()
"""
    environment = os.environ | {"XLA_FLAGS": ""}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


def test_a_command_tells_an_unknown_flag_in_one_line():
    command = [sys.executable, "train.py", "--help"]
    environment = os.environ | {"XLA_FLAGS": "--xla_no_such_flag=1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: XLA_FLAGS: ") and done.stderr.count("\n") == 1
    assert "--xla_no_such_flag" in done.stderr


def test_small_loops_are_told_apart_only_where_the_flag_for_them_is_set(flags):
    flags("0.10.2")
    assert xla.for_small_loops() == {"xla_cpu_experimental_ynn_fusion_type": ""}
    flags("0.12.0")
    assert xla.for_small_loops() is None
