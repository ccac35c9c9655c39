"""
matrix-nio uses a server as bots do: two clients that register, follow /sync and talk, from registration to the notifications of threads. By hand, against any server:

    python test/e2e/nio-client.py http://127.0.0.1:8008 '{"type": "m.login.dummy"}'

The second argument is the stage by which the server lets people register. One line is printed for each step that was as it should be; the first that was not ends it with a traceback.
"""

import asyncio
import json
import secrets
import sys
import time
from urllib.parse import quote

import nio
from nio.api import MessageDirection, PushRuleKind, ReceiptType, RelationshipType, RoomPreset, RoomVisibility, ThreadInclusion
from nio.events.account_data import PushNotify, PushSetTweak

WAIT_S_MAX = 60
POLL_MS = 5_000


class Person:
    """A client with its /sync loop, and all that has come to it."""

    def __init__(self, base_url, name):
        self.base_url = base_url
        self.name = f"{name}-{secrets.token_hex(4)}"
        self.password = secrets.token_hex(12)
        self.client = nio.AsyncClient(base_url, self.name, config=nio.AsyncClientConfig(max_limit_exceeded=0, max_timeouts=0))
        self.events = []
        self.receipts = []
        self.typing = []
        self.left = {}
        self.failures = []
        self.loop = None

    @property
    def user_id(self):
        return self.client.user_id

    async def register(self, stage):
        if stage["type"] == "m.login.dummy":
            right(await self.client.register(self.name, self.password, device_name="nio"), nio.RegisterResponse)
            return
        challenge = right(await self.client.register_interactive(self.name, self.password, {}), nio.responses.RegisterInteractiveResponse)
        assert challenge.stages == [stage["type"]], challenge
        # nio's own way of sending a token takes a server that asks for one thing more after it.
        await self.ask("POST", "/register", {"username": self.name, "password": self.password, "inhibit_login": True, "auth": {**stage, "session": challenge.session}})

    async def login(self):
        # As another device: nio would name the one that it was before.
        self.client.access_token = self.client.device_id = ""
        answer = right(await self.client.login(self.password, device_name="nio"), nio.LoginResponse)
        assert answer.user_id.startswith(f"@{self.name}:"), answer
        return answer

    def follow(self):
        self.client.add_event_callback(lambda room, event: self.events.append((room.room_id, event)), (nio.Event, nio.InviteEvent))
        self.client.add_ephemeral_callback(lambda room, event: self.receipts.extend((room.room_id, receipt) for receipt in event.receipts), nio.ReceiptEvent)
        self.client.add_ephemeral_callback(lambda room, event: self.typing.append((room.room_id, event.users)), nio.TypingNoticeEvent)
        self.client.add_response_callback(self.failed, nio.SyncError)
        self.client.add_response_callback(self.synced, nio.SyncResponse)
        self.loop = asyncio.create_task(self.client.sync_forever(timeout=POLL_MS, full_state=True))

    async def synced(self, response):
        self.left.update(response.rooms.leave)

    async def failed(self, response):
        self.failures.append(response)

    async def ask(self, method, path, body=None, status=200):
        """A request that nio has no word for. Resolves with the JSON of the answer."""
        headers = {"Content-Type": "application/json"}
        if self.client.access_token:
            headers["Authorization"] = f"Bearer {self.client.access_token}"
        prefix = "" if path.startswith("/_") else "/_matrix/client/v3"
        answer = await self.client.send(method, prefix + path, None if body is None else json.dumps(body), headers)
        content = await answer.json()
        assert answer.status == status, (method, path, answer.status, content)
        return content

    async def say(self, room_id, body, **more):
        content = {"msgtype": "m.text", "body": body, **more}
        return right(await self.client.room_send(room_id, "m.room.message", content), nio.RoomSendResponse).event_id

    async def saw(self, event_id):
        await until(f"{self.user_id} to see {event_id}", lambda: any(event.event_id == event_id for _, event in self.events if isinstance(event, nio.Event)))
        return next(event for _, event in self.events if isinstance(event, nio.Event) and event.event_id == event_id)

    async def stop(self):
        if self.loop is not None:
            self.loop.cancel()
        await self.client.close()


def right(response, kind):
    assert isinstance(response, kind), f"{kind.__name__} was to come, not {response!r}"
    return response


def wrong(response, kind, errcode):
    assert isinstance(response, kind) and response.status_code == errcode, f"{errcode} was to come, not {response!r}"


async def until(what, holds):
    ends_at = time.monotonic() + WAIT_S_MAX
    while not holds():
        assert time.monotonic() < ends_at, f"waited {WAIT_S_MAX} s for {what}"
        await asyncio.sleep(0.02)


def step(what):
    print(what, flush=True)


def thread(root, **more):
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": root}, **more}


async def enter(base_url, stage, name):
    person = Person(base_url, name)
    await person.register(stage)
    await person.login()
    person.follow()
    await until(f"the first sync of {name}", lambda: person.client.next_batch)
    return person


async def sessions(base_url, stage):
    person = Person(base_url, "carol")
    await person.register(stage)
    wrong(await person.client.login("guessed"), nio.LoginError, "M_FORBIDDEN")
    login = await person.login()
    whoami = right(await person.client.whoami(), nio.WhoamiResponse)
    assert (whoami.user_id, whoami.device_id, whoami.is_guest) == (login.user_id, login.device_id, False), whoami
    right(await person.client.update_device(login.device_id, {"display_name": "Carol's bot"}), nio.UpdateDeviceResponse)
    second = await person.login()
    devices = right(await person.client.devices(), nio.DevicesResponse).devices
    assert {device.id: device.display_name for device in devices}[login.device_id] == "Carol's bot", devices
    asked = right(await person.client.delete_devices([login.device_id]), nio.DeleteDevicesAuthResponse)
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": person.name}, "password": person.password, "session": asked.session}
    right(await person.client.delete_devices([login.device_id], auth), nio.DeleteDevicesResponse)
    assert login.device_id not in [device.id for device in right(await person.client.devices(), nio.DevicesResponse).devices]
    assert right(await person.client.get_openid_token(person.user_id), nio.GetOpenIDTokenResponse).access_token
    assert right(await person.client.login_info(), nio.LoginInfoResponse).flows.count("m.login.password") == 1
    old_token = person.client.access_token
    right(await person.client.logout(), nio.LogoutResponse)
    person.client.access_token = old_token
    wrong(await person.client.whoami(), nio.WhoamiError, "M_UNKNOWN_TOKEN")
    assert second.device_id != login.device_id
    await person.stop()
    step("sessions")


async def rooms(alice, bob):
    word = secrets.token_hex(4)
    created = right(await alice.client.room_create(visibility=RoomVisibility.public, preset=RoomPreset.public_chat, name=f"Tea {word}", topic="Leaves", alias=f"tea-{word}"), nio.RoomCreateResponse)
    room_id, alias = created.room_id, f"#tea-{word}:{alice.user_id.split(':', 1)[1]}"
    assert right(await bob.client.room_resolve_alias(alias), nio.RoomResolveAliasResponse).room_id == room_id
    found = right(await bob.client.list_public_rooms(filter_generic_search_term=word), nio.responses.PublicRoomsResponse)
    assert [(room.room_id, room.name, room.num_joined_members) for room in found.public_rooms] == [(room_id, f"Tea {word}", 1)], found
    assert right(await bob.client.room_get_visibility(room_id), nio.RoomGetVisibilityResponse).visibility == "public"
    right(await bob.client.join(alias), nio.JoinResponse)
    await until("both in the room", lambda: all(room_id in one.client.rooms and one.client.rooms[room_id].member_count == 2 for one in (alice, bob)))
    room = bob.client.rooms[room_id]
    assert (room.name, room.topic, room.canonical_alias, room.join_rule, room.room_version) == (f"Tea {word}", "Leaves", alias, "public", "12"), vars(room)
    assert set(right(await bob.client.joined_rooms(), nio.JoinedRoomsResponse).rooms) == {room_id}
    right(await alice.client.room_kick(room_id, bob.user_id, "too loud"), nio.RoomKickResponse)
    # nio keeps rooms that it has left.
    await until("bob to be out", lambda: room_id in bob.left)
    assert bob.left[room_id].timeline.events[-1].content == {"membership": "leave", "reason": "too loud"}, bob.left[room_id]
    right(await alice.client.room_ban(room_id, bob.user_id), nio.RoomBanResponse)
    wrong(await bob.client.join(room_id), nio.JoinError, "M_FORBIDDEN")
    right(await alice.client.room_unban(room_id, bob.user_id), nio.RoomUnbanResponse)
    right(await alice.client.room_invite(room_id, bob.user_id), nio.RoomInviteResponse)
    await until("the invite", lambda: room_id in bob.client.invited_rooms)
    assert bob.client.invited_rooms[room_id].inviter == alice.user_id
    right(await bob.client.join(room_id), nio.JoinResponse)
    await until("bob to be back", lambda: room_id in bob.client.rooms and bob.client.rooms[room_id].member_count == 2)
    members = right(await alice.client.joined_members(room_id), nio.JoinedMembersResponse).members
    assert {member.user_id for member in members} == {alice.user_id, bob.user_id}, members
    right(await alice.client.room_put_alias(f"#more-{word}:{alice.user_id.split(':', 1)[1]}", room_id), nio.RoomPutAliasResponse)
    right(await alice.client.room_delete_alias(f"#more-{word}:{alice.user_id.split(':', 1)[1]}"), nio.RoomDeleteAliasResponse)
    step("rooms")
    return room_id


async def doors(alice, bob):
    knocking = {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
    closed = right(await alice.client.room_create(preset=RoomPreset.private_chat, initial_state=[knocking]), nio.RoomCreateResponse).room_id
    wrong(await bob.client.join(closed), nio.JoinError, "M_FORBIDDEN")
    right(await bob.client.room_knock(closed, "thirsty"), nio.RoomKnockResponse)
    await until("the knock", lambda: any(isinstance(event, nio.RoomMemberEvent) and event.membership == "knock" and event.state_key == bob.user_id for _, event in alice.events))
    right(await alice.client.room_invite(closed, bob.user_id), nio.RoomInviteResponse)
    await until("the answer", lambda: closed in bob.client.invited_rooms)
    right(await bob.client.room_leave(closed), nio.RoomLeaveResponse)
    right(await bob.client.room_forget(closed), nio.RoomForgetResponse)
    space = right(await alice.client.room_create(name="House", space=True, preset=RoomPreset.public_chat), nio.RoomCreateResponse).room_id
    child = right(await alice.client.room_create(name="Kitchen", preset=RoomPreset.public_chat), nio.RoomCreateResponse).room_id
    right(await alice.client.room_put_state(space, "m.space.child", {"via": [alice.user_id.split(":", 1)[1]]}, child), nio.RoomPutStateResponse)
    tree = right(await alice.client.space_get_hierarchy(space), nio.SpaceGetHierarchyResponse)
    assert [room["name"] for room in tree.rooms] == ["House", "Kitchen"], tree
    step("doors")


async def messages(alice, bob, room_id):
    target = await alice.say(room_id, "first")
    assert (await bob.saw(target)).body == "first"
    right(await bob.client.room_typing(room_id, True, 20_000), nio.RoomTypingResponse)
    await until("typing", lambda: (room_id, [bob.user_id]) in alice.typing)
    right(await bob.client.room_typing(room_id, False), nio.RoomTypingResponse)
    await until("the end of typing", lambda: alice.typing[-1] == (room_id, []))
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": "👍"}}
    reacted = right(await bob.client.room_send(room_id, "m.reaction", reaction), nio.RoomSendResponse).event_id
    assert (await alice.saw(reacted)).key == "👍"
    edited = await alice.say(room_id, "* second", **{"m.new_content": {"msgtype": "m.text", "body": "second"}, "m.relates_to": {"rel_type": "m.replace", "event_id": target}})
    assert [event.event_id async for event in bob.client.room_get_event_relations(room_id, target, limit=1)] == [edited, reacted]
    assert [event.event_id async for event in bob.client.room_get_event_relations(room_id, target, RelationshipType.annotation, "m.reaction")] == [reacted]
    shown = right(await bob.client.room_get_event(room_id, target), nio.RoomGetEventResponse).event
    assert shown.source["content"]["body"] == "first" and shown.source["unsigned"]["m.relations"]["m.replace"]["event_id"] == edited, shown.source
    right(await bob.client.update_receipt_marker(room_id, edited), nio.UpdateReceiptMarkerResponse)
    await until("the receipt", lambda: any(one == room_id and (receipt.event_id, receipt.user_id, receipt.receipt_type) == (edited, bob.user_id, "m.read") for one, receipt in alice.receipts))
    right(await bob.client.room_read_markers(room_id, edited, edited), nio.RoomReadMarkersResponse)
    await until("the marker", lambda: bob.client.rooms[room_id].fully_read_marker == edited)
    right(await alice.client.room_redact(room_id, reacted, "no"), nio.RoomRedactResponse)
    await until("the redaction", lambda: any(isinstance(event, nio.RedactionEvent) and event.redacts == reacted for _, event in bob.events))
    assert isinstance(right(await bob.client.room_get_event(room_id, reacted), nio.RoomGetEventResponse).event, nio.RedactedEvent)
    step("messages")


async def history(alice, bob, room_id):
    sent = [await alice.say(room_id, str(number)) for number in range(20)]
    await bob.saw(sent[-1])
    read, start = [], ""
    while True:
        page = right(await bob.client.room_messages(room_id, start, limit=7), nio.RoomMessagesResponse)
        read += page.chunk
        if page.end is None:
            break
        start = page.end
    ids = [event.event_id for event in reversed(read)]
    assert len(set(ids)) == len(ids) and isinstance(read[-1], nio.RoomCreateEvent), "once each, back to the first"
    assert [event_id for event_id in ids if event_id in sent] == sent
    context = right(await bob.client.room_context(room_id, sent[10], 4), nio.RoomContextResponse)
    assert [event.event_id for event in context.events_before] == [sent[9], sent[8]], context.events_before
    assert [event.event_id for event in context.events_after] == [sent[11], sent[12]], context.events_after
    forward = right(await bob.client.room_messages(room_id, context.end, direction=MessageDirection.front, limit=3), nio.RoomMessagesResponse)
    assert [event.event_id for event in forward.chunk] == sent[13:16]
    state = right(await bob.client.room_get_state(room_id), nio.RoomGetStateResponse).events
    assert {event["type"] for event in state} >= {"m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules"}, state
    wrong(await bob.client.room_get_state_event(room_id, "org.example.tea"), nio.RoomGetStateEventError, "M_NOT_FOUND")
    step("history")


async def unread(alice, bob, room_id):
    root = await alice.say(room_id, "root")
    mention = {"m.mentions": {"user_ids": [bob.user_id]}}
    main = await alice.say(room_id, "you", **mention)
    await bob.saw(main)
    await counted(bob, room_id, {}, [22, 1])
    right(await bob.client.update_receipt_marker(room_id, main), nio.UpdateReceiptMarkerResponse)
    await counted(bob, room_id, {}, [0, 0])
    answers = [await alice.say(room_id, "answer", **thread(root)), await alice.say(room_id, "you there", **thread(root, **mention))]
    await alice.say(room_id, "main again")
    await counted(bob, room_id, {root: [2, 1]}, [1, 0])
    room = bob.client.rooms[room_id]
    await until("all of them together where threads are not asked for", lambda: (room.unread_notifications, room.unread_highlights) == (3, 1))
    assert [event.event_id async for event in bob.client.room_get_threads(room_id)] == [root]
    assert [event.event_id async for event in bob.client.room_get_threads(room_id, ThreadInclusion.participated)] == []
    right(await bob.client.update_receipt_marker(room_id, answers[0], thread_id=root), nio.UpdateReceiptMarkerResponse)
    await counted(bob, room_id, {root: [1, 1]}, [1, 0])
    right(await bob.client.update_receipt_marker(room_id, answers[1], ReceiptType.read_private, root), nio.UpdateReceiptMarkerResponse)
    await counted(bob, room_id, {}, [1, 0])
    last = await alice.say(room_id, "last", **thread(root))
    await counted(bob, room_id, {root: [1, 0]}, [1, 0])
    # An unthreaded one: nio sends a thread_id of null.
    right(await bob.client.update_receipt_marker(room_id, last, thread_id=None), nio.UpdateReceiptMarkerResponse)
    await counted(bob, room_id, {}, [0, 0])
    right(await bob.client.set_pushrule("global", PushRuleKind.content, "scones", pattern="scones", actions=[PushNotify(), PushSetTweak("highlight", True)]), nio.SetPushRuleResponse)
    await alice.say(room_id, "more scones", **thread(root))
    await counted(bob, room_id, {root: [1, 1]}, [0, 0])
    right(await bob.client.enable_pushrule("global", PushRuleKind.content, "scones", False), nio.EnablePushRuleResponse)
    right(await bob.client.delete_pushrule("global", PushRuleKind.content, "scones"), nio.DeletePushRuleResponse)
    step("unread")


async def counts(person, room_id):
    """Of the main timeline, and of each thread that has any: [unread, highlights]. nio knows no threads here."""
    sync_filter = {"room": {"rooms": [room_id], "timeline": {"limit": 1, "unread_thread_notifications": True}}}
    answer = await person.ask("GET", f"/sync?filter={quote(json.dumps(sync_filter), safe='')}")
    room = answer["rooms"]["join"][room_id]
    of = lambda counted: [counted["notification_count"], counted["highlight_count"]]
    return of(room["unread_notifications"]), {root: of(one) for root, one in room.get("unread_thread_notifications", {}).items()}


async def counted(person, room_id, threads, main):
    ends_at = time.monotonic() + WAIT_S_MAX
    while (found := await counts(person, room_id)) != (main, threads):
        assert time.monotonic() < ends_at, f"unread are {found}, and should be {(main, threads)}"
        await asyncio.sleep(0.05)


async def profiles(alice, bob, room_id):
    right(await alice.client.set_displayname("Alice A."), nio.ProfileSetDisplayNameResponse)
    right(await alice.client.set_avatar("mxc://e2e.test/face"), nio.ProfileSetAvatarResponse)
    profile = right(await bob.client.get_profile(alice.user_id), nio.ProfileGetResponse)
    assert (profile.displayname, profile.avatar_url) == ("Alice A.", "mxc://e2e.test/face"), profile
    assert right(await bob.client.get_displayname(alice.user_id), nio.ProfileGetDisplayNameResponse).displayname == "Alice A."
    await until("the name in the room", lambda: bob.client.rooms[room_id].user_name(alice.user_id) == "Alice A.")
    step("profiles")


async def upgrade(alice):
    old = right(await alice.client.room_create(preset=RoomPreset.private_chat, name="Old", room_version="10"), nio.RoomCreateResponse).room_id
    await until("the room", lambda: old in alice.client.rooms)
    new = right(await alice.client.room_upgrade(old, "11"), nio.responses.RoomUpgradeResponse).room_id
    await until("the new room", lambda: new in alice.client.rooms and alice.client.rooms[new].room_version == "11" and alice.client.rooms[new].name == "Old")
    tombstone = right(await alice.client.room_get_state_event(old, "m.room.tombstone"), nio.RoomGetStateEventResponse).content
    assert tombstone["replacement_room"] == new, tombstone
    replaced = await alice.ask("POST", f"/rooms/{quote(new, safe='')}/upgrade", {"new_version": "12"})
    await until("the room of the server's own upgrade", lambda: replaced["replacement_room"] in alice.client.rooms)
    step("upgrade")


async def main(base_url, stage):
    await sessions(base_url, stage)
    alice, bob = await asyncio.gather(enter(base_url, stage, "alice"), enter(base_url, stage, "bob"))
    try:
        room_id = await rooms(alice, bob)
        await doors(alice, bob)
        await messages(alice, bob, room_id)
        await history(alice, bob, room_id)
        await unread(alice, bob, room_id)
        await profiles(alice, bob, room_id)
        await upgrade(alice)
        assert alice.failures == bob.failures == [], "nio takes each answer of /sync"
    finally:
        await asyncio.gather(alice.stop(), bob.stop())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
