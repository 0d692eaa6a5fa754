/** The stanza mix that the scanner is measured with: per hundred 50, 25, 18, 5 and 2 of these kinds; a tenth not ASCII. */

const CAPS =
  "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://gajim.org' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>"

function padded(head: string, tail: string, bytes: number, filler: string): string {
  let body = ''
  while (Buffer.byteLength(head + body + filler + tail) <= bytes) body += filler
  return head + body + '.'.repeat(Math.max(0, bytes - Buffer.byteLength(head + body + tail))) + tail
}

function chat(n: number, filler: string): string {
  const head = `<message to='juliet${n}@capulet.example/balcony' type='chat' id='m${1000 + n}'><body>`
  return padded(head, `</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>`, 218, filler)
}

function richChat(n: number, filler: string): string {
  const head = `<message to='romeo${n}@montague.example/orchard' type='chat' id='9f2c-${n}' xml:lang='en'><body>`
  const tail =
    `</body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>` +
    `<markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='9f2c-${n}'/>` +
    `<replace xmlns='urn:xmpp:message-correct:0' id='9f2b-${n}'/><store xmlns='urn:xmpp:hints'/></message>`
  return padded(head, tail, 586, filler)
}

function presence(n: number, filler: string): string {
  const head = `<presence id='p${n}'><show>away</show><priority>5</priority><status>`
  const tail = `</status>${CAPS}<x xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x></presence>`
  return padded(head, tail, 396, filler)
}

function pubsub(n: number, filler: string): string {
  let items = ''
  for (let k = 0; k < 3; k++) {
    items +=
      `<item id='${n}-${k}'><entry xmlns='http://www.w3.org/2005/Atom'><title>${filler} ${k}</title><summary>${filler.repeat(8)}</summary>` +
      `<link rel='alternate' type='text/html' href='http://denmark.example/2003/12/13/atom${k}'/><id>tag:denmark.example,2003:entry-${k}</id>` +
      `<published>2003-12-13T18:30:02Z</published></entry></item>`
  }
  return `<iq type='set' to='pubsub.shakespeare.example' id='ps${n}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='princely_musings'>${items}</publish></pubsub></iq>`
}

function roster(n: number): string {
  let items = ''
  for (let k = 0; k < 46; k++) {
    items += `<item jid='contact${k}@montague.example' name='Contact ${k}' subscription='both'><group>Friends</group></item>`
  }
  return `<iq type='result' to='juliet@capulet.example/balcony' id='r${n}'><query xmlns='jabber:iq:roster' ver='v${n}'>${items}</query></iq>`
}

export type Kind = 'chat218' | 'chat586' | 'presence396' | 'pubsub' | 'roster'

const ASCII_FILLER = 'Art thou not Romeo, and a Montague? '
const OTHER_FILLER = 'Ты не Ромео ли, und nicht ein Montague? '

function one(kind: Kind, n: number): string {
  const filler = n % 10 === 0 ? OTHER_FILLER : ASCII_FILLER
  switch (kind) {
    case 'chat218':
      return chat(n, filler)
    case 'chat586':
      return richChat(n, filler)
    case 'presence396':
      return presence(n, filler)
    case 'pubsub':
      return pubsub(n, filler)
    case 'roster':
      return roster(n)
  }
}

/** `count` stanzas of one kind. */
export function stanzasOf(kind: Kind, count: number): string[] {
  return Array.from({ length: count }, (_, n) => one(kind, n))
}

/** A hundred stanzas in the proportions of a server's day, in a fixed shuffled order. */
export function mix(): string[] {
  const kinds: Kind[] = [
    ...Array<Kind>(50).fill('chat218'),
    ...Array<Kind>(25).fill('chat586'),
    ...Array<Kind>(18).fill('presence396'),
    ...Array<Kind>(5).fill('pubsub'),
    ...Array<Kind>(2).fill('roster'),
  ]
  return kinds.map((_, n) => one(kinds[(n * 37) % 100] ?? 'chat218', n))
}

export const HEADER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.example' version='1.0'>"
