/** `/metrics`: the figures of the server as OpenMetrics, for Prometheus and whoever speaks its language. */
import type { AccessRule } from '../core/access.ts'
import type { HttpRoute } from '../core/http-routes.ts'
import type { Metrics } from '../core/metrics.ts'
import { openMetricsText, openMetricsType } from '../core/openmetrics.ts'

export interface MetricsSource {
  readonly metrics: Metrics
  readonly config: { readonly metrics: { readonly access: AccessRule } }
  /** Told at each request: somebody wants to know the process too. */
  watchVitals(): void
}

/** Headers with which a proxy tells that it asks for another: RFC 7239, RFC 9110 section 7.6.3, and what came before them. */
const forwarded = ['forwarded', 'x-forwarded-for', 'via', 'x-real-ip']

/**
 * A page costs what the configuration is long, never what goes on: no figure has a label for hosts, accounts or sessions, and a
 * family has 1,001 labels at most.
 */
export function metricsPage(server: MetricsSource): HttpRoute {
  return {
    method: 'GET',
    path: '/metrics',
    // Read at each request: it is hot.
    get access() {
      return server.config.metrics.access
    },
    handle: (request) => {
      // Behind a proxy on the same machine the whole world would come from loopback.
      const isForwarded = forwarded.some((name) => request.headers.has(name))
      if (isForwarded && !server.config.metrics.access.allows({})) {
        return new Response('you may not\n', { status: 403, headers: { 'content-type': 'text/plain; charset=utf-8' } })
      }
      server.watchVitals()
      const text = openMetricsText(server.metrics.families())
      return new Response(text, { headers: { 'content-type': openMetricsType, 'cache-control': 'no-store' } })
    },
  }
}
