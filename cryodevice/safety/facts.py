"""What the interlocks look at: one number for each question, NaN where the answer is not known.

Numbers, not objects, so that a fact can be shown, recorded, typed on a command line and compared with a closed range.
Yes is 1.0 and no is 0.0.
"""

import math
from dataclasses import dataclass, fields

UNKNOWN = math.nan
YES, NO = 1.0, 0.0


def yes(answer: bool) -> float:  # noqa: FBT001  # a truth value is what it converts
    """A truth value as a fact."""
    return YES if answer else NO


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of one tick. Everything starts unknown, and unknown is never safe.

    Args:
        reply_age_s: Since the newest good reply.
        identity_ok: A wand of our wire version and a plate applicator, whose limits meet ours.
        capable: It has every sensor that cooling needs.
        simulated_ok: It is a real wand, or a simulated one is allowed.
        proven: It has the echo lease, or has not been put to the proof yet.
        boot_same: Its boot id is the one we identified.
        token_same: Our session token is in force.
        wand_clock_pct: How much faster the wand's clock runs than ours.
        foreign_orders: Orders accepted that were not ours.
        unoccupied: The wand is ours, or nobody orders it.
        lease_error_ms: Lease remaining as told, less as reckoned.
        setpoint_error_k: Setpoint in force as the wand told it, less the one ordered.
        calibration_age_days: Since the wand was calibrated; 0 while nobody keeps the wall clock.
        orders_accepted: The wand accepted what was asked.
        sequence_age_s: For how long the status sequence has not advanced.
        dose_known: The store knew the exposure.
        ledger_age_s: Since the newest durable exposure record; unknown while the session has none.
        ledger_writes: Exposure and lockouts reach the disk.
        late_periods: How late the tick ran, in periods.
        overruns: Ticks more than two periods late in the last 10 s.
        estop_released: The e-stop is not pressed.
        tip_fitted: The tip is on the wand.
        trigger_held: A hand holds the trigger.
        off_skin: The plate does not touch.
        contact_agrees: The contact flag is set, or infra-red that has seen skin still sees something.
        plate_sensors_good: Both plate channels are in range, neither open nor short.
        plate_cold_degc: Colder plate channel.
        plate_warm_degc: Warmer plate channel.
        plate_jump_k: How far a plate channel is beyond what a plate can do from where it was.
        plate_same_s: For how long a plate channel has repeated itself to the last digit while driven.
        unanswered_s: For how long hard drive off the skin has not made the plate fall.
        unheld_s: For how long hard drive has brought the plate no closer to its setpoint.
        residual_k: How much warmer the plate sensors show the plate than its module's voltage does.
        risen_k: How far the plate has risen under hard drive off the skin.
        freeze_risen_k: How far skin that infra-red sees at 1 degC or below has jumped up within half a second.
        idle_s: For how long nothing has driven a plate that is told to cool and is well above its setpoint.
        plate_noise_k: How far a plate channel jumps to and fro between samples, smoothed.
        rest_apart_k: Plate channel furthest from the sink, less the sink, magnitude.
        drive_share: Drive current over the wand's largest, + cools.
        channels_apart_k: Plate channel B less channel A, magnitude.
        plate_over_setpoint_k: Colder plate channel less the setpoint, once the plate has been there; else 0.
        sink_good: The sink sensor gives a value.
        sink_degc: Sink temperature.
        fan_still_s: Driven time since the fan was last seen turning.
        off_current_ma: Magnitude of the drive current that flows while told off.
        skin_degc: Lowest of infra-red and worst-case estimate in the zone worked on.
        baseline_skin_degc: Infra-red before the first contact; 33 when the wand has no such sensor.
        static_dwell_s: Static contact on one spot.
        step_contact_s: Contact in this step.
        zone_contact_s: Contact of this zone in this session.
        zone_below_15_s: This zone below 15 degC in this session.
        zone_below_10_s: This zone below 10 degC in this session.
        zone_below_4_s: This zone below 4 degC in this session.
        zone_d10_degc_s: Exposure index of this zone in this session.
        fat_boundary_degc: Worst-case dermis/fat boundary of this zone.
        since_treated_s: Since an earlier session last touched this zone.
        rewarmed_degc: Worst-case skin of a zone an earlier session has touched; 33 where none has.
        session_contact_s: Contact of all zones in this session.
        day_contact_s: Contact of all zones over the rolling day.
        zone_day_share: Largest share any of this zone's daily limits has been used up to.
        earlier_sessions: Sessions already held in the rolling day.
        wand_trip_code: Code of the trip latched in the wand, 0 for none.
    """

    reply_age_s: float = UNKNOWN
    identity_ok: float = UNKNOWN
    capable: float = UNKNOWN
    simulated_ok: float = UNKNOWN
    proven: float = UNKNOWN
    boot_same: float = UNKNOWN
    token_same: float = UNKNOWN
    wand_clock_pct: float = UNKNOWN
    foreign_orders: float = UNKNOWN
    unoccupied: float = UNKNOWN
    lease_error_ms: float = UNKNOWN
    setpoint_error_k: float = UNKNOWN
    calibration_age_days: float = UNKNOWN
    orders_accepted: float = UNKNOWN
    sequence_age_s: float = UNKNOWN
    dose_known: float = UNKNOWN
    ledger_age_s: float = UNKNOWN
    ledger_writes: float = UNKNOWN
    late_periods: float = UNKNOWN
    overruns: float = UNKNOWN
    estop_released: float = UNKNOWN
    tip_fitted: float = UNKNOWN
    trigger_held: float = UNKNOWN
    off_skin: float = UNKNOWN
    contact_agrees: float = UNKNOWN
    plate_sensors_good: float = UNKNOWN
    plate_cold_degc: float = UNKNOWN
    plate_warm_degc: float = UNKNOWN
    plate_jump_k: float = UNKNOWN
    plate_same_s: float = UNKNOWN
    unanswered_s: float = UNKNOWN
    unheld_s: float = UNKNOWN
    residual_k: float = UNKNOWN
    risen_k: float = UNKNOWN
    freeze_risen_k: float = UNKNOWN
    idle_s: float = UNKNOWN
    plate_noise_k: float = UNKNOWN
    rest_apart_k: float = UNKNOWN
    drive_share: float = UNKNOWN
    channels_apart_k: float = UNKNOWN
    plate_over_setpoint_k: float = UNKNOWN
    sink_good: float = UNKNOWN
    sink_degc: float = UNKNOWN
    fan_still_s: float = UNKNOWN
    off_current_ma: float = UNKNOWN
    skin_degc: float = UNKNOWN
    baseline_skin_degc: float = UNKNOWN
    static_dwell_s: float = UNKNOWN
    step_contact_s: float = UNKNOWN
    zone_contact_s: float = UNKNOWN
    zone_below_15_s: float = UNKNOWN
    zone_below_10_s: float = UNKNOWN
    zone_below_4_s: float = UNKNOWN
    zone_d10_degc_s: float = UNKNOWN
    fat_boundary_degc: float = UNKNOWN
    since_treated_s: float = UNKNOWN
    rewarmed_degc: float = UNKNOWN
    session_contact_s: float = UNKNOWN
    day_contact_s: float = UNKNOWN
    zone_day_share: float = UNKNOWN
    earlier_sessions: float = UNKNOWN
    wand_trip_code: float = UNKNOWN


FACT_NAMES = tuple(field.name for field in fields(Facts))
