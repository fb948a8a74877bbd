import { useEffect, useState } from 'react'
import { useRead } from '../../api/query'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { noApi, type TokenName, tokenNames, writeToken } from './tokens'

export interface Suggestion {
  /** What it writes. */
  text: string
  /** What it means. */
  help: string
  /** It only begins a condition: its value is asked for next. */
  unfinished?: boolean
}

const fixed: Partial<Record<TokenName, string[]>> = {
  status: ['2xx', '3xx', '4xx', '5xx', '401', '403', '404', '429', '500', '502', '503', '504'],
  method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'],
  latency: ['>50ms', '>100ms', '>500ms', '>1s', '>5s'],
}
const most = 8

/** What may follow what is written: names of conditions, then their values; APIs, keys and gateways are asked for. */
export function useSuggestions(typed: string, open: boolean): Suggestion[] {
  const { t } = useI18n()
  const { can } = useSession()
  const word = /\S*$/.exec(typed)?.[0] ?? ''
  const before = typed.slice(0, typed.length - word.length)
  const colon = word.indexOf(':')
  const name = tokenNames.find((n) => n === word.slice(0, Math.max(0, colon)).toLowerCase())
  const wanted = colon < 0 ? word : word.slice(colon + 1)
  const q = useSettled(wanted, 150)
  const ask = (n: TokenName) => open && name === n
  const apis = useRead('GET /apis', { query: { q, limit: most } }, { enabled: ask('api') && can('apis:read') })
  const keys = useRead('GET /keys', { query: { q, limit: most } }, { enabled: ask('key') && can('keys:read') })
  const nodes = useRead('GET /gateways', undefined, { enabled: ask('node') && can('gateways:read') })
  if (!open) return []

  const made = (n: TokenName, value: string, help: string): Suggestion => ({
    text: before + writeToken({ name: n, value }),
    help,
  })
  const has = (...texts: string[]) => texts.some((x) => x.toLowerCase().includes(wanted.toLowerCase()))
  if (!name) {
    if (colon >= 0) return []
    return tokenNames
      .filter((n) => n.startsWith(wanted.toLowerCase()))
      .map((n) => ({ text: `${before}${n}:`, help: t(`requests.token_${n}`), unfinished: true }))
  }
  if (name === 'api') {
    const none = has(noApi) ? [made('api', noApi, t('requests.tokenNoApi'))] : []
    return [...(apis.data?.items ?? []).map((a) => made('api', a.meta.id, a.object.name)), ...none]
  }
  if (name === 'key') return (keys.data?.items ?? []).map((k) => made('key', k.id, k.alias))
  if (name === 'node') {
    return (nodes.data?.items ?? [])
      .filter((n) => n.service === 'gateway' && has(n.id, n.name))
      .map((n) => made('node', n.id, n.name))
  }
  return (fixed[name] ?? []).filter((v) => has(v)).map((v) => made(name, v, ''))
}

/** A text as it is when it rests. */
function useSettled(text: string, ms: number): string {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), ms)
    return () => clearTimeout(timer)
  }, [text, ms])
  return settled
}
