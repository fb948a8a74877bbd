import { useRef, useState } from 'react'
import { ApiError, call } from '../../../api/client'
import { explain, explainProblem } from '../../../api/errors'
import type { Problem } from '../../../api/schema'
import type { I18n } from '../../../i18n'

/** A sentence in the language that is shown when it is drawn. */
export type Say = (i18n: I18n) => string

/** What is known of a field's value beside its form. */
export interface Verdict {
  good?: Say
  warning?: Say
  error?: Say
  /** The API that the value clashes with. */
  other?: { id: string; name: string }
  checking?: boolean
}

/** Asks the newest question only: an answer to an older one is dropped. */
function useLatest() {
  const [verdict, setVerdict] = useState<Verdict>({})
  const turn = useRef(0)
  return {
    verdict,
    clear: () => {
      turn.current++
      setVerdict({})
    },
    ask: async (question: () => Promise<Verdict>) => {
      const mine = ++turn.current
      setVerdict({ checking: true })
      const found = await question()
      if (mine === turn.current) setVerdict(found)
    },
  }
}

/** Lets a gateway call an upstream. What it finds warns; it never keeps anyone from going on. */
export function useProbe() {
  const latest = useLatest()
  return {
    ...latest,
    probe: (url: string) =>
      latest.ask(async () => {
        try {
          const a = await call('POST /upstreams/probe', { body: { url, timeout: '5s' } })
          if (a.status === 0) {
            return { warning: ({ t }) => t('newApi.probeFailed', { gateway: a.gateway, error: cause(a.error ?? '') }) }
          }
          const values = ({ format }: I18n) => ({
            gateway: a.gateway,
            status: String(a.status),
            time: format.duration(a.ms),
          })
          return a.status >= 500
            ? { warning: (i18n) => i18n.t('newApi.probeSick', values(i18n)) }
            : { good: (i18n) => i18n.t('newApi.probeGood', values(i18n)) }
        } catch (error) {
          return { warning: (i18n) => i18n.t('newApi.probeNot', { reason: explain(error, i18n) }) }
        }
      }),
  }
}

/** Without the request that the field shows already. */
function cause(error: string): string {
  return error.replace(/^[A-Z]+ \S+: /, '')
}

/** Asks whether a listen path is free. */
export function useAvailability() {
  const latest = useLatest()
  return {
    ...latest,
    check: (path: string, domain: string) =>
      latest.ask(async () => {
        try {
          const a = await call('GET /apis/availability', { query: { path, ...(domain && { domain }) } })
          return read(a.available, a.problems)
        } catch (error) {
          if (error instanceof ApiError && error.status === 400) return { error: (i18n) => explain(error, i18n) }
          return { warning: (i18n) => i18n.t('newApi.pathUnknown', { reason: explain(error, i18n) }) }
        }
      }),
  }
}

function read(available: boolean, problems: Problem[]): Verdict {
  const p = problems.find((x) => x.severity === 'error') ?? problems[0]
  const params = (p?.params ?? {}) as { id?: string; name?: string; path?: string; example?: string; winner?: string }
  const other = params.id && params.name ? { id: params.id, name: params.name } : undefined
  if (!available) return { error: (i18n) => (p ? explainProblem(p, i18n) : i18n.t('newApi.pathTaken')), other }
  if (p?.code === 'api.path_shadowed' && other) {
    const values = { name: other.name, path: params.path ?? '', example: params.example ?? '' }
    return { warning: ({ t }) => t(params.winner === 'this' ? 'newApi.shadows' : 'newApi.shadowed', values), other }
  }
  return p ? { warning: (i18n) => explainProblem(p, i18n) } : { good: ({ t }) => t('newApi.pathFree') }
}
