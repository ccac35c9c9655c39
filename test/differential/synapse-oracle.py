"""Answers, by Synapse's own code, the questions of question.ts: one as JSON per line in, a JSON list of answers per line out, one for each list of corrections that the question names."""
import json
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import synapse.events  # noqa: F401  before the state modules: they import each other
import synapse.event_auth as event_auth
from synapse.api.errors import AuthError, SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from synapse.state import v1, v2


class Clock:
    async def sleep(self, _duration: object) -> None:
        return None


class Store:
    """The events of one question; auth differences and subgraphs by their definitions."""

    def __init__(self, events: dict) -> None:
        self.events = events
        self.chains: dict[str, frozenset] = {}

    async def get_events(self, event_ids: Iterable[str], *_args: object, **_options: object) -> dict:
        return {event_id: self.events[event_id] for event_id in event_ids if event_id in self.events}

    def chain(self, event_ids: Iterable[str]) -> set:
        return set().union(*(self.chain_of(event_id) for event_id in event_ids))

    def chain_of(self, event_id: str) -> frozenset:
        known = self.chains.get(event_id)
        if known is None:
            known = frozenset({event_id}).union(*(self.chain_of(auth_id) for auth_id in self.events[event_id].auth_event_ids()))
            self.chains[event_id] = known
        return known

    async def get_auth_chain_difference(self, _room_id: str, state_sets: list, conflicted: set | None, _more: set) -> SimpleNamespace:
        chains = [self.chain(state_set) for state_set in state_sets]
        difference = set.union(*chains) - set.intersection(*chains)
        subgraph = None
        if conflicted is not None:
            subgraph = {event_id for event_id in self.chain(conflicted) if self.chain_of(event_id) & conflicted}
        return SimpleNamespace(auth_difference=difference, conflicted_subgraph=subgraph)


# Corrections of known deviations from the specification (deviations.ts): each makes of one function of Synapse one that does without it.

SERVER_NAME = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(:\d{1,5})?")
INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")


def domain(user_id: str) -> str:
    return user_id.split(":", 1)[1]


def federate_target(original: Callable) -> Callable:
    def can_federate(event, auth_events) -> bool:
        return domain(event.sender) == domain(auth_events[("m.room.create", "")].sender) or original(event, auth_events)

    return can_federate


def federate_value(_original: Callable) -> Callable:
    return lambda _event, auth_events: auth_events[("m.room.create", "")].content.get("m.federate") is not False


def levels_elsewhere(original: Callable) -> Callable:
    def check_power_levels(version, event, auth_events) -> None:
        original(version, SimpleNamespace(type=event.type, state_key="", sender=event.sender, content=event.content), auth_events)

    return check_power_levels


def loose_integers(_original: object) -> Callable:
    def strict(value: Any) -> int:
        if isinstance(value, str) and not INTEGER.fullmatch(value):
            raise ValueError(value)
        return int(value)

    return strict


def loose_user_ids(original: Any) -> Any:
    def from_string(user_id: str) -> object:
        parsed = original.from_string(user_id)
        if not SERVER_NAME.fullmatch(parsed.domain) or "\0" in user_id or len(user_id.encode()) > 255:
            raise SynapseError(400, "not a user ID")
        return parsed

    return SimpleNamespace(from_string=from_string, is_valid=original.is_valid)


def first_signature(original: Callable) -> Callable:
    def verify(event, auth_events) -> bool:
        if original(event, auth_events):
            return True
        invite = event.content["third_party_invite"]
        signed = invite.get("signed") if hasattr(invite, "get") else None
        signatures = signed.get("signatures") if hasattr(signed, "get") else None
        for server, block in signatures.items() if hasattr(signatures, "items") else ():
            for key_id, signature in block.items():
                alone = {"third_party_invite": {"signed": {**signed, "signatures": {server: {key_id: signature}}}}}
                if original(SimpleNamespace(content=alone, sender=event.sender, state_key=event.state_key), auth_events):
                    return True
        return False

    return verify


def redacts_nothing(original: Callable) -> Callable:
    def check_redaction(version, event, auth_events) -> bool:
        if version.identifier in ("1", "2") and not isinstance(event.redacts, str):
            level = event_auth.get_user_power_level(event.sender, auth_events)
            if level < event_auth.get_named_level(auth_events, "redact", 50):
                raise AuthError(403, "redacts nothing")
        return original(version, event, auth_events)

    return check_redaction


class NotRejected:
    """An event as if it had not been rejected; events that were do not authorise it."""

    rejected_reason = None

    def __init__(self, event, rejected: set) -> None:
        self._event = event
        self._rejected = rejected

    def auth_event_ids(self) -> list:
        return [auth_id for auth_id in self._event.auth_event_ids() if auth_id not in self._rejected]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._event, name)


def once_rejected(original: Callable) -> Callable:
    async def iterative_auth_checks(clock, room_id, room_version, event_ids, base_state, event_map, state_res_store) -> Any:
        rejected = {event_id for event_id, event in state_res_store.events.items() if event.rejected_reason is not None}
        events = {event_id: NotRejected(event, rejected) for event_id, event in state_res_store.events.items()}
        return await original(clock, room_id, room_version, event_ids, base_state, events, state_res_store)

    return iterative_auth_checks


CORRECTIONS: dict[str, tuple[Any, str, Callable]] = {
    "federate-target": (event_auth, "_can_federate", federate_target),
    "federate-value": (event_auth, "_can_federate", federate_value),
    "levels-elsewhere": (event_auth, "_check_power_levels", levels_elsewhere),
    "loose-integers": (event_auth, "int", loose_integers),
    "loose-user-ids": (event_auth, "UserID", loose_user_ids),
    "first-signature": (event_auth, "_verify_third_party_invite", first_signature),
    "redacts-nothing": (event_auth, "check_redaction", redacts_nothing),
    "once-rejected": (v2, "_iterative_auth_checks", once_rejected),
}
# From version 10 on the module asks whether a level's type is `int`, the name that this correction takes.
LOOSE_VERSIONS = {"1", "2", "3", "4", "5", "6", "7", "8", "9"}


@contextmanager
def corrected(names: list, version: str):
    # The value that closes a room is looked at inside of the question whose domain counts.
    chosen = [name for name in sorted(names, reverse=True) if name != "loose-integers" or version in LOOSE_VERSIONS]
    saved = [(module, attribute, module.__dict__.get(attribute)) for module, attribute, _ in (CORRECTIONS[name] for name in chosen)]
    for module, attribute, correct in (CORRECTIONS[name] for name in chosen):
        setattr(module, attribute, correct(module.__dict__.get(attribute)))
    try:
        yield
    finally:
        for module, attribute, value in reversed(saved):
            if value is None:
                delattr(module, attribute)
            else:
                setattr(module, attribute, value)


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("waits for something")


class Case:
    def __init__(self, question: dict) -> None:
        self.question = question
        self.version = KNOWN_ROOM_VERSIONS[question["version"]]
        self.ids = [asked["id"] for asked in question["events"]]
        self.places = {event_id: place for place, event_id in enumerate(self.ids)}
        self.events = [self.event(asked) for asked in question["events"]]
        self.by_id = {event_id: event for event_id, event in zip(self.ids, self.events) if event is not None}
        self.store = Store(self.by_id)

    def event(self, asked: dict):
        """None for what it does not take for an event."""
        try:
            event = make_event_from_dict(asked["pdu"], self.version, rejected_reason="rejected" if asked["rejected"] else None)
        except SynapseError:
            return None
        assert event.event_id == asked["id"], (event.event_id, asked)
        return event

    def answer(self) -> dict:
        question = self.question
        return {
            "byAuthEvents": [refusal(self.judge_by_auth_events, self.events[place]) for place in question["byAuthEvents"]],
            "byState": [refusal(self.judge_by_state, self.events[check["event"]], check["state"]) for check in question["byState"]],
            "resolved": [self.resolve(sets) for sets in question["meetings"]],
        }

    def judge_by_auth_events(self, event) -> None:
        if event is None:
            raise SynapseError(400, "not an event")
        event_auth.validate_event_for_room_version(event)
        run(event_auth.check_state_independent_auth_rules(self.store, event))
        event_auth.check_state_dependent_auth_rules(event, [self.by_id[auth_id] for auth_id in event.auth_event_ids()])

    def judge_by_state(self, event, places: list) -> None:
        event_auth.validate_event_for_room_version(event)
        # As it does with every event: of the state only what the event's kind asks for.
        wanted = event_auth.auth_types_for_event(self.version, event)
        state = [self.events[place] for place in places]
        event_auth.check_state_dependent_auth_rules(event, [other for other in state if (other.type, other.state_key) in wanted])

    def resolve(self, sets: list) -> list | str:
        state_sets = [{(self.events[place].type, self.events[place].state_key): self.ids[place] for place in places} for places in sets]
        room_id = self.question["roomId"]
        try:
            if self.question["version"] == "1":
                resolved = run(v1.resolve_events_with_store(room_id, self.version, state_sets, None, self.store.get_events))
            else:
                resolved = run(v2.resolve_events_with_store(Clock(), room_id, self.version, state_sets, None, self.store))
        except Exception as error:
            return f"raises {type(error).__name__}: {error}"[:200]
        return sorted(self.places[event_id] for event_id in resolved.values())


def refusal(judge: Callable, *asked: object) -> str | None:
    """The reason against the event, if any. What it does not expect it does not accept either."""
    try:
        judge(*asked)
        return None
    except SynapseError as error:
        return str(error.msg)[:200]
    except Exception as error:
        return f"raises {type(error).__name__}"


for line in sys.stdin:
    asked = json.loads(line)
    case = Case(asked)
    answers = []
    for names in asked["corrections"]:
        with corrected(names, asked["version"]):
            answers.append(case.answer())
    print(json.dumps(answers), flush=True)
