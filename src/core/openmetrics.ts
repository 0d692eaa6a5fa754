/**
 * The text of OpenMetrics 1.0.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/), which Prometheus and whoever speaks its
 * language read.
 */
import type { MetricFamily } from './metrics.ts'

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** Base units of the Prometheus conventions; a name that ends in one is told to have it. */
const units = ['bytes_per_second', 'per_second', 'bytes', 'celsius', 'joules', 'meters', 'ratio', 'seconds', 'volts']

/** As `UNIT` tells it; '' for none. The name of the family without `_total`. */
export function unitOf(family: string): string {
  return units.find((unit) => family.endsWith(`_${unit}`)) ?? ''
}

/** The family as its descriptors name it: a counter's samples have `_total` behind it, an info's `_info`. */
export function familyName({ name, kind }: Pick<MetricFamily, 'kind' | 'name'>): string {
  if (kind === 'counter') return name.replace(/_total$/, '')
  return kind === 'info' ? name.replace(/_info$/, '') : name
}

/** Whole: descriptors and samples of each family, and the end. */
export function openMetricsText(families: readonly MetricFamily[]): string {
  let text = ''
  for (const family of families) text += familyText(family)
  return `${text}# EOF\n`
}

function familyText(family: MetricFamily): string {
  const name = familyName(family)
  const unit = unitOf(name)
  let text = `# TYPE ${name} ${family.kind}\n`
  if (unit !== '') text += `# UNIT ${name} ${unit}\n`
  text += `# HELP ${name} ${helpText(family.help)}\n`
  for (const sample of family.samples) text += `${sample.name} ${numberText(sample.value)}\n`
  return text
}

function helpText(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}
