"""docs/mqtt.md says what is published: its table is the table in force, its examples are of their schemas."""

import json
import re
from pathlib import Path

import pytest

from cryodevice.telemetry import payloads
from cryodevice.telemetry.topics import DELIVERY, Topic

TEXT = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"### `(\w+)`\n.*?```json\n(.*?)```", TEXT, flags=re.DOTALL)


def test_every_json_topic_has_an_example() -> None:
    assert {topic for topic, _ in EXAMPLES} == {topic.value for topic, _ in payloads.VERSIONS.values()}


@pytest.mark.parametrize(("topic", "example"), EXAMPLES, ids=[topic for topic, _ in EXAMPLES])
def test_an_example_is_a_whole_payload_of_its_topic(topic: str, example: str) -> None:
    model, version = next((model, version) for model, (name, version) in payloads.VERSIONS.items() if name == topic)
    payload = model.model_validate_json(example)
    assert json.loads(payloads.encode(payload)) == json.loads(example)
    assert payload.schema_ == payloads.SchemaRef(name=f"cryodevice.{topic}", version=version)


def test_the_table_is_the_one_in_force() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (yes|no)[^|]*\| (\d) \|", TEXT, flags=re.MULTILINE)
    assert {Topic(name): (retained == "yes", int(qos)) for name, retained, qos in rows} == {
        topic: (delivery.retain, delivery.qos) for topic, delivery in DELIVERY.items()
    }
