"""A slixmpp client that is told what to do on standard input and tells what happens on standard output, in lines of JSON.

Arguments: JID, password, port, 'starttls' or 'direct', file of trusted roots; 'resumes' if it is to come back when its
connection is lost (XEP-0198), 'deeds' if it is to use more extensions.
"""
import asyncio
import collections
import json
import sys

import slixmpp

account, password, port, tls, roots = sys.argv[1:6]
resumes = "resumes" in sys.argv[6:]
leaving = False
# What it is told to say while it has no session: slixmpp would write it to a stream that has not signed in yet.
kept = None


def tell(event, **more):
    line = {"event": event, **{name: str(value) for name, value in more.items()}}
    print(json.dumps(line, ensure_ascii=False, separators=(",", ":")), flush=True)


client = slixmpp.ClientXMPP(account, password)
client.ca_certs = roots
# It looks up a port for the name otherwise, whatever `connect` says.
client.default_port = int(port)
client.roster.auto_authorize = None
client.roster.auto_subscribe = False


async def online(_):
    roster = await client.get_roster()
    items = {str(item["jid"]): item["subscription"] for item in roster["roster"]}
    client.send_presence()
    tell("online", jid=client.boundjid.full, mechanism=client["feature_mechanisms"].mech.name,
         roster=json.dumps(items, ensure_ascii=False, separators=(",", ":")))


def failed(why):
    tell("failed", why=why)
    sys.exit(1)


def presence(stanza):
    if stanza["from"].bare != client.boundjid.bare:
        tell("presence", **{"from": stanza["from"]}, type=stanza["type"], status=stanza["status"])


def asked(kind):
    return lambda stanza: tell(kind, **{"from": stanza["from"]})


client.add_event_handler("session_start", online)
client.add_event_handler("message", lambda m: tell("message", **{"from": m["from"]}, type=m["type"], body=m["body"]))
client.add_event_handler("presence_available", presence)
client.add_event_handler("presence_unavailable", presence)
for name in ("subscribe", "subscribed"):
    client.add_event_handler(f"presence_{name}", asked(name))
client.add_event_handler("roster_update", lambda iq: iq["type"] == "set" and [
    tell("pushed", jid=jid, subscription=item["subscription"]) for jid, item in iq["roster"]["items"].items()])
client.add_event_handler("ssl_invalid_chain", lambda error: failed(f"certificate: {error}"))
client.add_event_handler("ssl_invalid_cert", lambda _: failed("certificate: not for this name"))
client.add_event_handler("connection_failed", lambda error: failed(f"connection: {error!r}"))
client.add_event_handler("failed_all_auth", lambda _: failed("sign-in"))


def lost(_):
    global kept
    if not leaving:
        kept = kept or []
        # It would lose what waits to be written as well.
        while not client.waiting_queue.empty():
            stanza, _ = client.waiting_queue.get_nowait()
            if isinstance(stanza, slixmpp.Message):
                kept.append((stanza["to"], stanza["body"]))
        tell("suspended")
        connect()


def resumed(_):
    global kept
    tell("resumed")
    for body in kept or []:
        say(*body)
    kept = None


def say(to, body):
    client.send_message(mto=to, mbody=body, mtype="chat")


class Kept(collections.deque):
    """slixmpp 1.8.3 forgets what is unacknowledged when it asks to resume, and would lose it; this queue does not."""

    def clear(self):
        pass


if resumes:
    client.register_plugin("xep_0198")
    client["xep_0198"].unacked_queue = Kept()
    client.register_plugin("xep_0199")
    client.add_event_handler("session_resumed", resumed)
    client.add_event_handler("disconnected", lost)


async def watch():
    """Takes a silent connection for lost; that of slixmpp 1.8.3 (`keepalive`) works only until the first resumption."""
    while not leaving:
        await asyncio.sleep(1)
        connection = client.transport
        try:
            if client["xep_0198"].enabled_in:
                await client["xep_0199"].ping(timeout=6)
        except slixmpp.exceptions.IqTimeout:
            if client.transport is connection:
                client.abort()


def bookmark(room):
    marks = client["xep_0048"].stanza.Bookmarks()
    marks.add_conference(room, "romeo", autojoin=False, name="the square")
    return client["xep_0048"].set_bookmarks(marks, method="xep_0049")


async def publish(name):
    vcard = client["xep_0054"].make_vcard()
    vcard["FN"] = name
    await client["xep_0054"].publish_vcard(vcard=vcard)
    return "published"


# What it asks for, by name; each has one argument, `to`.
deeds = {
    "disco": lambda to: client["xep_0030"].get_info(jid=to),
    "last": lambda to: client["xep_0012"].get_last_activity(to),
    "vcard": lambda to: client["xep_0054"].get_vcard(slixmpp.JID(to), local=False),
    "publish": publish,
    "bookmark": bookmark,
    "bookmarks": lambda _: client["xep_0048"].get_bookmarks(method="xep_0049"),
    "copies": lambda _: client["xep_0280"].enable(),
    "block": lambda to: client["xep_0191"].block(to),
    "unblock": lambda to: client["xep_0191"].unblock(to),
    "blocked": lambda _: client["xep_0191"].get_blocked(),
}


async def perform(deed, to):
    try:
        answer = await deeds[deed](to)
    except slixmpp.exceptions.IqError as error:
        answer = error.iq
    tell("answered", deed=deed, xml=answer)


def copied(kind):
    def handler(stanza):
        inner = stanza[f"carbon_{kind}"]
        tell(kind, **{"from": inner["from"]}, to=inner["to"], body=inner["body"])
    return handler


if "deeds" in sys.argv[6:]:
    for plugin in ("0012", "0030", "0048", "0049", "0054", "0191", "0199", "0280"):
        client.register_plugin(f"xep_{plugin}")
    client["xep_0048"].auto_join = False
    client.add_event_handler("carbon_received", copied("received"))
    client.add_event_handler("carbon_sent", copied("sent"))
tasks = set()


def obey(line):
    global leaving
    order = json.loads(line)
    do, to = order["do"], order.get("to")
    if do == "say":
        say(to, order["body"]) if kept is None else kept.append((to, order["body"]))
    elif do == "presence":
        client.send_presence(pstatus=order["status"])
    elif do == "leave":
        leaving = True
        client.disconnect()
    elif do in deeds:
        task = client.loop.create_task(perform(do, to))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    else:
        client.send_presence_subscription(pto=to, ptype=do)


async def listen():
    reader = asyncio.StreamReader()
    await client.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        obey(line)


def connect():
    client.connect(("localhost", int(port)), use_ssl=tls == "direct", force_starttls=tls == "starttls")


async def main():
    while True:
        await client.disconnected
        if leaving or not resumes:
            return tell("offline")


# The loop itself keeps no strong reference to its tasks.
watching = client.loop.create_task(watch()) if resumes else None
listening = client.loop.create_task(listen())
connect()
client.loop.run_until_complete(main())
