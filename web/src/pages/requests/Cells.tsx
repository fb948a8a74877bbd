import type { RequestSummary } from '../../api/schema'
import { type Formats, useI18n } from '../../i18n'
import { cx } from '../../ui/cx'
import type { Column } from '../../ui/DataTable'
import { Mark, type Tone } from '../../ui/Status'
import css from './Requests.module.css'

/** An instant with its milliseconds; the day stands there where it is not today's. */
export function Instant({ at }: { at: string }) {
  const { format } = useI18n()
  const day = format.date(at)
  const ms = /\.(\d{1,3})/.exec(at)?.[1]?.padEnd(3, '0') ?? '000'
  return (
    <time dateTime={at} title={`${format.precise(at)} · ${at}`} className={css.time}>
      {day !== format.date(Date.now()) && <span className={css.day}>{day} </span>}
      {format.time(at)}
      <span className={css.ms}>.{ms}</span>
    </time>
  )
}

/** A time as people read it: below a millisecond in microseconds, since most of a gateway's own work is. */
export function span(ms: number, format: Formats): string {
  return ms > 0 && ms < 1 ? `${Math.max(1, Math.round(ms * 1000))} µs` : format.duration(ms)
}

/** What a status says of the call. */
export function toneOf(status: number): Tone {
  if (status === 0 || status >= 500) return 'bad'
  return status >= 400 ? 'warn' : status >= 300 || status < 200 ? 'info' : 'ok'
}

const shapes = { ok: 'dot', info: 'half', warn: 'triangle', bad: 'square', off: 'ring' } as const

export function StatusCode({ status }: { status: number }) {
  const { t } = useI18n()
  const tone = toneOf(status)
  return (
    <span className={css.status}>
      <Mark shape={shapes[tone]} tone={tone} />
      {status === 0 ? t('requests.noAnswer') : status}
    </span>
  )
}

/** The time of one call, and beside it its share of the longest in sight: upstream first, then the gateway's. */
export function Took({ row, longest }: { row: RequestSummary; longest: number }) {
  const { t, format } = useI18n()
  const length = longest > 0 ? Math.log1p(row.totalMs) / Math.log1p(longest) : 0
  const upstream = row.totalMs > 0 ? Math.min(1, row.upstreamMs / row.totalMs) : 0
  const said = t('requests.split', { upstream: span(row.upstreamMs, format), gateway: span(row.gatewayMs, format) })
  return (
    <span className={css.took} title={said}>
      <span>{span(row.totalMs, format)}</span>
      <svg className={css.bar} viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={said}>
        <rect className={css.upstream} x="0" y="0" width={100 * length * upstream} height="6" />
        <rect className={css.gateway} x={100 * length * upstream} y="0" width={100 * length * (1 - upstream)} height="6" />
      </svg>
    </span>
  )
}

/** The words of flags; one that this console does not know shows as it is. */
export function Flags({ flags }: { flags: string[] }) {
  const { find } = useI18n()
  return flags.map((f) => (
    <span key={f} className={css.flag}>
      {find(`requests.flag_${f}`) ?? f}
    </span>
  ))
}

/** The columns of a list of requests. */
export function useColumns(rows: RequestSummary[], { key = true }: { key?: boolean } = {}): Column<RequestSummary>[] {
  const { t } = useI18n()
  const longest = rows.reduce((n, r) => Math.max(n, r.totalMs), 0)
  const columns: Column<RequestSummary>[] = [
    { id: 'at', header: t('requests.time'), width: 'minmax(72px, 122px)', cell: (r) => <Instant at={r.at} /> },
    { id: 'method', header: t('requests.method'), width: '54px', cell: (r) => <code className={css.method}>{r.method}</code> },
    {
      id: 'path',
      header: t('requests.path'),
      width: 'minmax(90px, 3fr)',
      cell: (r) => <code title={`${r.host}${r.path}`}>{r.path}</code>,
    },
    { id: 'status', header: t('requests.status'), width: '60px', cell: (r) => <StatusCode status={r.status} /> },
    {
      id: 'took',
      header: t('requests.took'),
      width: '140px',
      from: 560,
      cell: (r) => <Took row={r} longest={longest} />,
    },
    {
      id: 'api',
      header: t('requests.api'),
      width: 'minmax(90px, 1.1fr)',
      from: 720,
      cell: (r) =>
        r.api ? <span title={r.api.id}>{r.api.name ?? r.api.id}</span> : <span className="muted">{t('titles.noApi')}</span>,
    },
    {
      id: 'key',
      header: t('requests.key'),
      width: 'minmax(80px, 1fr)',
      from: 860,
      cell: (r) => (r.key ? <span title={r.key}>{r.keyAlias ?? r.key}</span> : <span className={cx('muted')}>–</span>),
    },
    {
      id: 'target',
      header: t('requests.target'),
      width: 'minmax(100px, 1.2fr)',
      from: 1080,
      cell: (r) =>
        r.target ? (
          <code title={r.target}>{r.target.replace(/^https?:\/\//, '')}</code>
        ) : (
          <span className="muted" title={r.refusal}>
            {r.refusal ?? '–'}
          </span>
        ),
    },
    { id: 'flags', header: t('requests.flags'), width: 'minmax(70px, 0.8fr)', from: 980, cell: (r) => <Flags flags={r.flags} /> },
  ]
  return columns.filter((c) => key || c.id !== 'key')
}
