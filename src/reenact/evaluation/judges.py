"""The judges that a setting can name. They are made when used: loading model files takes a second."""

from collections.abc import Callable, Mapping

from reenact.config import nearest
from reenact.errors import SettingsError
from reenact.evaluation.judge import Tools
from reenact.evaluation.tools import DlibTools

JUDGES: Mapping[str, Callable[[], Tools]] = {"tools": DlibTools}


def judge_tools(name: str) -> Tools:
    """The tools of a judge; raises SettingsError that names the nearest known one."""
    if name not in JUDGES:
        raise SettingsError(f'evaluate.judge: there is no judge "{name}"{nearest(name, JUDGES)}')
    return JUDGES[name]()
