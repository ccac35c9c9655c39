/** A small web client on matrix-js-sdk: log in, rooms, messages with their edits and reactions. For tests; it keeps nothing when the page is left. */
import { ClientEvent, createClient, MatrixError, MatrixEventEvent, NotificationCountType, Preset, RoomEvent, RoomMemberEvent, type MatrixClient, type Room } from 'matrix-js-sdk';
import { element, face, fields, the } from './element.ts';
import { timelineItems } from './timeline.ts';

const loginForm = the<HTMLFormElement>('#login form');
const problem = the('#login .problem');
const query = new URLSearchParams(location.search);
loginForm.querySelector<HTMLInputElement>('[name=server]')!.value = query.get('server') ?? '';

onSubmit(loginForm, async ({ server = '', user = '', password = '' }) => {
  problem.hidden = true;
  try {
    const { user_id: userId, access_token: accessToken, device_id: deviceId } = await createClient({ baseUrl: server }).loginRequest({ type: 'm.login.password', identifier: { type: 'm.id.user', user }, password, initial_device_display_name: 'Tea in a browser' });
    await open(createClient({ baseUrl: server, userId, accessToken, deviceId, timelineSupport: true }));
  } catch (error) {
    problem.textContent = error instanceof MatrixError ? String(error.data.error) : String(error);
    problem.hidden = false;
  }
});

async function open(client: MatrixClient): Promise<void> {
  let roomId: string | undefined;
  const draw = drawer(() => {
    drawChat(client, roomId, (chosen) => {
      roomId = chosen;
      draw();
    });
    markRead(client, roomId);
  });
  for (const event of [ClientEvent.Room, RoomEvent.Timeline, RoomEvent.Redaction, RoomEvent.Name, RoomEvent.MyMembership, RoomEvent.UnreadNotifications, RoomMemberEvent.Typing, MatrixEventEvent.Replaced, ClientEvent.Event]) client.on(event as ClientEvent.Event, draw);
  onSubmit(the('#create'), async ({ name = '', invite = '' }) => {
    const made = await client.createRoom({ name, preset: Preset.PrivateChat, invite: invite === '' ? [] : [invite] });
    roomId = made.room_id;
    draw();
  });
  onSubmit(the('#compose'), async ({ text = '' }) => {
    if (roomId !== undefined) await client.sendTextMessage(roomId, text);
  });
  await client.startClient({ lazyLoadMembers: true, initialSyncLimit: 30 });
  the('#login').hidden = true;
  the('#chat').hidden = false;
  draw();
}

/** What is in the open room is read as soon as it is shown. */
function markRead(client: MatrixClient, roomId: string | undefined): void {
  const room = client.getRoom(roomId);
  const last = room?.getLastLiveEvent();
  if (room === null || last === undefined || last.status !== null || last.getSender() === client.getUserId() || room.hasUserReadEvent(client.getSafeUserId(), last.getId()!)) return;
  client.sendReadReceipt(last).catch(() => undefined);
}

/** However often it is asked for, once a frame. */
function drawer(draw: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      draw();
    });
  };
}

function drawChat(client: MatrixClient, roomId: string | undefined, choose: (roomId: string) => void): void {
  const userId = client.getSafeUserId();
  the('.me').textContent = userId;
  const rooms = client.getRooms().filter((room) => room.getMyMembership() === 'join').sort((left, right) => right.getLastActiveTimestamp() - left.getLastActiveTimestamp());
  the('.rooms').replaceChildren(...rooms.map((room) => roomButton(room, room.roomId === roomId, choose)));
  const open = rooms.find((room) => room.roomId === roomId);
  for (const selector of ['header', '#timeline', '#compose']) the(selector).hidden = open === undefined;
  the('.empty').hidden = open !== undefined;
  if (open === undefined) return;
  the('header h2').textContent = open.name;
  const count = open.getJoinedMemberCount();
  the('header p').textContent = count === 1 ? '1 person' : `${count} people`;
  const timeline = the('#timeline');
  timeline.replaceChildren(...timelineItems(open, userId));
  timeline.scrollTop = timeline.scrollHeight;
  const typing = open.getMembers().filter((member) => member.typing && member.userId !== userId).map(({ name }) => name);
  the('#typing').textContent = typing.length === 0 ? '' : `${typing.join(', ')} ${typing.length === 1 ? 'is' : 'are'} writing …`;
}

function roomButton(room: Room, isOpen: boolean, choose: (roomId: string) => void): HTMLElement {
  const unread = isOpen ? 0 : room.getUnreadNotificationCount(NotificationCountType.Total);
  const loud = room.getUnreadNotificationCount(NotificationCountType.Highlight) > 0;
  const badge = unread === 0 ? undefined : element('span', { className: loud ? 'badge loud' : 'badge', title: 'unread' }, String(unread));
  const button = element('button', {}, face(room.roomId, room.name), element('span', { className: 'name' }, room.name), badge);
  button.ariaCurrent = String(isOpen);
  button.addEventListener('click', () => choose(room.roomId));
  return button;
}

/** The button is not to be pressed again meanwhile; afterwards the form is empty, unless it is the one to log in by. */
function onSubmit(form: HTMLFormElement, act: (given: Record<string, string>) => Promise<void>): void {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const button = form.querySelector('button')!;
    const given = fields(form);
    if (form !== loginForm) form.reset();
    button.disabled = true;
    void act(given).finally(() => {
      button.disabled = false;
    });
  });
}
