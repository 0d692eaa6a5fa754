/** Why a string is no JID. One constant a reason, so that refusing hostile input allocates nothing. */

export type JidFault = { readonly code: `RTK_JID_${string}`; readonly text: string }

function fault(code: JidFault['code'], text: string): JidFault {
  return Object.freeze({ code, text })
}

export const FAULT = {
  localEmpty: fault('RTK_JID_LOCAL_EMPTY', 'the localpart is empty'),
  localLong: fault('RTK_JID_LOCAL_LONG', 'the localpart is longer than 1023 bytes'),
  localCharacter: fault('RTK_JID_LOCAL_CHARACTER', 'the localpart contains a character that is not allowed there'),
  localBidi: fault('RTK_JID_LOCAL_BIDI', 'the localpart breaks the Bidi rule of RFC 5893'),
  localMarks: fault('RTK_JID_LOCAL_MARKS', 'the localpart has more than 30 combining marks in a row'),
  domainEmpty: fault('RTK_JID_DOMAIN_EMPTY', 'the domainpart, or one of its labels, is empty'),
  domainLong: fault('RTK_JID_DOMAIN_LONG', 'the domainpart, or one of its labels, is too long'),
  domainCharacter: fault('RTK_JID_DOMAIN_CHARACTER', 'the domainpart contains a character that is not allowed there'),
  domainHyphen: fault('RTK_JID_DOMAIN_HYPHEN', 'a label of the domainpart has a hyphen where none may stand'),
  domainPunycode: fault('RTK_JID_DOMAIN_PUNYCODE', 'a label of the domainpart is not the A-label of any U-label'),
  domainBidi: fault('RTK_JID_DOMAIN_BIDI', 'the domainpart breaks the Bidi rule of RFC 5893'),
  domainMarks: fault('RTK_JID_DOMAIN_MARKS', 'the domainpart has more than 30 combining marks in a row'),
  domainAddress: fault('RTK_JID_DOMAIN_ADDRESS', 'the brackets of the domainpart hold no IPv6 address'),
  resourceEmpty: fault('RTK_JID_RESOURCE_EMPTY', 'the resourcepart is empty'),
  resourceLong: fault('RTK_JID_RESOURCE_LONG', 'the resourcepart is longer than 1023 bytes'),
  resourceCharacter: fault('RTK_JID_RESOURCE_CHARACTER', 'the resourcepart contains a character that is not allowed'),
  resourceSpace: fault('RTK_JID_RESOURCE_SPACE', 'the resourcepart begins with a space'),
} as const
