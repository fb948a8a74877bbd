import type { Node, Publishing, RequestList } from '../../api/schema'
import type { I18n } from '../../i18n'
import type { Tone } from '../../ui/Status'

/** One thing that must work, and whether it does. */
export interface Check {
  id: string
  tone: Tone
  text: string
  /** Where more is said. */
  to?: string
}

/** What the health of an installation is read from; absent: not known yet. */
export interface Signs {
  publishing?: Publishing
  nodes?: Node[]
  requests?: Pick<RequestList, 'problems'>
  /** Why requests cannot be read, in a sentence. */
  noRequests?: string
}

/** Every check, those that fail first. */
export function health(s: Signs, i18n: I18n): Check[] {
  const checks = [...publishing(s, i18n), ...fleet(s, i18n), ...records(s, i18n)]
  const rank: Record<Tone, number> = { bad: 0, warn: 1, info: 2, off: 3, ok: 4 }
  return checks.sort((a, b) => rank[a.tone] - rank[b.tone])
}

function publishing({ publishing: p }: Signs, { t }: I18n): Check[] {
  if (!p) return []
  const one = (tone: Tone, text: string): Check[] => [{ id: 'publishing', tone, text, to: '/revisions' }]
  if (p.storeBehind) return one('bad', t('overview.behindStore'))
  if (p.error) return one('bad', t('overview.publishingStopped', { reason: p.error }))
  if (p.revision === 0) return one('off', t('overview.publishedNone'))
  if (p.published < p.revision) return one('info', t('overview.publishing', { revision: String(p.revision) }))
  return one('ok', t('overview.published', { revision: String(p.revision) }))
}

function fleet({ nodes }: Signs, { t, format }: I18n): Check[] {
  if (!nodes) return []
  const gateways = nodes.filter((n) => n.service === 'gateway')
  const late = gateways.filter((n) => n.state !== 'current')
  const out: Check[] = []
  const add = (id: string, tone: Tone, text: string) => out.push({ id, tone, text, to: '/gateways' })
  if (gateways.length === 0) add('gateways', 'warn', t('overview.gatewaysNone'))
  else if (late.length > 0) {
    const turning = late.every((n) => n.state === 'catching-up' || n.state === 'draining')
    add('gateways', turning ? 'info' : 'warn', t('overview.gatewaysSome', { count: late.length }))
  } else add('gateways', 'ok', t('overview.gatewaysAll', { count: gateways.length }))

  const cut = nodes.filter((n) => !n.redisOk && n.state !== 'offline')
  if (cut.length > 0) add('redis', 'bad', t('overview.redisAway', { names: format.list(cut.map((n) => n.name)) }))
  const lost = nodes.reduce((sum, n) => sum + (n.spool?.dropped ?? 0), 0)
  if (lost > 0) add('lost', 'bad', t('overview.recordsLost', { count: lost }))
  const full = nodes.filter((n) => n.spool?.volatile)
  if (full.length > 0) add('full', 'warn', t('overview.recordsVolatile', { names: format.list(full.map((n) => n.name)) }))
  const waits = nodes.reduce((sum, n) => sum + (n.spool?.diskBytes ?? 0), 0)
  if (waits > 0) add('waits', 'info', t('overview.recordsWait', { size: format.bytes(waits) }))
  return out
}

function records({ nodes, requests, noRequests }: Signs, { t }: I18n): Check[] {
  const out: Check[] = []
  if (nodes) {
    const pumps = nodes.filter((n) => n.service === 'pump')
    const well = pumps.filter((n) => n.state === 'current')
    const one = (tone: Tone, text: string) => out.push({ id: 'pumps', tone, text, to: '/gateways' })
    if (pumps.length === 0) one('warn', t('overview.pumpNone'))
    else if (well.length < pumps.length) one('warn', t('overview.pumpDown', { count: pumps.length - well.length }))
    else one('ok', t('overview.pumpOk', { count: pumps.length }))
  }
  if (noRequests) out.push({ id: 'records', tone: 'warn', text: noRequests, to: '/requests' })
  else if (requests?.problems.some((p) => p.code === 'requests.nothing_kept')) {
    out.push({ id: 'records', tone: 'off', text: t('overview.recordsNothing'), to: '/requests' })
  } else if (requests) out.push({ id: 'records', tone: 'ok', text: t('overview.recordsKept'), to: '/requests' })
  return out
}
