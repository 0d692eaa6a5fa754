"""An aioxmpp client that is told what to do on standard input and tells what happens on standard output, in lines of JSON.

Arguments: JID, password, port, 'starttls' or 'direct', file of trusted roots.
"""
import asyncio
import datetime
import json
import sys

import aioxmpp
import aioxmpp.connector
import aioxmpp.dispatcher
import aioxmpp.security_layer

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
    do, to = order["do"], aioxmpp.JID.fromstr(order.get("to", account))
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
