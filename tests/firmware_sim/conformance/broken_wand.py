"""Firmware, cut-outs and the blocks they show, with one method overruled each."""

from cryodevice.wire.codes import Fault, Flag, Mode, State, Trip
from firmware_sim.firmware import Firmware
from firmware_sim.firmware.cutouts import Cutouts

_RELAY = int(Flag.RELAY_CLOSED)


class Unlatched(Cutouts):
    def judge(self, present, now_ms):
        super().judge(present, now_ms)
        if not self.cause_present:
            self.trip = Trip.NONE


class RelayStuck(Firmware):
    def _drive(self, drive_a, *, closed):
        super()._drive(drive_a, closed=closed or self._board.relay_closed)


class StopClearsTrip(Firmware):
    def _answer(self, order):
        refusal = super()._answer(order)
        if order.is_stop:
            self.cutouts.clear()
        return refusal


class CountsMoreThanItSamples(Firmware):
    def _complete(self, faults, *, live):
        self.sequence += self.sequence % 8 == 7
        super()._complete(faults, live=live)


class SamplesOnce(Firmware):
    def _run(self, readings):
        super()._run(self.measured.readings or readings)


class TenthsOfDegree(Firmware):
    def status_values(self):
        values = dict(super().status_values())
        for name in ("plate_a_degc", "plate_b_degc"):
            values[name] = values[name] / 10
        return values


class SetpointInTenths(Firmware):
    def status_values(self):
        values = super().status_values()
        setpoint = values["setpoint_degc"]
        return {**values, "setpoint_degc": None if setpoint is None else setpoint / 10}


class RepliesOfBefore(Firmware):
    """The reply to an order is built before the order is applied."""

    def receive(self, words):
        before = self.status_words()
        refusal = super().receive(words)
        self.lease.built = before
        return refusal

    def status_words(self):
        words = super().status_words()
        built, self.lease.built = getattr(self.lease, "built", None), None
        if built is not None:
            words[19], words[23] = built[19], built[23]
        return words


class AbsentSensorsShowZero(Firmware):
    def status_values(self):
        return {**super().status_values(), "supply_kpa": 0}


class ForgetsBoot(Firmware):
    def status_values(self):
        return {**super().status_values(), "boot_id_now": 0}


class AnotherMajorVersion(Firmware):
    def identity_values(self):
        return {**super().identity_values(), "wire_version": 0x0200}


class AnotherCutOut(Firmware):
    def identity_values(self):
        return {**super().identity_values(), "cold_cutout_degc": 0.5}


class NarrowerSetpointsSaid(Firmware):
    def identity_values(self):
        return {**super().identity_values(), "setpoint_max_degc": 38.0}


class ReservedUsed(Firmware):
    def status_values(self):
        return {**super().status_values(), "status_reserved_30": 1}


class RelayClosedAtBoot(Firmware):
    def status_values(self):
        values = super().status_values()
        return {**values, "flags": values["flags"] | (_RELAY if self.lease.last_words is None else 0)}


class MeasuresInTheReply(Firmware):
    def status_values(self):
        self.measured.plate_a_degc += 0.01 if self.measured.plate_a_degc < 24.0 else -0.01
        return super().status_values()


class ArmedIsCooling(Firmware):
    def status_values(self):
        values = super().status_values()
        return {**values, "state": State.COOLING if values["state"] == State.ARMED else values["state"]}


class RelayOpenWhileArmed(Firmware):
    def _drive(self, drive_a, *, closed):
        super()._drive(drive_a, closed=closed and self.lease.mode is not Mode.OFF)


class EstopWithoutFault(Firmware):
    def status_values(self):
        values = super().status_values()
        return {**values, "faults": values["faults"] & ~int(Fault.ESTOP)}


class RelayClosedWhileTripped(Firmware):
    def status_values(self):
        values = super().status_values()
        return {**values, "flags": values["flags"] | (_RELAY if self.cutouts.trip is Trip.ESTOP else 0)}


class ArmedDriveGoesOn(Firmware):
    def _drive(self, drive_a, *, closed):
        super()._drive(self._board.drive_a if closed and self.lease.mode is Mode.OFF else drive_a, closed=closed)


class EndsInAnotherTrip(Firmware):
    """A lease that expires in mode 0 latches the trip of the supply."""

    def _expire(self):
        was_live = self.lease.deadline_ms is not None
        super()._expire()
        if was_live and self.lease.deadline_ms is None and self.cutouts.trip is Trip.NONE:
            self.cutouts.latch(Trip.SUPPLY)
