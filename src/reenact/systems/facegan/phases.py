"""How FACEGAN is trained (seed 001): each module alone, then all end to end."""

from collections.abc import Mapping

from reenact.systems.facegan.settings import FaceganSettings
from reenact.systems.protocol import Optimiser, Phase

ACTIONS, TRANSFORMER, REENACTOR, MIXER, TOGETHER = "action_reader", "transformer", "reenactor", "mixer", "together"


def phases_of(s: FaceganSettings) -> tuple[Phase, ...]:
    """In order; all but the last bear the name of the network that they train. La stays as it is from then on."""
    drawing = [REENACTOR, MIXER] if s.mixer else [REENACTOR]
    found: list[Phase] = []
    if s.reads_actions:
        found.append(_on_landmarks(s, ACTIONS, s.shares.action_reader))
    if s.transformer:
        found.append(_on_landmarks(s, TRANSFORMER, s.shares.transformer))
    found.append(_on_pictures(s, REENACTOR, s.shares.reenactor, [REENACTOR]))
    if s.mixer:
        found.append(_on_pictures(s, MIXER, s.shares.mixer, [MIXER]))
    every = [TRANSFORMER, *drawing] if s.transformer else drawing
    found.append(_on_pictures(s, TOGETHER, s.shares.together, every, gentle={TRANSFORMER: s.together_rate}))
    return tuple(found)


def _on_landmarks(s: FaceganSettings, name: str, share: float) -> Phase:
    optimiser = Optimiser(
        networks=(name,), learning_rate=s.landmark_rate, betas=s.landmark_betas, decay_from=s.landmark_decay_from
    )
    return Phase(name=name, share=share, batch=s.landmark_batch, draws=False, generator=optimiser)


def _on_pictures(
    s: FaceganSettings, name: str, share: float, networks: list[str], gentle: Mapping[str, float] | None = None
) -> Phase:
    """With the critics of those networks that hear of them."""
    heard = {REENACTOR: s.reenactor_weights.adversarial, MIXER: s.mixer_weights.adversarial}
    critics = [f"{network}_critic" for network in networks if heard.get(network)]

    def optimiser(names: list[str]) -> Optimiser:
        return Optimiser(networks=tuple(names), learning_rate=s.learning_rate, betas=s.betas, gentle=gentle or {})

    return Phase(
        name=name,
        share=share,
        generator=optimiser(networks),
        discriminator=optimiser(critics) if critics else None,
    )
