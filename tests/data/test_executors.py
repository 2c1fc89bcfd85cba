"""Pools that survive killed workers, in a terminal that gets Ctrl-C; addresses where no cluster is."""

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from declaim.data.executors import WorkerLost, run
from declaim.errors import CapacityError, ConfigError, NoFace


def work(folder: Path, item: str) -> tuple[str, int, str | None]:
    """Does what its name says."""
    if item == "deadly" or (item == "unlucky" and not (folder / "unlucky").exists()):
        (folder / item).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "wrong":
        raise NoFace("no face in wrong")
    return item, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def outcomes(folder: Path, items: list[str], **where: object) -> dict[str, object]:
    found: dict[str, object] = {}
    run(partial(work, folder), items, on_result=found.__setitem__, **where)  # type: ignore[arg-type]
    return found


def test_one_worker_is_this_process_in_order(tmp_path: Path) -> None:
    found = outcomes(tmp_path, ["b", "a", "c"])
    assert [(item, pid) for item, pid, _ in found.values()] == [(i, os.getpid()) for i in "bac"]


def test_pool_loses_nothing_but_deadly_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    found = outcomes(tmp_path, ["a", "deadly", "unlucky", "b", "c"], workers=2)
    assert found.pop("deadly") == WorkerLost(2, "signal 9")
    assert {item: answer[0] for item, answer in found.items()} == {i: i for i in ("a", "unlucky", "b", "c")}
    assert {threads for _, _, threads in found.values()} == {"1"}
    assert os.getpid() not in {pid for _, pid, _ in found.values()}
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_pool_raises_what_the_function_raised(tmp_path: Path) -> None:
    with pytest.raises(NoFace, match="no face in wrong") as caught:
        outcomes(tmp_path, ["wrong"], workers=2)
    assert "in work\n" in caught.value.__notes__[0]


def test_script_without_a_guard_is_told(tmp_path: Path) -> None:
    """Its workers run the script again and die: once, not once for every item."""
    script = tmp_path / "unguarded.py"
    script.write_text("from declaim.data.executors import run\nrun(str, range(100), workers=2, on_result=print)\n")
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100, check=False)
    assert result.stderr.splitlines()[-1].startswith("declaim.errors.CapacityError: a worker process died at its start")
    assert result.stderr.count("RuntimeError") <= 10, "two workers, whatever they manage to print"
    assert result.stdout == ""


def test_empty_work(tmp_path: Path) -> None:
    assert outcomes(tmp_path, [], workers=3) == {}


def test_no_workers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 workers"):
        outcomes(tmp_path, ["a"], workers=0)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_interrupt_stops_the_workers_and_lets_them_tidy_up(tmp_path: Path) -> None:
    """Both workers are in the middle of a file when Ctrl-C reaches the whole group, as a terminal sends it."""
    script = tmp_path / "busy.py"
    script.write_text("""if True:
        import signal, sys, time
        from functools import partial
        from pathlib import Path
        from declaim.data.executors import run

        signal.signal(signal.SIGINT, signal.default_int_handler)  # started in the background, shells ignore it

        def work(folder, item):
            unfinished = folder / f"{item}.partial"
            try:
                unfinished.write_bytes(b"half")
                time.sleep(60)
            finally:
                unfinished.unlink()

        if __name__ == "__main__":
            try:
                run(partial(work, Path(sys.argv[1])), range(4), workers=2, on_result=print)
            except KeyboardInterrupt:
                sys.exit(130)
    """)
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, str(script), str(folder)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len([p for p in folder.iterdir() if p.stat().st_size]) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(list(folder.iterdir())) == 2
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
    assert errors == ""
    assert list(folder.iterdir()) == []
    with pytest.raises(ProcessLookupError):  # nobody of that group is left, nor soon the standard library's own helper
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [("far away", ConfigError, "HOST:PORT"), ("127.0.0.1:1", CapacityError, "nobody answers at 127.0.0.1:1")],
)
def test_wrong_address(tmp_path: Path, address: str, kind: type[Exception], words: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(kind, match=words):
        outcomes(tmp_path, ["a"], ray=address)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b""])
def test_something_else_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, greeting: bytes) -> None:
    """A server that talks nonsense, and one that says nothing at all: the wait is bounded."""
    pytest.importorskip("ray")
    monkeypatch.setattr("declaim.data.executors.cluster.REACH_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        held = []
        thread = Thread(target=lambda: held.append(answer(server, greeting)))
        thread.start()
        with pytest.raises(CapacityError, match="no Ray cluster" if greeting else "nobody answers"):
            outcomes(tmp_path, ["a"], ray=address)
        thread.join()
        held[0].close()


def answer(server: socket.socket, greeting: bytes) -> socket.socket:
    connection, _ = server.accept()
    connection.sendall(greeting)
    return connection


def test_ray_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'declaim\[cluster\]'"):
        outcomes(tmp_path, ["a"], ray="auto")
