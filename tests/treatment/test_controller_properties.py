"""Whatever the line says and whatever people ask, in any order: it never raises and never leases unjudged."""

import math
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cryodevice.quantities import Seconds
from cryodevice.safety import contact as memory
from cryodevice.safety import skin_estimate
from cryodevice.safety.contact import LOST_AFTER_S, WARMER_BY_K, Contact
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import COOLING, TREATING, SessionState
from cryodevice.safety.readings import read
from cryodevice.safety.verdict import Action
from cryodevice.treatment.core import Answered, Connected, Disconnected, Missed, Reset, Resetting, Stop
from cryodevice.treatment.evidence import skin_degc
from cryodevice.treatment.program import Step, Treatment
from cryodevice.wire.blocks import unpack_identity, unpack_status
from cryodevice.wire.codes import Capability, Flag, Mode
from cryodevice.wire.registers import IDENTITY_COUNT, STATUS_COUNT
from tests.safety.samples import WELL, status
from tests.treatment.ideal_wand import ONE, PRESENT, TOKEN, Bench

WORD = st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0, 1, 0x7FFF, 0x8000, 0xFFFF]))
ANY_STATUS = st.lists(WORD, min_size=STATUS_COUNT, max_size=STATUS_COUNT).map(unpack_status)
ANY_IDENTITY = st.lists(WORD, min_size=IDENTITY_COUNT, max_size=IDENTITY_COUNT).map(unpack_identity)
STEPS = st.builds(Step, st.sampled_from(Zone), st.floats(0, 30), st.floats(0, 40), st.floats(0, 20), st.booleans())
TREATMENTS = st.one_of(
    st.just(ONE), st.builds(Treatment, st.just("t"), st.lists(STEPS, max_size=3).map(tuple), st.sampled_from("ab"))
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "plate_a_degc": st.one_of(st.none(), st.floats(-50, 90)),
        "plate_b_degc": st.one_of(st.none(), st.floats(-50, 90)),
        "skin_ir_degc": st.one_of(st.none(), st.floats(-30, 70)),
        "ambient_degc": st.one_of(st.none(), st.floats(-30, 70)),
        "sink_degc": st.one_of(st.none(), st.floats(0, 120)),
        "drive_ma": st.one_of(st.none(), st.integers(-5000, 5000)),
        "token": st.integers(0, 0xFFFF),
        "boot_id": st.integers(1, 5),
        "order_epoch": st.integers(0, 0xFFFF),
        "lease_remaining_ms": st.integers(0, 2000),
        "uptime_ms": st.integers(0, 2**32 - 1),
        "sequence": st.integers(0, 0xFFFF),
    },
)


class Anything(RuleBasedStateMachine):
    """A wand that is mostly well, a line that is not, and people in a hurry."""

    def __init__(self):
        super().__init__()
        self.bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.1})
        self.contact_s = 0.0
        self.reset_asked = False
        self.lockout = None

    @initialize()
    def connect(self):
        self.bench.claim()

    def commands(self, *given):
        self.reset_asked |= any(isinstance(command, Reset) for command in given)
        return given

    @rule(count=st.integers(1, 25))
    def well(self, count):
        for _ in range(count):
            self.bench.tick()

    @rule()
    def proven(self):
        self.bench.flags = WELL | Flag.TRIGGER
        self.bench.tick(commands=[self.bench.start()])
        for _ in range(14):
            self.bench.tick()

    @rule(flag=st.sampled_from([Flag.CONTACT, Flag.CONTACT, Flag.TRIGGER, Flag.ESTOP, Flag.TIP, Flag.TRIP_LATCHED]))
    def hand(self, flag):
        self.bench.flags ^= flag
        self.bench.tick()

    @rule(changes=CHANGES, count=st.integers(1, 12))
    def unwell(self, changes, count):
        for _ in range(count):
            self.bench.tick(**changes)

    @rule(anything=ANY_STATUS, ours=st.booleans(), refused=st.sampled_from([None, None, 0, 3, 9, 250]))
    def noise(self, anything, ours, refused):
        self.bench.pass_s()
        sent = self.bench.order if ours else None
        self.bench.decide(Answered(read(anything, Seconds(self.bench.now)), sent, refused))

    @rule(ours=st.booleans(), accepted=st.booleans(), dt=st.sampled_from([0.0, 0.025, 0.05, 0.3, 40.0]))
    def missed(self, ours, accepted, dt):
        self.bench.pass_s(dt)
        if ours and accepted:
            self.bench.accept(self.bench.order)
        self.bench.decide(Missed(self.bench.order if ours else None, "no reply"))

    @rule(wand=st.one_of(st.just(PRESENT), ANY_IDENTITY), token=st.sampled_from([TOKEN, 9]))
    def reconnected(self, wand, token):
        self.bench.pass_s()
        self.bench.decide(Disconnected("gone"), Connected(wand, token), self.bench.answer())

    @rule(rejected=st.booleans(), why=st.sampled_from(["", "gone"]))
    def disconnected(self, rejected, why):
        self.bench.pass_s()
        self.bench.decide(Disconnected(why, rejected=rejected))

    @rule(back=st.floats(-3.0, 400.0))
    def time_jumps(self, back):
        self.bench.now += back
        self.bench.decide()

    @rule(treatment=TREATMENTS, service=st.booleans(), order=st.permutations([0, 1, 2]), which=st.integers(1, 3))
    def people(self, treatment, service, order, which):
        every = [self.bench.start(treatment), Stop("x"), Reset("x", service)]
        asked = self.commands(*[every[index] for index in order[:which]])
        decision = self.bench.decide(commands=asked)
        if any(isinstance(command, Stop) for command in asked):
            assert decision.core.session.state not in TREATING
            assert decision.order is None or not decision.order.lease_ms

    @precondition(lambda self: self.bench.core.lockout is not None)
    @rule()
    def mended(self):
        self.bench.flags = WELL | Flag.TRIGGER
        self.bench.decide(Connected(PRESENT, TOKEN))
        for _ in range(30):
            self.bench.tick()
        asked = self.commands(Reset("x", service=True))
        self.bench.tick(commands=asked)

    @invariant()
    def cooling_is_judged_and_asked_of_a_wand_that_is_ours(self):
        core, order = self.bench.core, self.bench.order
        assert core.leased is (order is not None and order.mode is Mode.COOL)
        if core.leased:
            assert core.verdict.permit
            assert core.link.claimed
            assert core.lockout is None
            assert core.session.state in COOLING
            assert order.setpoint_degc >= core.limits.plate_floor_degc
            assert order.echo == core.reading.status.sequence
            assert 0.0 <= core.now_s - core.reading.at_s <= 0.125
        if core.link.rejected or core.link_why:
            assert order is None
        if not core.verdict.permit:
            assert order is None or not order.lease_ms

    @invariant()
    def what_has_been_had_is_never_less(self):
        core = self.bench.core
        contact_s = core.dose.day_contact_s + sum(other.day_contact_s for other in core.others.values())
        assert contact_s >= self.contact_s - 1e-9
        self.contact_s = contact_s

    @invariant()
    def a_lockout_goes_only_by_a_reset_whose_cause_is_gone(self):
        lockout, verdict = self.bench.core.lockout, self.bench.core.verdict
        if self.lockout is not None and lockout is None:
            assert self.reset_asked
            assert all(finding.action is not Action.LOCKOUT for finding in verdict.active)
            self.reset_asked = False
        elif self.lockout is not None and self.reset_asked and self.bench.core.resetting is Resetting.NO:
            self.reset_asked = lockout is not self.lockout
        self.lockout = lockout

    @invariant()
    def events_can_be_written_down(self):
        for event in self.bench.events:
            for value in event.evidence.values():
                assert not isinstance(value, float) or math.isfinite(value)
        self.bench.events.clear()


TestAnything = Anything.TestCase
TestAnything.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_plate_is_taken_colder_than_it_reads():
    estimate = skin_estimate.advanced(skin_estimate.begin(Seconds(0.0)), Seconds(90.0), 8.0, 24.0, [Zone.NOSE])
    assert 7.5 < estimate.skin_degc(Zone.NOSE) < 8.0


FLAGS = st.sampled_from([Flag(0), Flag.CONTACT, Flag.TRIGGER, Flag.CONTACT | Flag.TRIGGER, Flag.MOTION])
IR = st.one_of(st.none(), st.floats(0, 40))


@given(seen=st.lists(st.tuples(st.floats(0.01, 0.6), st.one_of(st.none(), st.tuples(FLAGS, IR))), max_size=40))
def test_contact_once_believed_is_lost_only_by_the_rule(seen):
    contact, now, absent_since, skin = Contact(), 0.0, -math.inf, 9.0
    for dt, said in seen:
        now += dt
        reading = None
        if said is not None:
            flags, ir = said
            reading = read(status(flags=WELL | flags, skin_ir_degc=ir), Seconds(now))
        after = memory.follow(contact, reading, Capability(0xFF), skin, Seconds(dt))
        if said is None:
            assert after.believed is contact.believed
        elif Flag.CONTACT in flags:
            assert after.believed
            absent_since = None
        else:
            absent_since = now if absent_since is None else absent_since
            second_sign = Flag.TRIGGER not in flags or (ir is not None and ir > skin + WARMER_BY_K)
            if contact.believed and not after.believed:
                assert now - absent_since >= LOST_AFTER_S
                assert second_sign
            hides = contact.ir_seen and ir is None and Flag.TRIGGER in flags
            assert after.believed or not hides, "a held trigger and a hidden infra-red are contact"
            assert hides or not (after.believed and not contact.believed)
        if contact.believed and after.believed and not (said and (Flag.MOTION in said[0] and Flag.CONTACT in said[0])):
            assert after.dwell_s >= contact.dwell_s, "a contact that lasts only grows longer"
        contact = after


ROOMS = st.floats(10, 35)


@settings(max_examples=40, deadline=None)
@given(
    plates=st.lists(st.tuples(st.floats(2, 30), st.booleans()), min_size=1, max_size=40),
    colder=st.floats(0, 10),
    room=ROOMS,
    cooler=st.floats(0, 10),
    start=st.floats(26, 33),
)
def test_neither_a_warmer_plate_nor_a_warmer_room_makes_the_estimate_colder(plates, colder, room, cooler, start):
    zone = Zone.FOREHEAD
    warm = cold = skin_estimate.begin(Seconds(0.0), start)
    for number, (plate, touching) in enumerate(plates, start=1):
        now, touched = Seconds(number * 0.2), [zone] if touching else []
        warm = skin_estimate.advanced(warm, now, plate, room, touched)
        cold = skin_estimate.advanced(cold, now, plate - colder, room - cooler, touched)
        assert cold.skin_degc(zone) <= warm.skin_degc(zone) + 1e-9
        assert cold.fat_degc(zone) <= warm.fat_degc(zone) + 1e-9


@given(irs=st.tuples(st.floats(-20, 60), st.floats(-20, 60)), state=st.sampled_from(sorted(SessionState)))
def test_infra_red_only_ever_lowers(irs, state):
    def judged(value: float) -> Bench:
        bench = Bench(wand={"plate_a_degc": 8.0, "plate_b_degc": 8.0})
        bench.to(state if state is not SessionState.LOCKED else SessionState.IDLE)
        start = skin_estimate.begin(Seconds(bench.now), 20.0)
        bench.core = replace(bench.core, estimate=start, contact=Contact())  # infra-red has not been seen yet
        bench.tick(skin_ir_degc=value)
        return bench

    colder, warmer = judged(min(irs)), judged(max(irs))
    active = {finding.id for finding in (*warmer.core.verdict.active, *warmer.core.verdict.pending)}
    assert active - {"baseline_skin"} <= {f.id for f in (*colder.core.verdict.active, *colder.core.verdict.pending)}
    for core in (colder.core, warmer.core):
        assert skin_degc(core, core.now_s) <= core.estimate.skin_degc(core.session.zone)
    assert skin_degc(colder.core, colder.core.now_s) <= skin_degc(warmer.core, warmer.core.now_s)
    zone = warmer.core.session.zone
    assert colder.core.estimate.skin_degc(zone) <= warmer.core.estimate.skin_degc(zone)
