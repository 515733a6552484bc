"""Whether the plate sensors behave like a plate: that they move at all, not faster than metal can, and as it is driven.

Remembers what that takes between two readings; judges nothing. A sensor that lies within its range deceives the wand's
own cut-outs too, for they go by the same two channels.
"""

import math
from dataclasses import dataclass, field

from cryodevice.frozen import maker
from cryodevice.quantities import Channel, Seconds
from cryodevice.safety.readings import Reading

JUMP_K = 1.0
"""A step between two samples that noise and a lost reply or two explain, K (engineering default)."""
FASTEST_K_S = 4.0
"""Beyond that no plate moves faster than this for long, K/s: 50 W from warm skin over 10 cm2 into the lightest plate
considered (12 J/K), which is far more than skin gives for longer than a blink (engineering default)."""
HARD_SHARE = 0.3
SHARE_PER_K = 1.0 / 60.0
"""A plate off the skin is driven *hard* above 0.3 of the largest current and 1/60 more for each kelvin below its sink:
a thermoelectric of 66 K at full current holds an unloaded plate with about 1/90 a kelvin, so a sound plate then falls
(engineering default)."""
HELD_WITHIN_K = 0.8
"""A regulator that works keeps the plate closer to its setpoint than this, or brings it closer, K (engineering
default)."""
IDLE_ABOVE_K = 2.0
"""A regulator that works drives a plate this far above its setpoint, K (engineering default)."""
NOISE_MOST_K = 1.0
"""A sample that is further off than this counts as this, K: one spike is no loose contact (engineering default)."""
NOISE_SHARE = 0.05
"""Weight of one sample in the smoothed noise: about a second at 20 Hz (engineering default)."""
FALL_K = 0.5
"""Falling by this is an answer to the drive, K: many times the noise (engineering default)."""


@dataclass(frozen=True, slots=True)
class ChannelWatch:
    """One plate channel.

    Args:
        value_degc: Newest value; NaN when it was not good.
        changed_s: When it last changed while driven, or was not driven.
        follower_degc: What follows the values no faster than a plate can; NaN for none.
        followed_s: When it was last moved.
        jump_k: How far the newest value is beyond what could follow; 0 when it is not.
        before_degc: The value before the newest; NaN when it was not good.
        noise_k: How far a value is off the straight line of the two before it, smoothed.
    """

    value_degc: float = math.nan
    changed_s: Seconds = Seconds(-math.inf)  # noqa: RUF009  # a NewType call is the number itself
    follower_degc: float = math.nan
    followed_s: Seconds = Seconds(-math.inf)  # noqa: RUF009
    jump_k: float = 0.0
    before_degc: float = math.nan
    noise_k: float = 0.0

    def follow(self, value_degc: float, now_s: Seconds, *, driven: bool) -> "ChannelWatch":
        """The channel after one more sample."""
        same = driven and value_degc == self.value_degc
        changed = self.changed_s if same else now_s
        away_k = value_degc - self.follower_degc
        if math.isnan(away_k):  # the first good value, or the first after one that was not, has nothing to follow
            return _channel(value_degc, changed, value_degc, now_s)
        bend_k = abs(value_degc - 2.0 * self.value_degc + self.before_degc)
        noise_k = self.noise_k
        if not math.isnan(bend_k):
            noise_k += (min(bend_k, NOISE_MOST_K) - noise_k) * NOISE_SHARE
        most_k = FASTEST_K_S * (now_s - self.followed_s)
        follower = self.follower_degc + min(max(away_k, -most_k), most_k)
        jump_k = max(0.0, abs(value_degc - follower) - JUMP_K)
        return _channel(value_degc, changed, follower, now_s, jump_k, self.value_degc, noise_k)


_channel = maker(ChannelWatch)


@dataclass(frozen=True, slots=True)
class PlateWatch:
    """Both channels, and how they answer the drive.

    Args:
        channels: A and B.
        seen_s: When the newest reading came; -inf before the first.
        hard_since_s: Since when the drive has been hard and the plate has not fallen by ``FALL_K``; None while neither.
        from_degc: Colder channel then.
        lowest_degc: Lowest of the warmer channel since the drive has been hard.
        unheld_since_s: Since when the drive has been hard, the plate above its setpoint, and not fallen by ``FALL_K``,
            on the skin or off it; None while it is held.
        unheld_from_degc: Colder channel then.
        risen_k: How far the warmer channel has risen above the lowest since the drive has been hard.
        idle_since_s: Since when no current has flowed into a plate well above its setpoint; None while it does.
    """

    channels: tuple[ChannelWatch, ChannelWatch] = field(default=(ChannelWatch(), ChannelWatch()))
    seen_s: Seconds = Seconds(-math.inf)  # noqa: RUF009
    hard_since_s: Seconds | None = None
    from_degc: float = math.nan
    lowest_degc: float = math.inf
    risen_k: float = 0.0
    unheld_since_s: Seconds | None = None
    unheld_from_degc: float = math.nan
    idle_since_s: Seconds | None = None

    @property
    def same_s(self) -> float:
        """For how long a channel has repeated itself to the last digit while driven, s."""
        return max(0.0, *(self.seen_s - channel.changed_s for channel in self.channels))

    @property
    def both_same_s(self) -> float:
        """For how long both channels have repeated themselves to the last digit while driven, s."""
        return max(0.0, min(self.seen_s - channel.changed_s for channel in self.channels))

    @property
    def jump_k(self) -> float:
        """How far a channel is beyond what a plate can do, K; 0 when neither is."""
        return max(channel.jump_k for channel in self.channels)

    @property
    def unanswered_s(self) -> float:
        """For how long hard drive has not been answered, s."""
        return self.seen_s - self.hard_since_s if self.hard_since_s is not None else 0.0

    @property
    def unheld_s(self) -> float:
        """For how long hard drive has brought the plate no closer to its setpoint, s."""
        return self.seen_s - self.unheld_since_s if self.unheld_since_s is not None else 0.0

    @property
    def idle_s(self) -> float:
        """For how long nothing has driven a plate that is told to cool and is well above its setpoint, s."""
        return self.seen_s - self.idle_since_s if self.idle_since_s is not None else 0.0

    @property
    def noise_k(self) -> float:
        """How far a channel jumps to and fro, K."""
        return max(channel.noise_k for channel in self.channels)


_watch = maker(PlateWatch)


def share_of(reading: Reading, drive_max_ma: float) -> float:
    """Drive current as a share of the largest, + cools; NaN when it is not known."""
    return reading.value(Channel.DRIVE_CURRENT) / drive_max_ma if drive_max_ma > 0.0 else math.nan


def followed(
    watch: PlateWatch,
    reading: Reading,
    drive_max_ma: float,
    off_ma: float,
    *,
    touching: bool,
    setpoint_degc: float = math.nan,
) -> PlateWatch:
    """The watch after one more reading.

    Args:
        watch: As it was.
        reading: The newest; one that was seen before changes nothing.
        drive_max_ma: Largest current of this wand.
        off_ma: Current that counts as none.
        touching: The plate may be on skin, whose heat may hold it up.
        setpoint_degc: What the plate is to be kept at; NaN for nothing.
    """
    now, share = reading.at_s, share_of(reading, drive_max_ma)
    driven = not abs(share) * drive_max_ma <= off_ma
    first, second = watch.channels
    channels = (
        first.follow(reading.value(Channel.PLATE_A), now, driven=driven),
        second.follow(reading.value(Channel.PLATE_B), now, driven=driven),
    )
    cold, warm = reading.plate_cold_degc, reading.plate_warm_degc
    idle = not driven and cold - setpoint_degc > IDLE_ABOVE_K
    idle_since = (now if watch.idle_since_s is None else watch.idle_since_s) if idle else None
    over_k = reading.value(Channel.SINK) - cold
    hard = share >= HARD_SHARE + SHARE_PER_K * (max(over_k, 0.0))  # a sink nobody knows: not to be said
    unheld_since, unheld_from = watch.unheld_since_s, watch.unheld_from_degc
    if not (hard and cold - setpoint_degc > HELD_WITHIN_K):
        unheld_since, unheld_from = None, math.nan
    elif unheld_since is None or cold <= unheld_from - FALL_K:
        unheld_since, unheld_from = now, cold
    hard_since, from_degc, lowest, risen_k = watch.hard_since_s, watch.from_degc, math.inf, 0.0
    if touching or not hard:
        hard_since = None
    else:
        lowest = min(watch.lowest_degc, warm)
        risen_k = warm - lowest
        if hard_since is None or cold <= from_degc - FALL_K:
            hard_since, from_degc = now, cold
    return _watch(channels, now, hard_since, from_degc, lowest, risen_k, unheld_since, unheld_from, idle_since)
