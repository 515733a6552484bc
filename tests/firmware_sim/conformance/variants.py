"""Wands that are good but for one thing, and the clauses each of them fails: exactly those, on every line it differs on.

The classes are in ``broken_lease``, ``broken_wand`` and ``broken_lines``; each is the simulated firmware, or its end of a
line, with one method overruled. None of it is in the product.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.endpoints.modbus_pdu import ModbusPdu
from firmware_sim.endpoints.modbus_rtu import RtuSlave
from firmware_sim.endpoints.modbus_tcp import TcpSlave
from firmware_sim.endpoints.serial_slave import SerialSlave
from firmware_sim.endpoints.slave import Slave
from firmware_sim.firmware import Firmware
from firmware_sim.simulator import Simulator
from tests.firmware_sim.conformance import broken_lease as rules
from tests.firmware_sim.conformance import broken_lines as lines
from tests.firmware_sim.conformance import broken_wand as wand

LINES = ("serial", "rtu", "tcp")
SERIAL, MODBUS = ("serial",), ("rtu", "tcp")


class Parts:
    """A wand to be broken: its simulator, what makes its end of each kind of line, how fast the world's clock runs."""

    def __init__(self) -> None:
        self.simulator = Simulator(1, calibration_day=9500, last_boot=41)
        self.clock_rate = 1.0
        self.slaves: dict[str, Callable[[Firmware], Slave]] = {
            "serial": SerialSlave,
            "rtu": RtuSlave,
            "tcp": TcpSlave,
        }

    @property
    def firmware(self) -> Firmware:
        return self.simulator.firmware


Act = Callable[[Parts], None]


@dataclass(frozen=True)
class Variant:
    """One wand with one thing wrong.

    Args:
        does: What, in a sentence.
        act: Breaks a good wand.
        fails: Clauses it fails on every line.
        also: Further ones, by line.
        on: Lines on which it differs from a good wand.
    """

    does: str
    act: Act
    fails: tuple[str, ...]
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on: tuple[str, ...] = LINES

    def expected(self, line: str) -> set[str]:
        return {*self.fails, *self.also.get(line, ())} if line in self.on else set()


def turn(part: Any, into: type) -> None:
    """Make a part one of a class that overrules some of its methods."""
    assert issubclass(into, type(part)), f"{into} is no {type(part)}"
    part.__class__ = into


def lease(into: type) -> Act:
    return lambda parts: turn(parts.firmware.lease, into)


def echoes(into: type) -> Act:
    return lambda parts: turn(parts.firmware.lease.echoes, into)


def cutouts(into: type) -> Act:
    return lambda parts: turn(parts.firmware.cutouts, into)


def firmware(into: type) -> Act:
    return lambda parts: turn(parts.firmware, into)


def line(name: str, into: type[Slave]) -> Act:
    return lambda parts: parts.slaves.update({name: into})


def pdu(wrong: type[ModbusPdu]) -> Act:
    """Functions that are wrong, on RTU and on TCP."""

    def act(parts: Parts) -> None:
        for name in MODBUS:
            good = parts.slaves[name]

            def new(firmware: Firmware, good: Any = good) -> Slave:
                slave = good(firmware)
                slave._pdu = wrong(firmware)
                return slave

            parts.slaves[name] = new

    return act


def both_units(parts: Parts) -> None:
    parts.slaves.update(rtu=lines.AnswersEveryUnitRtu, tcp=lines.AnswersEveryUnit)


def slow_clock(parts: Parts) -> None:
    parts.clock_rate = 1.18


VARIANTS: dict[str, Variant] = {
    "ignores the lease": Variant("a lease never ends by itself", lease(rules.NeverExpires), ("LEASE-17", "LEASE-16")),
    "trips when armed": Variant("a lease that expires in mode 0 latches trip 1", lease(rules.TripsWhenArmed), ("LEASE-17",)),
    "counts from arrival": Variant("the lease counts from the order, not from the sample", lease(rules.FromArrival), ("LEASE-11.sample", "LEASE-11.driving")),
    "renews on refusal": Variant("a refused order renews the lease", lease(rules.RenewsOnRefusal), ("LEASE-12.lease",)),
    "ends on refusal": Variant("a refused order ends the lease", lease(rules.EndsOnRefusal), ("LEASE-12.lease",)),
    "keeps the longer lease": Variant("an earlier deadline does not replace a later one", lease(rules.KeepsLongerLease), ("LEASE-11.replaces",)),
    "stale echo accepted": Variant("any echo is taken for the newest status", echoes(rules.KnowsEveryEcho), ("LEASE-10", "LEASE-07.9"), dict.fromkeys(MODBUS, ("MODBUS-14",))),
    "half-applied order": Variant("an order refused for its echo leaves its number behind", lease(rules.StoresBeforeItJudges), ("LEASE-22",)),
    "ignores the boot id": Variant("orders for another boot are accepted", lease(rules.IgnoresBootId), ("LEASE-07.2",)),
    "accepts a foreign token": Variant("any token but 0 will do", lease(rules.AcceptsAnyToken), ("LEASE-06", "LEASE-07.3")),
    "numbers without a wrap": Variant("65535 is newer than 0 for ever", lease(rules.ComparesNumbersPlainly), ("LEASE-08",)),
    "takes a colder setpoint": Variant("1.99 °C is accepted", lease(rules.TakesColderSetpoints), ("LEASE-07.7",)),
    "refuses a stop": Variant("a stop for another boot is refused", lease(rules.RefusesForeignStop), ("LEASE-01",)),
    "keeps the token": Variant("a stop by another token leaves the token in force", lease(rules.KeepsTokenOnForeignStop), ("LEASE-03",)),
    "epoch without stops": Variant("a stop does not count in the epoch", lease(rules.ForgetsStopInEpoch), ("LEASE-13",)),
    "applies repeats": Variant("an exact repeat counts as a new order", lease(rules.AppliesRepeats), ("LEASE-09.repeat",)),
    "counts refusals twice": Variant("a refusal counts two", lease(rules.CountsRefusalsTwice), ("LEASE-12.count",)),
    "reset whatever is present": Variant("a reset clears a trip whose cause stands", lease(rules.ResetsWhateverIsPresent), ("LEASE-19",)),
    "reset on any echo": Variant("a reset need not have seen the trip", lease(rules.ResetsOnAnyEcho), ("LEASE-18",)),
    "unlatched trip": Variant("a trip goes away with its cause", cutouts(wand.Unlatched), ("LEASE-16",)),
    "stop clears a trip": Variant("a stop resets", firmware(wand.StopClearsTrip), ("CUTOUT-10", "CUTOUT-10.driving")),
    "relay stuck closed": Variant("the relay never opens again", firmware(wand.RelayStuck), ("LEASE-02", "LEASE-17", "LEASE-02.driving", "LEASE-16")),
    "sequence without sampling": Variant("the sequence advances and nothing is sampled any more", firmware(wand.SamplesOnce), ("WIRE-06.sampled", "LEASE-23.cooling")),
    "counts more than it samples": Variant("the sequence skips a number every eighth tick", firmware(wand.CountsMoreThanItSamples), ("WIRE-06",)),
    "wrong scale of the plate": Variant("a count of the plate is 0.1 °C", firmware(wand.TenthsOfDegree), ("WIRE-03",)),
    "wrong scale of the setpoint": Variant("a count of the setpoint in force is 0.1 °C", firmware(wand.SetpointInTenths), ("LEASE-23.cooling",)),
    "reply of before the order": Variant("number and epoch in the reply are of before the order", firmware(wand.RepliesOfBefore), ("LEASE-23.order",)),
    "absent sensor shows 0": Variant("a wand without a pressure sensor says 0 kPa", firmware(wand.AbsentSensorsShowZero), ("WIRE-05",)),
    "status without boot id": Variant("boot_id_now is 0", firmware(wand.ForgetsBoot), ("WIRE-09",)),
    "replies to a bad CRC": Variant("a frame with a wrong CRC is answered", line("serial", lines.AnswersBadCrc), ("FRAME-02",), on=SERIAL),
    "replies to replies": Variant("a frame with bit 7 gets an error reply", line("serial", lines.AnswersReplies), ("FRAME-12.reply",), on=SERIAL),
    "takes a long order": Variant("bytes after an order are ignored", line("serial", lines.TakesLongOrders), ("FRAME-13",), on=SERIAL),
    "silent on an unknown type": Variant("type 100 gets no reply", line("serial", lines.SilentOnUnknown), ("FRAME-12.unknown",), on=SERIAL),
    "wrong frame sequence": Variant("an identify of sequence 255 is answered as 42", line("serial", lines.SequenceOfItsOwn), ("FRAME-11",), on=SERIAL),
    "wrong function echoed": Variant("FC 4 is answered as FC 3", pdu(lines.AnswersFour), ("MODBUS-02",), on=MODBUS),
    "broadcast obeyed": Variant("an order to unit 0 is carried out", pdu(lines.ObeysBroadcasts), ("MODBUS-01.broadcast",), on=MODBUS),
    "FC 6 in the order block": Variant("one word of the order can be written", pdu(lines.WritesOneWord), ("MODBUS-04.fc6",), on=MODBUS),
    "partial read can be echoed": Variant("a status read in part may be echoed", pdu(lines.PartialReadsCarry), ("MODBUS-14",), on=MODBUS),
    "address before count": Variant("addresses are checked before counts", pdu(lines.AddressBeforeCount), ("MODBUS-07",), on=MODBUS),
    "answers every unit": Variant("requests to other units are answered", both_units, ("MODBUS-01",), on=MODBUS),
    "replies to a bad CRC (RTU)": Variant("a read with a wrong CRC is answered", line("rtu", lines.AnswersBadCrcRtu), ("MODBUS-11",), on=("rtu",)),
    "stop lost behind noise": Variant("noise costs the request behind it", line("rtu", lines.LosesRequestAfterNoise), ("MODBUS-18",), on=("rtu",)),
    "first of many only": Variant("of requests in one segment only the first is answered", line("tcp", lines.FirstOfManyOnly), ("MODBUS-17",), on=("tcp",)),
    "armed drive goes on": Variant("the drive keeps its current while armed", firmware(wand.ArmedDriveGoesOn), ("LEASE-14.driving",)),
    "slow clock": Variant("a second of the wand is 1.18 s", slow_clock, ("WIRE-02",)),
    "another major version": Variant("wire 2.0", firmware(wand.AnotherMajorVersion), ("VERSION-01",)),
    "another cut-out": Variant("the cold cut-out is 0.5 °C", firmware(wand.AnotherCutOut), ("CUTOUT-01",)),
    "narrower setpoints said": Variant("38 °C is announced and 40 °C accepted", firmware(wand.NarrowerSetpointsSaid), ("CUTOUT-13", "LEASE-07.7")),
    "reserved register used": Variant("status 30 is 1", firmware(wand.ReservedUsed), ("WIRE-08",)),
    "relay closed at boot": Variant("the relay is closed until the first order", firmware(wand.RelayClosedAtBoot), ("LEASE-15.off",)),
    "measures in the reply": Variant("plate A is sampled for each reply", firmware(wand.MeasuresInTheReply), ("LEASE-23.snapshot",)),
    "armed is cooling": Variant("state 2 while armed", firmware(wand.ArmedIsCooling), ("LEASE-14",)),
    "relay open while armed": Variant("the relay closes for a mode only", firmware(wand.RelayOpenWhileArmed), ("LEASE-15.armed",)),
    "e-stop without fault": Variant("fault 14 stays 0", firmware(wand.EstopWithoutFault), ("CUTOUT-07",)),
    "relay closed while tripped": Variant("the relay closes on an e-stop", firmware(wand.RelayClosedWhileTripped), ("CUTOUT-09",)),
    "token 0 forgets": Variant("a stop with token 0 takes the token out of force", lease(rules.TokenZeroForgets), ("LEASE-04",)),
    "any stop sets the number": Variant("another's stop sets the last order number", lease(rules.AnyStopSetsTheNumber), ("LEASE-05",)),
    "mode before number": Variant("the mode is checked before the number", lease(rules.ModeBeforeNumber), ("LEASE-07.4",)),
    "takes an unknown mode": Variant("mode 65535 is taken for off", lease(rules.TakesAnUnknownMode), ("LEASE-07.5",)),
    "lease of any length": Variant("lease_max_ms is not checked", lease(rules.LeaseOfAnyLength), ("LEASE-07.8",)),
    "arms while tripped": Variant("a latched trip refuses nothing", lease(rules.ArmsWhileTripped), ("LEASE-07.6", "CUTOUT-10.driving")),
    "arms with the reset key": Variant("the reset key with a lease is ignored", lease(rules.ArmsWithTheResetKey), ("LEASE-19.key",)),
    "repeat with another echo": Variant("a repeat may have another echo", lease(rules.RepeatWithAnotherEcho), ("LEASE-09.other",)),
    "takes a past deadline": Variant("a deadline that has passed is accepted", lease(rules.TakesAPastDeadline), ("LEASE-11.past",)),
    "cut group not counted": Variant("a COBS group that is cut short is dropped uncounted", line("serial", lines.SkipsCutGroups), ("FRAME-08.cobs",), on=SERIAL),
    "answers type 0": Variant("type 0 gets an error reply", line("serial", lines.AnswersTypeZero), ("FRAME-08.short",), on=SERIAL),
    "counts a long frame often": Variant("a long bad frame counts more than once", line("serial", lines.CountsEach256Bytes), ("FRAME-08.long",), on=SERIAL),
    "one byte too few": Variant("a frame of 256 bytes is dropped", line("serial", lines.OneByteTooFew), ("FRAME-05",), on=SERIAL),
    "counts empty frames": Variant("zeros count as a bad frame", line("serial", lines.CountsEmptyFrames), ("FRAME-07",), on=SERIAL),
    "forgets half frames": Variant("half a frame is dropped after 500 ms", line("serial", lines.ForgetsHalfFrames), ("FRAME-10",), on=SERIAL),
    "last of many only": Variant("of three requests in one write the last is answered", line("serial", lines.LastOfManyOnly), ("FRAME-12.each",), on=SERIAL),
    "reads before it writes": Variant("FC 23 reads the order block before it writes it", pdu(lines.ReadsBeforeItWrites), ("MODBUS-03",), on=MODBUS),
    "no order by FC 16": Variant("FC 16 to the order block is exception 2", pdu(lines.NoOrderByFc16), ("MODBUS-04.fc16",), on=MODBUS),
    "completes orders": Variant("an order of 7 words is made up with a 0", pdu(lines.CompletesOrders), ("MODBUS-04.part",), on=MODBUS),
    "refuses with 4": Variant("an order refused by FC 16 is exception 4", pdu(lines.RefusesWithFour), ("MODBUS-05",), on=MODBUS),
    "echoes diagnostics": Variant("FC 8 is answered", pdu(lines.EchoesDiagnostics), ("MODBUS-06",), on=MODBUS),
    "reads past the identity": Variant("a 25th identity register reads 0", pdu(lines.ReadsPastTheIdentity), ("MODBUS-08",), on=MODBUS),
    "scratch only by FC 6": Variant("FC 16 does not write the scratch word", pdu(lines.ScratchOnlyByFc6), ("MODBUS-09",), on=MODBUS),
    "writes before it looks": Variant("FC 23 applies an order whose read is nowhere", pdu(lines.WritesBeforeItLooks), ("MODBUS-10",), on=MODBUS),
    "answers exceptions": Variant("function 0x97 is answered", pdu(lines.AnswersExceptions), ("MODBUS-15",), on=MODBUS),
    "deaf to broadcasts": Variant("a broadcast to the scratch word is ignored", pdu(lines.DeafToBroadcasts), ("MODBUS-16",), on=MODBUS),
    "whole segments only": Variant("a request byte by byte is lost", line("tcp", lines.WholeSegmentsOnly), ("MODBUS-19.pieces",), on=("tcp",)),
    "half is nothing": Variant("half a request is not counted", line("rtu", lines.HalfIsNothing), ("MODBUS-18.half",), on=("rtu",)),
    "any protocol id": Variant("the protocol id is not looked at", line("tcp", lines.AnyProtocolId), ("MODBUS-19.header",), on=("tcp",)),
    "waits for ever": Variant("half a request keeps its connection", line("tcp", lines.WaitsForEver), ("MODBUS-19.half",), on=("tcp",)),
}  # fmt: skip
