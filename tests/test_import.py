"""Importing the package does no work, touches no network and writes no file."""

import subprocess
import sys
from pathlib import Path

import reenact

WATCH = """
import sys, pkgutil, importlib
seen = []
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        seen.append((event, str(args)[:200]))
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writes and "__pycache__" not in str(args[0]):
        seen.append((event, str(args[:2])))
sys.addaudithook(hook)
import reenact
for module in pkgutil.walk_packages(reenact.__path__, "reenact."):
    if not module.name.endswith(("__main__", "served_model")):
        importlib.import_module(module.name)
own = [item for item in seen if item[0] != "subprocess.Popen" or "reenact" in item[1]]
print(own)
sys.exit(bool(own))
"""


def test_importing_every_module_touches_no_network_and_writes_no_file(tmp_path):
    done = subprocess.run([sys.executable, "-c", WATCH], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_stages_and_settings_are_readable_without_heavy_libraries():
    stages = sorted(path.stem for path in (Path(reenact.__file__).parent / "stages").glob("[a-z]*.py"))
    code = "import sys\n" + "".join(f"import reenact.stages.{stage}\n" for stage in stages)
    code += (
        "print([m for m in ('torch', 'dlib', 'mlflow', 'kfp', 'great_expectations', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
