"""The floor: an event loop that does nothing but wait for its next 20 Hz tick; prints how late each came, ms."""

import asyncio
import json
import sys
import time

PERIOD_S = 0.05


async def main(seconds: float) -> None:
    print("{}", flush=True)
    late = []
    due = time.monotonic()
    end = due + seconds
    while due < end:
        due += PERIOD_S
        await asyncio.sleep(due - time.monotonic())
        late.append(max(0.0, time.monotonic() - due) * 1000.0)
    print(json.dumps({"late_ms": late}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
