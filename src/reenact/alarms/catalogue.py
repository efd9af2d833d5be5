"""The alarms that a training is watched by; a scored row is asked by evaluation.alarms, also for lost faces."""

from reenact.alarms.critic_balance import CRITIC_BALANCE
from reenact.alarms.identity_collapse import IDENTITY_COLLAPSE
from reenact.alarms.identity_leak import IDENTITY_LEAK
from reenact.alarms.mask_saturation import MASK_SATURATION
from reenact.alarms.mode_collapse import MODE_COLLAPSE
from reenact.alarms.not_finite import NOT_FINITE
from reenact.alarms.verdict import Alarm

ALARMS: dict[str, Alarm] = {
    alarm.name: alarm
    for alarm in (IDENTITY_COLLAPSE, MODE_COLLAPSE, IDENTITY_LEAK, MASK_SATURATION, CRITIC_BALANCE, NOT_FINITE)
}
