"""An aioxmpp client that is told what to do on standard input and tells what happens on standard output, in lines of JSON.

Arguments: JID, password, port, 'starttls' or 'direct', file of trusted roots; 'deeds' if it is to use more extensions.
"""
import asyncio
import datetime
import json
import sys

import aioxmpp
import aioxmpp.blocking
import aioxmpp.bookmarks
import aioxmpp.connector
import aioxmpp.dispatcher
import aioxmpp.private_xml
import aioxmpp.security_layer
import aioxmpp.vcard
from lxml import etree

account, password, port, tls, roots = sys.argv[1:6]
CONNECTORS = {"starttls": aioxmpp.connector.STARTTLSConnector, "direct": aioxmpp.connector.XMPPOverTLSConnector}
# The client takes the loop of the moment it is made in.
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def tell(event, **more):
    line = {"event": event, **{name: str(value) for name, value in more.items()}}
    print(json.dumps(line, ensure_ascii=False, separators=(",", ":")), flush=True)


def context():
    trusting = aioxmpp.security_layer.default_ssl_context()
    # Those of the system do not count: `default_ssl_context` loads none.
    trusting.load_verify_locations(roots)
    return trusting


mechanism = ""
is_online = False


send = aioxmpp.protocol.XMLStream.send_xso


def send_or_keep(stream, obj):
    """What cannot be written because the connection was lost a moment ago is unacknowledged, and will be sent again.
    aioxmpp 0.13.3 takes it for a fault of the stanza, loses it, or sends it again twice."""
    try:
        send(stream, obj)
    except Exception:
        if not isinstance(obj, (aioxmpp.stanza.StanzaBase, aioxmpp.nonza.SMRequest)):
            raise


resume = aioxmpp.stream.StanzaStream._resume_sm


def resume_in_order(stream, counter):
    """aioxmpp 0.13.3 sends what is unacknowledged again in the reverse order."""
    stream.sm_ack(counter)
    stream._sm_unacked_list.reverse()
    resume(stream, counter)


aioxmpp.protocol.XMLStream.send_xso = send_or_keep
aioxmpp.stream.StanzaStream._resume_sm = resume_in_order


class Password(aioxmpp.security_layer.PasswordSASLProvider):
    """Only notes what was used."""

    async def _execute(self, intf, used, token):
        global mechanism
        mechanism = token[0] if isinstance(token, tuple) else token
        return await super()._execute(intf, used, token)


async def secret(_jid, _attempt):
    return password


security = aioxmpp.security_layer.make(secret, ssl_context_factory=context)
security = security._replace(sasl_providers=(Password(secret),))
client = aioxmpp.PresenceManagedClient(
    aioxmpp.JID.fromstr(account), security,
    override_peer=[("localhost", int(port), CONNECTORS[tls]())], max_initial_attempts=1)
# How soon it takes a silent connection for lost, and tries again.
client.stream.soft_timeout = client.stream.round_trip_time = datetime.timedelta(seconds=3)
client.backoff_start = datetime.timedelta(seconds=0.1)

roster = client.summon(aioxmpp.RosterClient)
presence = client.summon(aioxmpp.PresenceClient)
messages = client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
client.summon(aioxmpp.DiscoServer)


@aioxmpp.private_xml.Query.as_payload_class
class Note(aioxmpp.xso.XSO):
    """Something of our own in private storage (XEP-0049)."""
    TAG = ("urn:ratatosk:play", "note")
    text = aioxmpp.xso.Text(default=None)


if "deeds" in sys.argv[6:]:
    blocking = client.summon(aioxmpp.BlockingClient)
    vcards = client.summon(aioxmpp.vcard.VCardService)
    storage = client.summon(aioxmpp.private_xml.PrivateXMLService)
    bookmarks = client.summon(aioxmpp.BookmarkClient)
    for name in ("on_initial_blocklist_received", "on_jids_blocked", "on_jids_unblocked"):
        getattr(blocking, name).connect(lambda jids, name=name: tell(name[3:], jids=" ".join(sorted(map(str, jids)))))
    bookmarks.on_bookmark_added.connect(lambda mark: tell("bookmark_added", jid=mark.jid, name=mark.name))
    bookmarks.on_bookmark_removed.connect(lambda mark: tell("bookmark_removed", jid=mark.jid, name=mark.name))


async def publish(name):
    # As its service wants it: made of the one that is there.
    vcard = await vcards.get_vcard()
    for old in vcard.elements.findall("{vcard-temp}FN"):
        vcard.elements.remove(old)
    etree.SubElement(vcard.elements, "{vcard-temp}FN").text = name
    vcard.set_photo_data("image/png", b"\x89PNG\r\n")
    await vcards.set_vcard(vcard)
    return "published"


async def show_vcard(of):
    vcard = await vcards.get_vcard(aioxmpp.JID.fromstr(of))
    return f"{vcard.elements.findtext('{vcard-temp}FN')} {vcard.get_photo_mime_type()} {vcard.get_photo_data()}"


async def keep(text):
    note = Note()
    note.text = text
    await storage.set_private_xml(note)
    return "kept"


async def kept(_):
    return (await storage.get_private_xml(Note())).registered_payload.text


def conference(room):
    return aioxmpp.bookmarks.Conference("the square", aioxmpp.JID.fromstr(room), nick="romeo")


async def marks(_):
    return " ".join(str(mark.jid) for mark in await bookmarks.get_bookmarks())


# What it does for one argument, `to`, by name; what comes of it is told.
deeds = {
    "block": lambda to: blocking.block_jids([aioxmpp.JID.fromstr(to)]),
    "unblock": lambda to: blocking.unblock_jids([aioxmpp.JID.fromstr(to)]),
    "unblock all": lambda _: blocking.unblock_all(),
    "publish": publish,
    "vcard": show_vcard,
    "keep": keep,
    "kept": kept,
    "bookmark": lambda to: bookmarks.add_bookmark(conference(to)),
    "forget": lambda to: bookmarks.discard_bookmark(conference(to)),
    "bookmarks": marks,
    "sync": lambda _: bookmarks.sync(),
}


async def perform(deed, to):
    try:
        answer = await deeds[deed](to)
    except aioxmpp.XMPPError as error:
        answer = error.condition.value[1]
    tell("answered", deed=deed, xml=answer or "done")


def seen(jid, stanza):
    if jid.bare() != client.local_jid.bare():
        tell("presence", **{"from": jid}, type=stanza.type_.value or "available",
             status=stanza.status.any() if stanza.status else "")


def pushed(item):
    tell("pushed", jid=item.jid, subscription=item.subscription)


def message(stanza):
    tell("message", **{"from": stanza.from_}, type=stanza.type_.value, body=stanza.body.any() if stanza.body else "")


presence.on_available.connect(seen)
presence.on_changed.connect(seen)
presence.on_unavailable.connect(seen)
roster.on_subscribe.connect(lambda stanza: tell("subscribe", **{"from": stanza.from_}))
roster.on_subscribed.connect(lambda stanza: tell("subscribed", **{"from": stanza.from_}))
roster.on_entry_added.connect(pushed)
roster.on_entry_subscription_state_changed.connect(pushed)
messages.register_callback(None, None, message)
client.on_stream_destroyed.connect(lambda *why: tell("destroyed", why=why))


client.on_stream_suspended.connect(lambda _: tell("suspended"))
client.on_stream_resumed.connect(lambda: tell("resumed"))


def failed(_):
    """What goes wrong when a connection is lost in the middle of a handshake ends the work of aioxmpp 0.13.3."""
    if is_online:
        loop.call_later(0.1, client.start)


client.on_failure.connect(failed)


async def obey(order):
    do = order["do"]
    if do in deeds:
        await perform(do, order["to"])
        return
    to = aioxmpp.JID.fromstr(order.get("to", account))
    if do == "say":
        stanza = aioxmpp.Message(to=to, type_=aioxmpp.MessageType.CHAT)
        stanza.body[None] = order["body"]
        client.enqueue(stanza)
    elif do == "presence":
        client.set_presence(aioxmpp.PresenceState(True), order["status"])
    elif do == "subscribe":
        roster.subscribe(to)
    else:
        roster.approve(to)


async def main():
    global is_online
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        async with client.connected():
            items = json.dumps({str(jid): item.subscription for jid, item in roster.items.items()}, separators=(",", ":"))
            is_online = True
            tell("online", jid=client.local_jid, mechanism=mechanism, roster=items)
            while line := await reader.readline():
                order = json.loads(line)
                if order["do"] == "leave":
                    break
                await obey(order)
    except Exception as error:
        # What went wrong in the handshake is in the context of a complaint about a future.
        tell("failed", why=f"{error!r} {error.__context__!r}")
        sys.exit(1)
    tell("offline")


loop.run_until_complete(main())
