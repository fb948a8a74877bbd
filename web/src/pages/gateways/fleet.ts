import type { Node, PublishStatus } from '../../api/schema'
import { lastErrorOf, lineOf } from '../../fleet'
import type { I18n } from '../../i18n'
import type { Tone } from '../../ui/Status'

/** Clocks that differ by less are in step, in milliseconds: beats come every 2 s, and a round trip is part of the measure. */
export const clockTolerance = 1_000

/** What a person should know of a node beside its state, the most pressing first. */
export function attention(n: Node, i18n: I18n): { id: string; tone: Tone; text: string }[] {
  const { t, format } = i18n
  const out: { id: string; tone: Tone; text: string }[] = []
  const add = (id: string, tone: Tone, text: string) => out.push({ id, tone, text })
  if (n.rejected?.length) add('rejected', 'bad', t('gateways.rejected', { count: n.rejected.length }))
  if (!n.redisOk && n.state !== 'offline') add('redis', 'warn', t('gateways.noRedis'))
  if (n.source === 'disk') add('disk', 'warn', t('gateways.fromDisk'))
  if (n.spool?.dropped) add('dropped', 'bad', t('gateways.dropped', { count: n.spool.dropped }))
  if (n.spool?.volatile) add('volatile', 'warn', t('gateways.volatile'))
  if (n.spool?.diskBytes) add('waits', 'info', t('gateways.waits', { size: format.bytes(n.spool.diskBytes) }))
  if (Math.abs(n.clockOffsetMs) >= clockTolerance) add('clock', 'warn', clock(n, t, format))
  const error = lastErrorOf(n, i18n)
  if (error) add('error', 'warn', lineOf(error, i18n))
  return out
}

/** How a node's clock stands to that of Redis. The offset is what its clock lacks. */
export function clock(n: Node, t: I18n['t'], format: I18n['format']): string {
  if (Math.abs(n.clockOffsetMs) < clockTolerance) return t('gateways.clockOk')
  const time = format.duration(Math.abs(n.clockOffsetMs))
  return t(n.clockOffsetMs > 0 ? 'gateways.behindUs' : 'gateways.aheadOfUs', { time })
}

/** When a gateway took the revision that it runs, as far as the status of that revision tells. */
export function appliedAt(n: Node, status: PublishStatus | undefined): { at: number; ms: number } | undefined {
  if (!status || n.generation !== status.revision) return undefined
  const ms = status.nodes.find((x) => x.id === n.id && x.state !== 'pending')?.ms
  return ms === undefined ? undefined : { at: Date.parse(status.started) + ms, ms }
}

/** The nodes that a search leaves: every word stands somewhere in them. */
export function search(nodes: Node[], q: string, state: string | undefined): Node[] {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean)
  return nodes.filter((n) => {
    const text = [n.name, n.id, n.group, n.address, n.version, n.state].join('\n').toLowerCase()
    return (!state || n.state === state) && words.every((w) => text.includes(w))
  })
}

/** Where a gateway has its configuration from. */
export function sourceText(n: Node, t: I18n['t']): string {
  if (n.source === 'live') return t('gateways.sourceLive')
  if (n.source === 'disk') return t('gateways.sourceDisk')
  return n.source === 'none' ? t('gateways.sourceNone') : (n.source ?? '')
}

/** Milliseconds since an instant, in whole seconds: what grows on a page does so by the second. */
export function age(since: string, now: number): number {
  return Math.max(0, Math.floor((now - Date.parse(since)) / 1000) * 1000)
}

/** The page of a node. */
export function nodePath(id: string): string {
  return `/gateways/${encodeURIComponent(id)}`
}
