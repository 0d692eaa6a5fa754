/** Namespaces that XML itself and every XMPP stream know. All others live with the module that speaks them. */

/** Bound to the prefix `xml`, always. */
export const NS_XML = 'http://www.w3.org/XML/1998/namespace'
/** Of the attributes that declare namespaces; nothing may be bound to it. */
export const NS_XMLNS = 'http://www.w3.org/2000/xmlns/'
/** The content namespace inside the house; stanzas of other content namespaces are read as this one, RFC 6120 section 4.8.3. */
export const NS_CLIENT = 'jabber:client'
/** RFC 7395 section 3.3.2. */
export const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing'
