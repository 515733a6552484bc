"""Where faults are put in and taken out of one wand: begins, ticks and ends each at its own simulated time.

Knows no fault by name. Whoever advances the wand calls ``turn`` whenever its time reaches ``due_ns``, just before the
firmware tick where one falls on that time; with no fault in it that is never.
"""

from collections import Counter
from typing import Final

from firmware_sim.faults.effect import Effect, SampleEffect
from firmware_sim.faults.injection import Injection
from firmware_sim.faults.line import LineFaults
from firmware_sim.faults.link_effect import LinkEffect
from firmware_sim.faults.parameters import FaultError
from firmware_sim.faults.wand import Wand
from firmware_sim.plant import Samples

NEVER: Final = 1 << 62
_TICK_NS: Final = 20_000_000


class _Case:
    """One injection from when it is put in until it ends."""

    __slots__ = ("effect", "end_ns", "injection", "number", "running", "start_ns")

    def __init__(self, number: int, injection: Injection, effect: Effect, now_ns: int) -> None:
        self.number = number
        self.injection = injection
        self.effect = effect
        self.start_ns = max(now_ns, round(injection.start_s * 1e9))
        lasts_s = injection.duration_s
        self.end_ns = NEVER if lasts_s is None else self.start_ns + round(lasts_s * 1e9)
        self.running = False


class FaultBench:
    """Faults of one wand.

    Args:
        wand: What they act on.
        seed: All chance of a fault comes from this, its id and its line.

    Attributes:
        due_ns: When ``turn`` is to be called next, simulated time in ns.
    """

    def __init__(self, wand: Wand, seed: int = 0) -> None:
        self._wand = wand
        self._seed = seed
        self._cases: dict[int, _Case] = {}
        self._last = 0
        self._fired: Counter[str] = Counter()
        self._samplers: list[SampleEffect] = []
        self.due_ns = NEVER

    # --- for people and scenarios -----------------------------------------------------------------------------------

    def inject(self, injection: Injection) -> int:
        """Put a fault in; returns its id. One whose time has come is in force when this returns."""
        self._last += 1
        effect = injection.kind.new(injection.values)
        effect.limit = injection.count
        effect.seed = f"{self._seed}/{self._last}"
        now_ns = self._wand.now_ns()
        case = self._cases[self._last] = _Case(self._last, injection, effect, now_ns)
        if case.start_ns <= now_ns:
            self._begin(case, now_ns)
        self._plan(now_ns)
        return case.number

    def clear(self, number: int | None = None) -> None:
        """Take one fault out, or all.

        Raises:
            FaultError: No fault of this id is in.
        """
        if number is not None and number not in self._cases:
            known = ", ".join(map(str, self._cases)) or "none"
            raise FaultError(f"no fault has the id {number}; ids in force or waiting: {known}", id=number)
        now_ns = self._wand.now_ns()
        for case in tuple(self._cases.values()):
            if number in (None, case.number):
                self._end(case, now_ns)
        self._plan(now_ns)

    def active(self) -> list[dict[str, object]]:
        """Faults in force or waiting for their time, oldest first, ready for JSON."""
        return [
            {
                "id": case.number,
                "name": case.injection.name,
                "values": dict(case.injection.values),
                "start_s": case.start_ns / 1e9,
                "end_s": None if case.end_ns == NEVER else case.end_ns / 1e9,
                "running": case.running,
                "fired": self._counted(case),
            }
            for case in self._cases.values()
        ]

    def fired(self, name: str) -> int:
        """How often faults of this name have made a difference, those that have ended included."""
        return self._fired[name] + sum(
            self._counted(case) for case in self._cases.values() if case.injection.name == name
        )

    def _counted(self, case: _Case) -> int:
        if case.running:
            case.effect.count(self._wand)
        return case.effect.fired

    # --- for whoever moves bytes ------------------------------------------------------------------------------------

    def join(self, line: LineFaults) -> None:
        """A line is open: faults of the link in force act on it from now on."""
        self._wand.lines.append(line)
        now_s = self._wand.now_ns() / 1e9
        for case in self._cases.values():
            if case.running and isinstance(case.effect, LinkEffect):
                case.effect.join(line, now_s)

    def leave(self, line: LineFaults) -> None:
        """A line is closed, or was before."""
        if line in self._wand.lines:
            self._wand.lines.remove(line)

    # --- for whoever advances the wand ------------------------------------------------------------------------------

    def turn(self, now_ns: int) -> None:
        """Begin, tick and end what is due now."""
        for case in tuple(self._cases.values()):
            if not case.running and case.start_ns <= now_ns < case.end_ns:
                self._begin(case, now_ns)
            if case.end_ns <= now_ns:
                self._end(case, now_ns)
        if now_ns % _TICK_NS == 0:
            for case in tuple(self._cases.values()):
                if case.running:
                    case.effect.tick(self._wand, now_ns / 1e9)
                    if case.effect.spent:
                        self._end(case, now_ns)
        self._plan(now_ns)

    def _begin(self, case: _Case, now_ns: int) -> None:
        case.running = True
        effect = case.effect
        effect.began_s = now_ns / 1e9
        effect.begin(self._wand, now_ns / 1e9)
        if isinstance(effect, SampleEffect):
            self._samplers.append(effect)
            self._wand.plant.spoil = self._spoil
        if effect.spent:
            self._end(case, now_ns)

    def _end(self, case: _Case, now_ns: int) -> None:
        del self._cases[case.number]
        effect = case.effect
        if case.running:
            effect.end(self._wand, now_ns / 1e9)
        self._fired[case.injection.name] += effect.fired
        if effect in self._samplers:
            self._samplers.remove(effect)
            if not self._samplers:
                self._wand.plant.spoil = None

    def _spoil(self, samples: Samples) -> Samples:
        now_s = self._wand.now_ns() / 1e9
        for effect in self._samplers:
            samples = effect.through(samples, self._wand.plant, now_s)
        return samples

    def _plan(self, now_ns: int) -> None:
        due = NEVER
        for case in self._cases.values():
            due = min(due, case.end_ns if case.running else case.start_ns)
            if case.running:
                due = min(due, (now_ns // _TICK_NS + 1) * _TICK_NS)
        self.due_ns = due
