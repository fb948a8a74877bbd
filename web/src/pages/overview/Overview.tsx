import { type ReactNode, useEffect, useRef } from 'react'
import { explain } from '../../api/errors'
import { useRead } from '../../api/query'
import { summarize } from '../../fleet'
import { type I18n, useI18n } from '../../i18n'
import { useSession } from '../../session'
import { Button } from '../../ui/Button'
import { cx } from '../../ui/cx'
import { Link } from '../../ui/Link'
import { Card, PageHeader, Stack } from '../../ui/Page'
import { ErrorFinePrint, ErrorNotice, ErrorState, Notice, Skeleton } from '../../ui/States'
import { Mark, Stat } from '../../ui/Status'
import { Checklist, type Facts, useChecklist } from './Checklist'
import { type Check, health } from './health'
import { Changes, Gateways, Requests } from './Lists'
import css from './Overview.module.css'

/** What no event tells is read again so often, in milliseconds, while somebody looks. */
const again = 5_000

/** The installation in one look: does it work, what was called, what was changed. */
export default function Overview() {
  const i18n = useI18n()
  const { t, format } = i18n
  const { can } = useSession()
  const nodes = useRead('GET /gateways', undefined, { live: true, enabled: can('gateways:read') })
  const publishing = useRead('GET /publishing', undefined, { enabled: can('revisions:read') })
  const revisions = useRead('GET /revisions', { query: { limit: 5 } }, { live: true, enabled: can('revisions:read') })
  const apis = useRead('GET /apis', { query: { limit: 1, sort: '-updated' } }, { enabled: can('apis:read') })
  const keys = useRead('GET /keys', { query: { limit: 1 } }, { enabled: can('keys:read') })
  const requests = useRead('GET /requests', { query: { limit: 8 } }, { enabled: can('requests:read') })
  const failed = useRead('GET /requests', { query: { limit: 4, status: '5xx' } }, { enabled: can('requests:read') })
  useEvery(again, () => {
    for (const q of [publishing, apis, keys, requests, failed]) if (!q.isFetching && q.isEnabled) void q.refetch()
  })

  const all = nodes.data?.items
  const sum = all && summarize(all)
  const wrong = {
    nodes: useLastError(nodes),
    revisions: useLastError(revisions),
    apis: useLastError(apis),
    keys: useLastError(keys),
    requests: useLastError(requests),
    failed: useLastError(failed),
  }
  const facts: Facts | undefined =
    all && apis.data && keys.data && (requests.data ?? wrong.requests)
      ? { nodes: all, apis: apis.data, keys: keys.data, requests: requests.data ?? { items: [] } }
      : undefined
  const list = useChecklist(facts)
  const shared = sharedError([wrong.requests, wrong.revisions, wrong.nodes], i18n)
  const checks = health(
    {
      publishing: publishing.data,
      nodes: all,
      requests: requests.data,
      noRequests: wrong.requests && !isSame(wrong.requests, shared, i18n) ? explain(wrong.requests, i18n) : undefined,
    },
    i18n,
  )
  const retry = () => {
    for (const q of [requests, revisions, nodes, publishing, apis, keys, failed]) if (q.isEnabled) void q.refetch()
  }
  const total = (q: { data?: { total: number; totalExact: boolean } }) =>
    q.data && (q.data.totalExact ? format.count(q.data.total) : t('overview.some', { count: q.data.total }))
  const rps = all?.filter((n) => n.service === 'gateway' && n.state !== 'offline').reduce((r, n) => r + n.load.rps, 0)

  return (
    <>
      <PageHeader title={t('overview.title')} />
      <Stack>
        {Boolean(shared) && <Trouble error={shared} onRetry={retry} />}
        {list.shown && facts && <Checklist facts={facts} onHide={list.hide} />}
        <Card>
          <dl className={css.stats}>
            {can('gateways:read') && (
              <>
                <Figure
                  to="/gateways"
                  label={t('overview.gatewaysNow')}
                  value={sum && `${sum.current} / ${sum.all}`}
                  note={sum && sum.revision > 0 && t('overview.onRevision', { revision: String(sum.revision) })}
                  error={wrong.nodes}
                />
                <Figure label={t('overview.rps')} value={rps !== undefined && format.compact(rps)} error={wrong.nodes} />
              </>
            )}
            {can('requests:read') && (
              <>
                <Figure
                  to="/requests"
                  label={t('overview.requests')}
                  value={total(requests)}
                  note={t('overview.day')}
                  error={wrong.requests}
                />
                <Figure
                  to="/requests?status=5xx"
                  label={t('overview.failed')}
                  value={total(failed)}
                  note={t('overview.day')}
                  error={wrong.failed}
                />
              </>
            )}
            {can('apis:read') && <Figure to="/apis" label={t('overview.apis')} value={total(apis)} error={wrong.apis} />}
            {can('keys:read') && <Figure to="/keys" label={t('overview.keys')} value={total(keys)} error={wrong.keys} />}
          </dl>
        </Card>
        <div className={css.main}>
          <Stack>
            {can('requests:read') && (
              <Part
                title={t('overview.lastRequests')}
                to="/requests"
                more={t('overview.allRequests')}
                query={requests}
                error={wrong.requests}
                told={shared}
              >
                {requests.data && <Requests failed={failed.data?.items ?? []} latest={requests.data.items} />}
              </Part>
            )}
            {can('revisions:read') && (
              <Part
                title={t('overview.changes')}
                to="/revisions"
                more={t('overview.allRevisions')}
                query={revisions}
                error={wrong.revisions}
                told={shared}
              >
                {revisions.data && <Changes revisions={revisions.data.items} />}
              </Part>
            )}
          </Stack>
          <Stack>
            {(can('gateways:read') || can('revisions:read')) && <Health checks={checks} told={shared} />}
            {can('gateways:read') && (
              <Part
                title={t('overview.gateways')}
                to="/gateways"
                more={t('overview.allGateways')}
                query={nodes}
                error={wrong.nodes}
                told={shared}
              >
                {all && <Gateways nodes={all.filter((n) => n.service === 'gateway')} />}
              </Part>
            )}
          </Stack>
        </div>
      </Stack>
    </>
  )
}

/** What went wrong last, until something is read: asking again does not make it unknown. */
function useLastError({ data, error }: { data?: unknown; error: unknown }): unknown {
  const last = useRef<unknown>(null)
  if (error) last.current = error
  else if (data !== undefined) last.current = null
  return last.current
}

/** The error of two reads or more, which is then told once for the whole page. */
function sharedError(errors: unknown[], i18n: I18n): unknown {
  return errors.find((e, i) => errors.some((other, j) => i !== j && isSame(e, other, i18n)))
}

function isSame(error: unknown, other: unknown, i18n: I18n): boolean {
  return Boolean(error && other) && explain(error, i18n) === explain(other, i18n)
}

/** What keeps more than one part of the page from being read, and what still works. */
function Trouble({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const i18n = useI18n()
  return (
    <Notice
      tone="bad"
      action={
        <Button small onClick={onRetry}>
          {i18n.t('ui.retry')}
        </Button>
      }
    >
      {explain(error, i18n)} {i18n.t('ui.errorKeeps')}
      <ErrorFinePrint error={error} />
    </Notice>
  )
}

/** What must work, and whether it does. */
function Health({ checks, told }: { checks: Check[]; told: unknown }) {
  const { t } = useI18n()
  return (
    <Card title={t('overview.health')} flush>
      {checks.length === 0 && told ? (
        <p className={cx(css.empty, 'muted')}>{t('overview.notRead')}</p>
      ) : checks.length === 0 ? (
        <div className={css.empty}>
          <Skeleton height={60} />
        </div>
      ) : (
        <ul className={css.list}>
          {checks.map((c) => (
            <Line key={c.id} check={c} />
          ))}
        </ul>
      )}
    </Card>
  )
}

/** Does something every so many milliseconds while the page is seen. */
function useEvery(ms: number, act: () => void): void {
  const latest = useRef(act)
  latest.current = act
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState !== 'hidden') latest.current()
    }, ms)
    return () => clearInterval(timer)
  }, [ms])
}

function Figure({
  label,
  value,
  note,
  to,
  error,
}: {
  label: string
  value?: string | false
  note?: ReactNode
  to?: string
  error: unknown
}) {
  const shown = value || (error ? '–' : <Skeleton width={64} height={24} />)
  return (
    <Stat
      label={label}
      value={
        to && value ? (
          <Link to={to} look="bare" aria-label={`${label}: ${value}`}>
            {shown}
          </Link>
        ) : (
          shown
        )
      }
      note={value ? note || undefined : undefined}
    />
  )
}

/** A card of its own: what fails in it leaves the others alone. */
function Part({
  title,
  to,
  more,
  query,
  error,
  told,
  children,
}: {
  title: string
  to: string
  more: string
  query: { data?: unknown; refetch: () => unknown }
  error: unknown
  /** The error that the page tells already. */
  told: unknown
  children: ReactNode
}) {
  const i18n = useI18n()
  const known = isSame(error, told, i18n)
  return (
    <Card
      flush
      title={title}
      aside={
        <Link to={to} className="small">
          {more}
        </Link>
      }
    >
      {error && query.data && !known ? (
        <div className={css.empty}>
          <ErrorNotice error={error} />
        </div>
      ) : null}
      {query.data ? (
        children
      ) : known ? (
        <p className={cx(css.empty, 'muted')}>{i18n.t('overview.notRead')}</p>
      ) : error ? (
        <ErrorState error={error} onRetry={() => void query.refetch()} />
      ) : (
        <div className={css.empty}>
          <Skeleton height={120} />
        </div>
      )}
    </Card>
  )
}

const shapes = { bad: 'square', warn: 'triangle', info: 'half', off: 'ring', ok: 'dot' } as const

function Line({ check }: { check: Check }) {
  return (
    <li className={cx(css.check)} data-check={check.id} data-tone={check.tone}>
      <Mark shape={shapes[check.tone]} tone={check.tone} />
      {check.to && check.tone !== 'ok' ? (
        <Link to={check.to} look="quiet">
          {check.text}
        </Link>
      ) : (
        <span>{check.text}</span>
      )}
    </li>
  )
}
