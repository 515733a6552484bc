"""Random orders in random moments: what must hold after every one of them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cryodevice.quantities import u16_newer
from cryodevice.wire.codes import Mode, Refusal

MOMENTS = st.sampled_from([0.0, 0.001, 0.007, 0.013, 0.02, 0.04, 0.1, 0.3, 0.6])
ORDERS = st.fixed_dictionaries(
    {"mode": st.sampled_from([Mode.OFF, Mode.COOL, Mode.COOL, Mode.WARM, 3])},
    optional={
        "setpoint_degc": st.sampled_from([-10.0, 1.99, 2.0, 8.0, 30.0, 41.0]),
        "lease_ms": st.sampled_from([0, 0, 1, 50, 500, 1000, 1001]),
        "token": st.sampled_from([0, 5, 0x1234]),
        "key": st.sampled_from([0, 0x5AFE, 0x5AFE, 9]),
        "boot_id": st.just(99),
        "age": st.integers(0, 60),
        "sequence_step": st.sampled_from([-1, 0, 1, 2, 32767, 32768]),
    },
)
EVENTS = st.sampled_from(["none"] * 8 + ["estop", "clear", "read", "read", "repeat", "hot", "reboot"])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(MOMENTS, EVENTS, ORDERS), max_size=40))
def test_whatever_is_sent_the_rules_hold(new_bench: Any, steps: Any) -> None:
    bench = new_bench()
    firmware, host = bench.firmware, bench.host
    words = None
    for moment, event, order in steps:
        bench.run(moment)
        bench.check()
        apply(bench, event, words)
        bench.check()
        spoilt = dict(order)
        echo = (firmware.sequence - spoilt.pop("age", 0)) % 65536
        lease = firmware.lease
        sequence = (lease.order_sequence + spoilt.pop("sequence_step", 1)) % 65536
        words = host.words(**spoilt, echo=echo, sequence=sequence)
        check_one(bench, words)


def apply(bench: Any, event: Any, words: Any) -> Any:
    match event:
        case "estop":
            bench.plant.estop = True
            bench.run(0.02)
        case "clear":
            bench.plant.estop = False
            bench.plant.disturbances.sink_offset_k = 0.0
        case "read":
            bench.host.status()
        case "repeat" if words is not None:
            bench.firmware.receive(words)
        case "hot":
            bench.plant.disturbances.sink_offset_k = 40.0
        case "reboot":
            bench.simulator.reboot()


def check_one(bench: Any, words: Any) -> Any:
    firmware, lease = bench.firmware, bench.firmware.lease
    before = (lease.deadline_ms, lease.mode, lease.token, lease.order_sequence, lease.setpoint_degc)
    epoch, tripped, repeat = lease.epoch, firmware.cutouts.trip, tuple(words) == lease.last_words
    echo = lease.echoes.find(words[4])
    refusal = firmware.receive(words)
    bench.check()
    after = (lease.deadline_ms, lease.mode, lease.token, lease.order_sequence, lease.setpoint_degc)
    stop = words[1] == words[3] == words[7] == 0
    assert firmware.status_words()[17] == max(0, (lease.deadline_ms or 0) - firmware.now_ms)
    if refusal is not Refusal.NONE or repeat:
        assert after == before
        assert firmware.lease.epoch == epoch
        assert firmware.cutouts.trip is tripped
        assert not stop or repeat
        return
    assert lease.epoch == (epoch + 1) % 65536
    if stop:
        assert lease.deadline_ms is None
        assert bench.plant.drive_a == 0.0
        return
    assert words[6] == lease.token != 0
    assert u16_newer(words[0], before[3])
    assert echo is not None
    if words[7] == 0:
        assert lease.deadline_ms == echo.sampled_ms + words[3]
        assert firmware.now_ms < lease.deadline_ms <= firmware.now_ms + 1000
        assert not tripped
    else:
        assert tripped
        assert lease.deadline_ms is None
