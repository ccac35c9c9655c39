"""Answers, by Synapse's own code, what a room's state resolves to and whether its rules allow an event: a JSON case per line in, a JSON answer per line out."""
import json
import sys
from collections.abc import Iterable
from types import SimpleNamespace

import synapse.events  # noqa: F401  before the state modules: they import each other
import synapse.event_auth as event_auth
from synapse.api.errors import SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from synapse.state import v1, v2


class Clock:
    async def sleep(self, _duration: object) -> None:
        return None


class Store:
    """The events of one case; auth differences and subgraphs by their definitions."""

    def __init__(self, events: dict) -> None:
        self.events = events

    async def get_events(self, event_ids: Iterable[str], allow_rejected: bool = False) -> dict:
        return {event_id: self.events[event_id] for event_id in event_ids if event_id in self.events}

    def chain(self, event_ids: Iterable[str]) -> set:
        seen: set = set()
        waiting = list(event_ids)
        while waiting:
            event_id = waiting.pop()
            if event_id not in seen:
                seen.add(event_id)
                waiting.extend(self.events[event_id].auth_event_ids())
        return seen

    async def get_auth_chain_difference(self, _room_id: str, state_sets: list, conflicted: set | None, _more: set) -> SimpleNamespace:
        chains = [self.chain(state_set) for state_set in state_sets]
        difference = set.union(*chains) - set.intersection(*chains)
        subgraph = None
        if conflicted is not None:
            below = {event_id: self.chain([event_id]) for event_id in self.chain(conflicted)}
            subgraph = {event_id for event_id, chain in below.items() if chain & conflicted}
        return SimpleNamespace(auth_difference=difference, conflicted_subgraph=subgraph)


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("waits for something")


def answer(case: dict) -> dict:
    version = KNOWN_ROOM_VERSIONS[case["version"]]
    events = {}
    for event_id, pdu in case["events"].items():
        event = make_event_from_dict(pdu, version)
        assert event.event_id == event_id, (event.event_id, event_id)
        events[event_id] = event
    refusals = [refusal(events[check["event"]], [events[event_id] for event_id in check["state"]]) for check in case["checks"]]
    resolved = [resolve(case, version, events, sets) for sets in case["resolutions"]]
    return {"refusals": refusals, "resolved": resolved}


def refusal(event, state: list) -> str | None:
    """The reason against it, if any."""
    try:
        event_auth.check_state_dependent_auth_rules(event, state)
        return None
    except SynapseError as error:
        return str(error.msg)


def resolve(case: dict, version, events: dict, sets: list) -> dict:
    state_sets = [{tuple(slot.split("\0", 1)): event_id for slot, event_id in state_set.items()} for state_set in sets]
    if case["version"] == "1":
        async def state_map(event_ids):
            return {event_id: events[event_id] for event_id in event_ids if event_id in events}

        resolved = run(v1.resolve_events_with_store(case["room_id"], version, state_sets, None, state_map))
    else:
        resolved = run(v2.resolve_events_with_store(Clock(), case["room_id"], version, state_sets, None, Store(events)))
    return {"\0".join(key): event_id for key, event_id in resolved.items()}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
