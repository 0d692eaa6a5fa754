/** What the modules of one host type registered: set up once for all its hosts (DESIGN.md section 6). */
import { StreamElements } from './client-stream.ts'
import { FeatureTable } from './features.ts'
import type { HandlerMeter } from './handler-meter.ts'
import { type HookFault, type HookPoint, HookTable } from './hook-table.ts'
import { IqTable } from './iq.ts'
import { ServiceTable } from './service-table.ts'
import { UnderWay } from './under-way.ts'

export class HostType {
  readonly name: string
  readonly hooks: HookTable
  readonly iq = new IqTable()
  readonly services = new ServiceTable()
  readonly features = new FeatureTable()
  readonly streamElements = new StreamElements()
  readonly underWay = new UnderWay()
  // The hot path looks these up once, here.
  readonly sent: HookPoint
  readonly route: HookPoint
  readonly inbound: HookPoint
  readonly toHost: HookPoint
  readonly eligible: HookPoint
  readonly deliver: HookPoint
  readonly undelivered: HookPoint
  readonly outcome: HookPoint
  readonly astray: HookPoint
  readonly presenceSelf: HookPoint

  constructor(name: string, fault: HookFault) {
    this.name = name
    const hooks = new HookTable(fault)
    this.hooks = hooks
    this.sent = hooks.point('stanza:sent')
    this.route = hooks.point('stanza:route')
    this.inbound = hooks.point('stanza:inbound')
    this.toHost = hooks.point('stanza:host')
    this.eligible = hooks.point('session:eligible')
    this.deliver = hooks.point('session:deliver')
    this.undelivered = hooks.point('message:undelivered')
    this.outcome = hooks.point('message:outcome')
    this.astray = hooks.point('message:astray')
    this.presenceSelf = hooks.point('presence:self')
  }

  /** Takes the time of all handlers from now on; undefined: no longer. */
  measure(meter: HandlerMeter | undefined): void {
    this.hooks.measure(meter)
    this.iq.measure(meter)
  }
}
