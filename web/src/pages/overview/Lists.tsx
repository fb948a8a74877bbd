import { Fragment } from 'react'
import type { Node, RequestSummary, Revision } from '../../api/schema'
import { lineOf, reasonOf } from '../../fleet'
import { useI18n } from '../../i18n'
import { useNow } from '../../now'
import { cx } from '../../ui/cx'
import { Link } from '../../ui/Link'
import { StatusPill } from '../../ui/Status'
import { attention, nodePath } from '../gateways/fleet'
import { StatusCode, span } from '../requests/Cells'
import { authorText, changesText } from '../revisions/words'
import css from './Overview.module.css'

/** Requests in one line each, those that failed above. */
export function Requests({ failed, latest }: { failed: RequestSummary[]; latest: RequestSummary[] }) {
  const { t, format } = useI18n()
  const now = useNow(5_000)
  const groups = [
    { id: 'failed', title: t('overview.failedLately'), items: failed },
    { id: 'latest', title: t('overview.latest'), items: latest.filter((r) => !failed.some((f) => f.id === r.id)) },
  ].filter((g) => g.items.length > 0)
  if (groups.length === 0) return <p className={cx(css.empty, 'muted')}>{t('overview.noRequests')}</p>
  return groups.map((g) => (
    <Fragment key={g.id}>
      {groups.length > 1 && <h3 className={css.sub}>{g.title}</h3>}
      <ul className={css.list} aria-label={g.title}>
        {g.items.map((r) => (
          <li key={r.id}>
            <Link to={`/requests/${encodeURIComponent(r.id)}`} look="bare" className={cx(css.entry, css.request)}>
              <StatusCode status={r.status} />
              <code>{r.method}</code>
              <code className="truncate" title={`${r.host}${r.path}`}>
                {r.path}
              </code>
              <span className={cx(css.wide, 'truncate', 'muted')}>{r.api?.name ?? r.api?.id ?? t('titles.noApi')}</span>
              <span className={cx(css.right, css.wide)}>{span(r.totalMs, format)}</span>
              <span className={css.right}>{format.ago(r.at, now)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Fragment>
  ))
}

/** The last revisions. */
export function Changes({ revisions }: { revisions: Revision[] }) {
  const i18n = useI18n()
  const now = useNow(10_000)
  if (revisions.length === 0) return <p className={cx(css.empty, 'muted')}>{i18n.t('overview.noChanges')}</p>
  return (
    <ul className={css.list}>
      {revisions.map((r) => (
        <li key={r.revision}>
          <Link to={`/revisions/${r.revision}`} look="bare" className={css.entry}>
            <span className={cx(css.grow, 'truncate')}>
              <b>{changesText(r.changes, i18n)}</b>
              <span className={cx(css.two, 'truncate')}>
                {r.revision} · {authorText(r.author, i18n)}
                {r.note && ` · ${r.note}`}
              </span>
            </span>
            <span className={css.side}>{i18n.format.ago(r.at, now)}</span>
          </Link>
        </li>
      ))}
    </ul>
  )
}

/** How many gateways are listed; those that are not current come first. */
const most = 8

/** Gateways with their states, those that need somebody first. */
export function Gateways({ nodes }: { nodes: Node[] }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const rank = (n: Node) => (n.state !== 'current' ? 0 : attention(n, i18n).length > 0 ? 1 : 2)
  const shown = nodes
    .map((n, i) => ({ n, i }))
    .sort((a, b) => rank(a.n) - rank(b.n) || a.i - b.i)
    .slice(0, most)
  if (shown.length === 0) return <p className={cx(css.empty, 'muted')}>{t('gateways.empty')}</p>
  return (
    <ul className={css.list}>
      {shown.map(({ n }) => {
        const reason = reasonOf(n, i18n)
        return (
          <li key={n.id}>
            <Link to={nodePath(n.id)} look="bare" className={css.entry}>
              <span className={cx(css.grow, 'truncate')}>
                <b>{n.name}</b>
                <span className={cx(css.two, 'truncate')}>
                  {reason
                    ? lineOf(reason, i18n)
                    : attention(n, i18n)[0]?.text || t('overview.onRevision', { revision: String(n.generation) })}
                </span>
              </span>
              {n.state !== 'offline' && (
                <span className={css.side}>{t('overview.rate', { rate: format.compact(n.load.rps) })}</span>
              )}
              <StatusPill state={n.state} />
            </Link>
          </li>
        )
      })}
    </ul>
  )
}
