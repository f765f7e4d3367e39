"""Files and folders: what is not ours stays, one process at a time writes to a run, and a kill leaves nothing half-done."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from keras_gen.core import exchange, files, locks
from keras_gen.core.errors import InvalidInput, OutputFailed
from keras_gen.core.image_spec import ImageSpec
from keras_gen.core.pictures import check_grid, check_png, save_picture
from keras_gen.run_folder import check_run_folder, claimed, read_recipe, written_to
from keras_gen.runner import resolve
from keras_gen.training.checkpoints import Checkpoints, found
from keras_gen.training.history import read_history

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


# --- a file replaces a file of its kind, and nothing else ---------------------------------------------------------------


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")


def a_link(path: Path) -> None:
    path.with_name("target").write_text("years of work")
    path.symlink_to("target")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


STANDING = {
    "folder": (a_folder, "is a folder"),
    "link": (a_link, "is a link to target"),
    "dangling link": (a_dangling_link, "is a link to nowhere"),
    "pipe": (os.mkfifo, "device or pipe"),
}


def state(folder: Path) -> dict:
    """Everything below a folder, links not followed."""
    return {
        path.relative_to(folder): (path.lstat().st_mode, path.lstat().st_ino, path.is_file() and path.read_bytes())
        for path in folder.rglob("*")
        if not path.is_fifo()
    }


@pytest.mark.parametrize("kind", STANDING)
def test_a_file_replaces_no_folder_link_or_device(tmp_path, kind):
    stand, message = STANDING[kind]
    stand(place := tmp_path / "place.png")
    before = state(tmp_path)
    with pytest.raises(InvalidInput, match=message), files.written_beside(place):
        pytest.fail("something was written before the place was looked at")
    with pytest.raises(InvalidInput, match=message):
        check_png(place)
    assert state(tmp_path) == before


@pytest.mark.parametrize("stand", [lambda path: path.write_text("x"), os.mkfifo, a_dangling_link])
def test_a_folder_replaces_no_file(tmp_path, stand):
    stand(place := tmp_path / "place")
    before = state(tmp_path)
    with pytest.raises(InvalidInput), files.written_beside(place, folder=True):
        pytest.fail("something was written before the place was looked at")
    assert state(tmp_path) == before


def test_a_link_to_a_folder_stays_and_its_target_is_replaced(tmp_path):
    a_folder(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    with files.written_beside(tmp_path / "link", folder=True) as beside:
        (beside / "new").write_text("new")
    assert (tmp_path / "link").is_symlink() and os.listdir(tmp_path / "real") == ["new"]


def test_a_picture_replaces_pictures_alone(tmp_path):
    (tmp_path / "a.png").write_text("notes that were called .png by mistake")
    with pytest.raises(InvalidInput, match="something else, which would be lost"):
        check_png(tmp_path / "a.png")
    save_picture(Image.new("L", (4, 4)), tmp_path / "b.png")
    check_png(tmp_path / "b.png")
    (tmp_path / "empty.png").touch()
    check_png(tmp_path / "empty.png")


@pytest.mark.parametrize(
    "name,message",
    [
        ("", "is empty"),
        ("a\0b.png", "NUL"),
        ("a\udcff.png", "no UTF-8"),
        ("x" * 252 + ".png", "too long"),
        ("ö" * 127 + ".png", "too long"),
        ("d/" * 2100 + "x.png", "too long"),
    ],
)
def test_names_that_no_file_can_have(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    for check in (files.check_name, files.check_file, files.check_folder):
        with pytest.raises(InvalidInput, match=message):
            check(name)
    with pytest.raises(InvalidInput, match=message), files.written_beside(name):
        pytest.fail("written")


def test_the_longest_name_can_be_written(tmp_path):
    place = tmp_path / ("ö" * 125 + "x.png")
    assert len(os.fsencode(place.name)) == 255
    with files.written_beside(place) as beside:
        beside.write_text("x")
    with files.written_beside(tmp_path / ("y." + "z" * 253), folder=True) as beside:
        (beside / "x").touch()
    assert len(os.listdir(tmp_path)) == 2


def test_a_place_in_no_folder_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "file").touch()
    for check in (files.check_file, files.check_folder):
        with pytest.raises(OutputFailed, match="is no folder|Not a directory"):
            check(tmp_path / "file" / "below" / "x")


def test_a_failure_leaves_nothing(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), files.written_beside(tmp_path / "a") as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert {name: (tmp_path / name).read_text() for name in os.listdir(tmp_path)} == {"a": "old"}


# --- one process a run folder -------------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from keras_gen.core.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds ``tmp_path``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_loser_is_told_who_holds_the_folder_and_a_dead_holder_lets_go(holder, tmp_path):
    description = resolve("vae_digits")
    refusals = (
        lambda: locks.locked(tmp_path).__enter__(),
        lambda: check_run_folder(tmp_path, description, resume=False),
        lambda: claimed(tmp_path, description, resume=False).__enter__(),
        lambda: written_to(tmp_path).__enter__(),
    )
    for refused in refusals:
        with pytest.raises(InvalidInput, match=rf"in use by process {holder.pid} on .+ since \d{{4}}-"):
            refused()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".lock").exists()
    check_run_folder(tmp_path, description, resume=False)
    with claimed(tmp_path, description, resume=False) as folder:
        assert folder == tmp_path
    assert not os.listdir(tmp_path)


def test_a_lock_is_one_however_often_it_is_taken(tmp_path):
    """Threads that take, hold and leave it as fast as they can: never two at once, nothing left behind."""
    inside, most = [], []
    deadline = time.monotonic() + 120

    def contend():
        taken = 0
        while taken < 40 and time.monotonic() < deadline:
            try:
                with locks.locked(tmp_path):
                    inside.append(1)
                    most.append(len(inside))
                    taken += 1
                    inside.pop()
            except InvalidInput:
                continue

    threads = [threading.Thread(target=contend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 160 and not os.listdir(tmp_path)


def test_without_locks_a_warning_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "fcntl", None)
    with locks.locked(tmp_path), locks.locked(tmp_path):
        locks.check_free(tmp_path)
    assert "no other process writes" in caplog.text


def test_runs_of_one_second_get_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101-000000")
    description, folders = resolve("vae_digits"), []
    for _ in range(3):
        with claimed(None, description, resume=False) as folder:
            (folder / "recipe.json").write_text("{}")
            folders.append(str(folder))
    stem = "runs/vae_digits-20260101-000000"
    assert folders == [stem, f"{stem}-2", f"{stem}-3"]
    with claimed(None, description, resume=False):
        pass  # nothing is written
    assert len(os.listdir("runs")) == 3


LEFT = (
    "checkpoints/.epoch-00003-0badf00d.part.keras",
    "checkpoints/.epoch-00003-0badf00d.keras",
    ".model-0badf00d.part.keras",
)
LEFT += ("samples/.epoch-00001-0badf00d.part.png", ".sk-0badf00d.png", ".artifact-0badf00d.part/onnx/x.onnx", ".lock")
MINE = (".notes", ".gitignore", "checkpoints/.mine-20240101", "x-0badf00d.part.png", ".artifact-0badf00d/kept")


def test_the_next_owner_removes_what_a_kill_left_and_nothing_else(tmp_path):
    (tmp_path / "artifact").mkdir()
    description = {**resolve("vae_digits")}
    for name in (*LEFT, *MINE, "recipe.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(description))
    with claimed(tmp_path, description, resume=True):
        assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
            *MINE,
            "recipe.json",
            ".lock",
        }


def test_a_folder_that_a_living_process_writes_is_not_taken_for_a_leftover(tmp_path):
    with files.written_beside(tmp_path / "artifact", folder=True) as beside:
        (beside / "x").touch()
        files.remove_leftovers(tmp_path)
        files.repair(tmp_path / "artifact")
        assert (beside / "x").exists()
    assert os.listdir(tmp_path / "artifact") == ["x"]


# --- an artifact is there at every instant ------------------------------------------------------------------------------


def whole(path: Path, number: int) -> None:
    with files.written_beside(path, folder=True) as folder:
        for part in ("a", "b"):
            (folder / part).write_text(str(number))


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux'")
def test_replacing_never_shows_less_than_a_whole_folder(tmp_path):
    whole(place := tmp_path / "artifact", 0)
    missing, seen, done = [], set(), threading.Event()

    def poll():
        while not done.is_set():
            try:
                handle = os.open(place, os.O_RDONLY)
            except OSError as error:
                missing.append(error)
                continue
            seen.add(os.fstat(handle).st_ino)
            os.close(handle)

    poller = threading.Thread(target=poll)
    poller.start()
    for number in range(1, 300):
        whole(place, number)
        assert {(place / part).read_text() for part in ("a", "b")} == {str(number)}
    done.set()
    poller.join()
    assert not missing and len(seen) > 1 and os.listdir(tmp_path) == ["artifact"]


def test_where_nothing_can_exchange_a_kill_between_the_renames_is_repaired(tmp_path, monkeypatch):
    """Another process without renameat2, killed when the old one has stepped aside and the new one has not come."""
    whole(place := tmp_path / "artifact", 1)
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom keras_gen.core import files\n"
        "files.exchange = lambda one, other: False\n"
        "rename, place = os.rename, Path(sys.argv[1])\n"
        "def kill_after(one, other):\n"
        "    rename(one, other)\n"
        "    if Path(one) == place: os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.rename = kill_after\n"
        "with files.written_beside(place, folder=True) as folder: (folder / 'a').write_text('2')\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(place)], env=ENVIRONMENT)
    assert result.returncode == -signal.SIGKILL and not place.exists() and len(os.listdir(tmp_path)) == 2
    files.repair(place)
    assert (place / "a").read_text() == "1" and os.listdir(tmp_path) == ["artifact"]
    monkeypatch.setattr(files, "exchange", lambda one, other: False)
    whole(place, 3)
    assert (place / "a").read_text() == "3" and os.listdir(tmp_path) == ["artifact"]


def test_systems_and_file_systems_that_cannot_exchange_are_known(tmp_path, monkeypatch):
    class Library:
        def __init__(self, *_, **__):
            pass

    monkeypatch.setattr(exchange.ctypes, "CDLL", Library)
    assert exchange.exchange(tmp_path, tmp_path) is False


# --- damaged files ------------------------------------------------------------------------------------------------------

LINE = '{"epoch": 1, "seconds": 0.5, "loss": 2.0}\n'


def test_a_torn_last_line_of_the_history_is_left_out(tmp_path):
    path = tmp_path / "history.jsonl"
    for torn in ("", LINE[:20], "\xff"):
        path.write_bytes(LINE.encode() + torn.encode("latin-1"))
        assert read_history(path) == [{"epoch": 1, "seconds": 0.5, "loss": 2.0}]


@pytest.mark.parametrize(
    "line",
    [
        b'{"epoch": 2, "sec',
        b"[]",
        b'{"epoch": "2", "seconds": 1}',
        b'{"epoch": 2}',
        b'{"epoch": 0, "seconds": 1}',
        b"\xff",
    ]
    + [b'{"epoch": 2, "seconds": 1, "loss": "low"}', b"[" * 100_000, b"", b'{"epoch": true, "seconds": 1}'],
)
def test_damage_in_the_history_is_named(tmp_path, line):
    path = tmp_path / "history.jsonl"
    path.write_bytes(LINE.encode() + line + b"\n" + LINE.encode())
    with pytest.raises(InvalidInput, match=r"history\.jsonl: line 2 is damaged"):
        read_history(path)


@pytest.mark.parametrize(
    "change,message",
    [
        (lambda record: b"\xff\xfe", "no UTF-8"),
        (lambda record: b"[" * 100_000, "damaged"),
        (lambda record: [], "schema"),
        (lambda record: {**record, "settings": []}, "'settings' is .* wanted dict"),
        (lambda record: {**record, "command": 3}, "'command' is 3; wanted str"),
        (lambda record: {**record, "recipe": "vae_digit"}, "Did you mean 'vae_digits'"),
        (lambda record: {**record, "settings": {"epochs": "many"}}, "epochs='many'"),
        (lambda record: {**record, "settings": {"speed": 1}}, "no setting 'speed'"),
    ],
)
def test_a_damaged_recipe_is_one_clear_error(tmp_path, change, message):
    changed = change(resolve("vae_digits"))
    (tmp_path / "recipe.json").write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    with pytest.raises(InvalidInput, match=rf"recipe\.json.*{message}"):
        read_recipe(tmp_path)


def test_only_checkpoints_are_taken_for_checkpoints(tmp_path):
    for name in ("epoch-abc.keras", "epoch-00002.keras.bak", "epoch-.keras", "epoch-7.keras", "epoch-00001.keras"):
        (tmp_path / name).touch()
    for name in ("epoch-100000.keras", "epoch-99999.keras"):
        (tmp_path / name).touch()
    (tmp_path / "epoch-00003.keras").mkdir()
    assert [path.name for path in found(tmp_path)] == ["epoch-00001.keras", "epoch-99999.keras", "epoch-100000.keras"]
    with pytest.raises(InvalidInput, match=r"epoch-00003\.keras is a folder"):
        Checkpoints(tmp_path, epochs=10**12).on_train_begin()


def test_pictures_that_no_memory_holds_are_refused():
    spec = ImageSpec(8, 8, 1, 17)
    check_grid(10_000, spec, 100)
    with pytest.raises(InvalidInput, match=r"at most [\d,]+ fit into 1 GiB"):
        check_grid(10**9, spec, 31623)


# --- the machine --------------------------------------------------------------------------------------------------------


def test_make_clean_leaves_the_runs(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (".venv/x", "build/x", "runs/mine/model.keras"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert sorted(os.listdir(tmp_path)) == ["Makefile", "runs"] and (tmp_path / "runs/mine/model.keras").exists()


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
def test_the_commit_is_that_of_our_own_checkout_or_none(tmp_path, monkeypatch):
    from keras_gen import runner

    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "theirs")
    (tmp_path / "setup.py").write_text("setup(name='theirs')")
    installed = tmp_path / ".venv/lib/python3/site-packages/keras_gen"
    for package in (installed, tmp_path / "keras_gen"):
        package.mkdir(parents=True)
        assert runner._commit(package) is None
    shutil.copy(ROOT / "setup.py", tmp_path)
    assert runner._commit(installed) is None
    assert runner._commit(tmp_path / "keras_gen") == git(tmp_path, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert runner._commit(tmp_path / "keras_gen") is not None
    monkeypatch.setenv("PATH", str(tmp_path))  # no git on the machine
    assert runner._commit(tmp_path / "keras_gen") is None
    assert resolve("vae_digits")["commit"] is None


@pytest.mark.parametrize(
    "words",
    [("kills.py", "--kills", "2", "--trainers", "vae_digits"), ("hostile.py", "--commands", "12", "--seed", "3")],
)
def test_the_stress_scripts_find_nothing(words, tmp_path):
    """A bounded taste of what ``benchmarks/kills.py`` and ``benchmarks/hostile.py`` do at length."""
    command = [sys.executable, str(ROOT / "benchmarks" / words[0]), *words[1:]]
    result = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert json.loads(result.stdout)["problems"] in (0, [])
