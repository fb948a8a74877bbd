import type { RequestRecord } from '../../api/schema'
import { useI18n } from '../../i18n'
import { span } from './Cells'

/** What happened, in one sentence. */
export function useSummary(r: RequestRecord): string {
  const { t, format } = useI18n()
  const time = span(r.totalMs, format)
  const status = String(r.status)
  if (r.status === 0) return t('requests.sumAborted', { time })
  if (!r.api && !r.target) return t('requests.sumNoApi', { status, time })
  const api = r.api?.name ?? r.api?.id ?? ''
  if (r.flags.includes('cacheHit')) return t('requests.sumCached', { api, status, time })
  if (r.flags.includes('mocked')) return t('requests.sumMocked', { api, status, time })
  if (r.refusal && r.error) return t('requests.sumFailed', { api, status, time, code: r.refusal, error: r.error })
  if (r.refusal) return t('requests.sumRefused', { api, status, time, code: r.refusal })
  const share = format.percent(r.totalMs > 0 ? Math.round((100 * Math.min(r.upstreamMs, r.totalMs)) / r.totalMs) / 100 : 0)
  return t('requests.sumAnswered', { api, target: r.target ?? '', status, time, share })
}
