/** What this program is called on the wire. */
export const softwareName = 'Ratatosk'
export const softwareVersion = '0.1.0'
