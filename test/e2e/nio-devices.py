"""
Devices at matrix-nio with end-to-end encryption, moved by another program: each line on stdin is a JSON object with `id`, `op`, and what the operation takes; each has one line on stdout with the
same `id` and `ok`, or `error`. See nio-devices.ts.

nio is a library for bots, who see to some things by themselves, and so does this: requests that a server could not take (5xx) are repeated, events whose keys come later than they do are tried
again, users whose devices change while they are being asked for are asked for again, the key of a session is not handed around to devices that are others when that is done, and a key that
opens a session from an earlier message on is not given up for one that comes again and opens less of it.
"""

import asyncio
import json
import sys
import tempfile
import time
import traceback

import nio

POLL_MS = 10_000
TIMELINE_MAX = 250
RETRY_S = 0.2
TRIES_MAX = 300


class Client(nio.AsyncClient):
    async def _send(self, response_class, method, path, *rest, **more):
        for tries in range(TRIES_MAX):
            response = await super()._send(response_class, method, path, *rest, **more)
            transport = getattr(response, "transport_response", None)
            if not isinstance(response, nio.ErrorResponse) or transport is None or transport.status < 500:
                return response
            await asyncio.sleep(RETRY_S)
        return response

    async def keys_query(self):
        before = {user_id: self.changed.get(user_id) for user_id in self.users_for_key_query}
        response = await super().keys_query()
        again = {user_id for user_id, count in before.items() if self.changed.get(user_id) != count}
        self.olm.add_changed_users(again)
        return response

    async def receive_response(self, response):
        if isinstance(response, nio.SyncResponse):
            for user_id in response.device_list.changed:
                self.changed[user_id] = self.changed.get(user_id, 0) + 1
        await super().receive_response(response)
        if isinstance(response, nio.SyncResponse):
            self.olm.add_changed_users({user_id for user_id in response.device_list.changed if any(user_id in room.users for room in self.rooms.values())})


class Device:
    def __init__(self, base_url, user_id):
        self.folder = tempfile.TemporaryDirectory()
        config = nio.AsyncClientConfig(encryption_enabled=True, request_timeout=30, max_timeout_retry_wait_time=1)
        self.client = Client(base_url, user_id, store_path=self.folder.name, config=config)
        self.client.changed = {}
        self.decrypted = []
        self.waiting = {}
        self.failures = {}
        self.withheld = []
        self.told_at = 0
        self.loop = None

    async def log_in(self, password):
        right(await self.client.login(password, device_name="nio"), nio.LoginResponse)
        keep_the_better(self.client.olm.inbound_group_store)
        self.client.add_event_callback(self.came, nio.Event)
        self.client.add_to_device_callback(self.came_here, nio.UnknownToDeviceEvent)
        self.client.add_response_callback(self.synced, nio.SyncResponse)
        room_filter = {"room": {"timeline": {"limit": TIMELINE_MAX}}}
        first = {"room": {"timeline": {"limit": 20}}}
        self.loop = asyncio.create_task(self.client.sync_forever(timeout=POLL_MS, full_state=True, sync_filter=room_filter, first_sync_filter=first))
        self.loop.add_done_callback(ended)
        while self.client.should_upload_keys or not self.client.next_batch:
            await asyncio.sleep(0.02)
        return self.client.device_id

    async def came(self, _room, event):
        if isinstance(event, nio.MegolmEvent):
            self.waiting[event.event_id] = event
        elif event.decrypted:
            self.opened(event)

    async def came_here(self, event):
        """Somebody may say why there is no key."""
        if event.type.endswith("withheld"):
            self.withheld.append(event.source["content"])

    def opened(self, event):
        self.decrypted.append([event.event_id, getattr(event, "body", None), event.session_id])

    async def synced(self, _response):
        self.told_at = time.monotonic()
        for event in list(self.waiting.values()):
            try:
                opened = self.client.decrypt_event(event)
            except nio.exceptions.EncryptionError as error:
                self.failures[event.event_id] = str(error)
                continue
            del self.waiting[event.event_id]
            self.opened(opened)

    async def join(self, room_id):
        right(await self.client.join(room_id), nio.JoinResponse)

    async def leave(self, room_id):
        right(await self.client.room_leave(room_id), nio.RoomLeaveResponse)

    async def invite(self, room_id, user_id):
        right(await self.client.room_invite(room_id, user_id), nio.RoomInviteResponse)

    async def invited(self, room_id):
        return room_id in self.client.invited_rooms

    async def inside(self, room_id):
        room = self.client.rooms.get(room_id)
        return room is not None and room.encrypted and self.client.user_id in room.users and not room.users[self.client.user_id].invited

    async def say(self, room_id, body, txn_id):
        content = {"msgtype": "m.text", "body": body}
        for _ in range(TRIES_MAX):
            try:
                await self.share(room_id)
                sent = await self.client.room_send(room_id, "m.room.message", content, tx_id=txn_id, ignore_unverified_devices=True)
                return right(sent, nio.RoomSendResponse).event_id
            except (KeyError, nio.exceptions.EncryptionError, nio.exceptions.LocalProtocolError):
                await asyncio.sleep(RETRY_S)
        raise AssertionError(f"no session for {body!r} in {TRIES_MAX} tries")

    async def share(self, room_id):
        """nio lets a session be that was to be given up while its key was being handed around."""
        if not self.client.rooms[room_id].members_synced:
            await self.client.joined_members(room_id)
        while True:
            before = self.devices(room_id)
            if self.client.olm.should_share_group_session(room_id):
                await self.client.share_group_session(room_id, ignore_unverified_devices=True)
            if self.devices(room_id) == before:
                return
            self.client.invalidate_outbound_session(room_id)

    def devices(self, room_id):
        room = self.client.rooms.get(room_id)
        users = [] if room is None else list(room.users)
        return [[user_id, device.id] for user_id in users for device in self.client.device_store.active_user_devices(user_id)]

    async def counts_on(self, room_id):
        return self.devices(room_id)

    async def read(self, start):
        closed = [[event.event_id, event.session_id, self.failures.get(event.event_id, "")] for event in self.waiting.values()]
        return {"opened": self.decrypted[start:], "closed": closed, "withheld": self.withheld[-5:]}

    async def report(self):
        rooms = [f"  {room_id}: {', '.join(sorted(room.users))}" for room_id, room in self.client.rooms.items()]
        return "\n".join([f"  told {time.monotonic() - self.told_at:.1f} s ago up to {self.client.next_batch}, {len(self.waiting)} events are not decrypted", *rooms])

    async def stop(self):
        if self.loop is not None:
            self.loop.remove_done_callback(ended)
            self.loop.cancel()
        await self.client.close()
        self.folder.cleanup()

    async def log_out(self):
        self.loop.remove_done_callback(ended)
        self.loop.cancel()
        right(await self.client.logout(), nio.LogoutResponse)
        await self.stop()


def keep_the_better(store):
    add = store.add

    def add_better(session):
        known = store.get(session.room_id, session.sender_key, session.id)
        return (known is None or session.first_known_index < known.first_known_index) and add(session)

    store.add = add_better


def right(response, kind):
    assert isinstance(response, kind), f"{kind.__name__} was to come, not {response!r}"
    return response


def ended(loop):
    """Nobody stopped it: whoever asks next must not wait in vain."""
    print("".join(traceback.format_exception(loop.exception())), file=sys.stderr, flush=True)
    sys.exit(1)


async def obey(devices, order):
    number, op, name = order.pop("id"), order.pop("op"), order.pop("device")
    try:
        if op == "log_in":
            devices[name] = Device(order["base_url"], order["user_id"])
            answer = await devices[name].log_in(order["password"])
        else:
            answer = await getattr(devices[name], op)(**order)
        print(json.dumps({"id": number, "ok": answer}), flush=True)
    except Exception:
        print(json.dumps({"id": number, "error": traceback.format_exc()}), flush=True)


async def main():
    devices, running = {}, set()
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        task = asyncio.create_task(obey(devices, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    for device in devices.values():
        await device.stop()


if __name__ == "__main__":
    asyncio.run(main())
