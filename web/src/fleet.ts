import { valuesOf } from './api/errors'
import type { Node, Rejected } from './api/schema'
import type { I18n } from './i18n'
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

/** What is said of a node. */
export interface Words {
  text: string
  /** It is as the node said it, in English: nobody has translated it. */
  own: boolean
}

function wordsOf(said: string, code: string | undefined, values: Record<string, string | number>, { find }: I18n): Words {
  const text = code && find(`errors.${code}`, { message: said, ...values })
  return text ? { text, own: false } : { text: said, own: true }
}

/** Why a node is in its state, in the reader's language where it can be. */
export function reasonOf(n: Node, i18n: I18n): Words | undefined {
  if (!n.reason) return undefined
  return wordsOf(n.reason, n.reasonCode, nodeValues(n, n.reasonParams, i18n), i18n)
}

/** Why a node cannot read the newest configuration. */
export function lastErrorOf(n: Node, i18n: I18n): Words | undefined {
  if (!n.lastError) return undefined
  return wordsOf(n.lastError, n.lastErrorCode, nodeValues(n, n.lastErrorParams, i18n), i18n)
}

/** Why a gateway could not take an object. */
export function rejectionOf(r: Rejected, i18n: I18n): Words {
  return wordsOf(r.message, r.code, {}, i18n)
}

/** Words as a line of text, which says whose they are. */
export function lineOf(words: Words, { t }: I18n): string {
  return words.own ? t('gateways.own', { words: words.text }) : words.text
}

function nodeValues(n: Node, params: Record<string, unknown> | undefined, { format }: I18n): Record<string, string | number> {
  const since = params?.since
  return {
    ...valuesOf(params),
    ...(typeof since === 'string' && !Number.isNaN(Date.parse(since)) && { since: format.dateTime(since) }),
    generation: String(n.generation),
    expected: String(n.expected),
  }
}
