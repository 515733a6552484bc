"""Lease rules with one method overruled each: what a firmware engineer gets wrong first."""

from cryodevice.wire.codes import Refusal
from firmware_sim.firmware.echo_ring import EchoRing
from firmware_sim.firmware.lease import Lease


class NeverExpires(Lease):
    def expire(self, now_ms: int) -> bool:
        return False

    def live(self, now_ms: int) -> bool:
        return self.deadline_ms is not None


class TripsWhenArmed(Lease):
    def expire(self, now_ms):
        standing = self.deadline_ms is not None
        super().expire(now_ms)
        return standing and self.deadline_ms is None


class FromArrival(Lease):
    def _accept(self, order, now_ms):
        super()._accept(order, now_ms)
        if self.deadline_ms is not None:
            self.deadline_ms = now_ms + order.lease_ms


class RenewsOnRefusal(Lease):
    def receive(self, order, now_ms, trip):
        refusal = super().receive(order, now_ms, trip)
        if refusal is not Refusal.NONE and self.deadline_ms is not None:
            self.deadline_ms = now_ms + 1000
        return refusal


class EndsOnRefusal(Lease):
    def receive(self, order, now_ms, trip):
        refusal = super().receive(order, now_ms, trip)
        if refusal is not Refusal.NONE:
            self._end()
        return refusal


class KeepsLongerLease(Lease):
    def _accept(self, order, now_ms):
        before = self.deadline_ms
        super()._accept(order, now_ms)
        if before is not None and self.deadline_ms is not None:
            self.deadline_ms = max(before, self.deadline_ms)


class KnowsEveryEcho(EchoRing):
    def find(self, sequence):
        return super().find(sequence) or list(self._carried.values())[-1]


class StoresBeforeItJudges(Lease):
    def _judge(self, order, now_ms, trip):
        refusal = super()._judge(order, now_ms, trip)
        if refusal is Refusal.ECHO:
            self.order_sequence = order.sequence
        return refusal


class IgnoresBootId(Lease):
    def _judge(self, order, now_ms, trip):
        return super()._judge(order._replace(boot_id=self._boot_id), now_ms, trip)


class AcceptsAnyToken(Lease):
    def _judge(self, order, now_ms, trip):
        return super()._judge(order._replace(token=self.token or 1) if order.token else order, now_ms, trip)


class ComparesNumbersPlainly(Lease):
    def _judge(self, order, now_ms, trip):
        newer = order.sequence > self.order_sequence
        sequence = (self.order_sequence + (1 if newer else -1)) % 65536
        return super()._judge(order._replace(sequence=sequence), now_ms, trip)


class TakesColderSetpoints(Lease):
    def _judge(self, order, now_ms, trip):
        if order.setpoint_degc == 1.99:
            order = order._replace(setpoint_degc=2.0)
        return super()._judge(order, now_ms, trip)


class RefusesForeignStop(Lease):
    def receive(self, order, now_ms, trip):
        if order.is_stop and order.boot_id != self._boot_id and order.words != self.last_words:
            self.last_refusal = Refusal.BOOT_ID
            self.refusals += 1
            return Refusal.BOOT_ID
        return super().receive(order, now_ms, trip)


class KeepsTokenOnForeignStop(Lease):
    def _stop(self, order, now_ms):
        was_live, before = self.live(now_ms), self.token
        super()._stop(order, now_ms)
        if was_live and self.token == 0:
            self.token = before


class ForgetsStopInEpoch(Lease):
    def _stop(self, order, now_ms):
        before = self.epoch
        super()._stop(order, now_ms)
        self.epoch = before


class AppliesRepeats(Lease):
    def receive(self, order, now_ms, trip):
        if order.words == self.last_words and not order.is_stop:
            self.epoch += 1
        return super().receive(order, now_ms, trip)


class CountsRefusalsTwice(Lease):
    def receive(self, order, now_ms, trip):
        refusal = super().receive(order, now_ms, trip)
        self.refusals += refusal is not Refusal.NONE
        return refusal


class ResetsWhateverIsPresent(Lease):
    def _judge(self, order, now_ms, trip):
        return super()._judge(order, now_ms, trip._replace(cause_present=False))


class ResetsOnAnyEcho(Lease):
    def _judge(self, order, now_ms, trip):
        if order.is_reset and trip.ordinal:
            self.echoes.find(order.echo) and object.__setattr__(
                self.echoes.find(order.echo), "trip_shown", trip.ordinal
            )
        return super()._judge(order, now_ms, trip)


class TokenZeroForgets(Lease):
    def _stop(self, order, now_ms):
        super()._stop(order, now_ms)
        if order.token == 0:
            self.token = 0


class AnyStopSetsTheNumber(Lease):
    def _stop(self, order, now_ms):
        super()._stop(order, now_ms)
        self.order_sequence = order.sequence


class ModeBeforeNumber(Lease):
    def _judge(self, order, now_ms, trip):
        refusal = super()._judge(order, now_ms, trip)
        unknown = order.mode not in self._modes
        return Refusal.MODE if refusal is Refusal.SEQUENCE and unknown else refusal


class TakesAnUnknownMode(Lease):
    def _judge(self, order, now_ms, trip):
        return super()._judge(order._replace(mode=0) if order.mode == 0xFFFF else order, now_ms, trip)


class LeaseOfAnyLength(Lease):
    def _judge(self, order, now_ms, trip):
        return super()._judge(order._replace(lease_ms=min(order.lease_ms, 1000)), now_ms, trip)


class ArmsWhileTripped(Lease):
    def _judge(self, order, now_ms, trip):
        return super()._judge(order, now_ms, trip if order.is_reset else trip._replace(ordinal=0))


class ArmsWithTheResetKey(Lease):
    def _judge(self, order, now_ms, trip):
        armed = order.lease_ms and order.key == 0x5AFE
        return super()._judge(order._replace(key=0) if armed else order, now_ms, trip)


class RepeatWithAnotherEcho(Lease):
    def receive(self, order, now_ms, trip):
        last = self.last_words
        if last is not None and order.lease_ms and order.words[:4] + order.words[5:] == last[:4] + last[5:]:
            return Refusal.NONE
        return super().receive(order, now_ms, trip)


class TakesAPastDeadline(Lease):
    def _judge(self, order, now_ms, trip):
        longer = order._replace(lease_ms=900) if 0 < order.lease_ms < 900 else order
        return super()._judge(longer, now_ms, trip)
