import type { Node } from './api/schema'
import type { Tone } from './ui/Status'

/** How the gateways of a fleet stand to what was published. */
export interface Summary {
  all: number
  /** Those that run what they should and have what they need. */
  current: number
  /** What gateways should run; 0 where nobody knows. */
  revision: number
  tone: Tone
}

/** Sums up gateways; pumps do not count. Draining and offline ones were there, so they count among all. */
export function summarize(nodes: Node[]): Summary {
  const gateways = nodes.filter((n) => n.service === 'gateway')
  const current = gateways.filter((n) => n.state === 'current').length
  const revision = gateways.reduce((most, n) => Math.max(most, n.expected, n.generation), 0)
  const bad = gateways.some((n) => n.state === 'rejected')
  const tone = gateways.length === 0 ? 'off' : current === gateways.length ? 'ok' : bad ? 'bad' : 'warn'
  return { all: gateways.length, current, revision, tone }
}
